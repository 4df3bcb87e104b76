// The one connection to the page's server: reconnects by itself, and waits longer after every failure.

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 10_000;
/** An opened connection that says nothing for this long is closed from here and tried anew. */
const HELLO_WITHIN_MS = 15_000;

/** Why the server closed: words for the person, and the least time before trying again. */
const REFUSALS = {
  4401: ["This link no longer opens this run. Ask for a new link, or copy it from the terminal again.", 20_000],
  4403: ["This address may not watch the run. Open the link exactly as the terminal prints it.", 20_000],
  4408: ["This browser answered too slowly and was disconnected.", 1_000],
  4429: ["Too many people are watching already.", 10_000],
};

export class Link {
  /**
   * @param {string} url of the WebSocket
   * @param {{text: (message: object) => void, binary: (bytes: ArrayBuffer) => void,
   *          status: (status: {open: boolean, retryAt: number, why: string}) => void}} handlers
   */
  constructor(url, handlers) {
    this.url = url;
    this.handlers = handlers;
    this.failures = 0;
    this.socket = null;
    this.timer = 0;
    addEventListener("online", () => this.retryNow());
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.retryNow(); // a machine that slept need not wait out a long pause
    });
  }

  open() {
    clearTimeout(this.timer);
    const socket = new WebSocket(this.url);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    const silent = setTimeout(() => socket.close(), HELLO_WITHIN_MS);
    socket.onmessage = (event) => {
      clearTimeout(silent);
      if (this.socket === socket) this.#take(event.data);
    };
    socket.onclose = (event) => {
      clearTimeout(silent);
      if (this.socket === socket) this.#lost(event.code);
    };
  }

  get isOpen() {
    return this.socket?.readyState === WebSocket.OPEN;
  }

  /** False where there is no connection: the message is then not sent. */
  send(message) {
    if (!this.isOpen) return false;
    this.socket.send(JSON.stringify(message));
    return true;
  }

  retryNow() {
    if (this.socket === null) this.open();
  }

  #take(data) {
    if (typeof data !== "string") return this.handlers.binary(data);
    const message = parsed(data);
    if (message === null) return;
    if (message.type === "hello") {
      this.failures = 0;
      this.handlers.status({ open: true, retryAt: 0, why: "" });
    }
    this.handlers.text(message);
  }

  #lost(code) {
    this.socket = null;
    const [why, least] = REFUSALS[code] ?? ["", 0];
    const doubled = Math.min(FIRST_WAIT_MS * 2 ** this.failures, LONGEST_WAIT_MS);
    const waitMs = Math.max(least, doubled * (0.75 + 0.5 * Math.random())); // many viewers do not return at once
    this.failures = Math.min(this.failures + 1, 10);
    this.timer = setTimeout(() => this.open(), waitMs);
    this.handlers.status({ open: false, retryAt: Date.now() + waitMs, why });
  }
}

function parsed(text) {
  try {
    const message = JSON.parse(text);
    return message !== null && typeof message === "object" ? message : null;
  } catch {
    return null; // not ours: a message that cannot be read is left out
  }
}
