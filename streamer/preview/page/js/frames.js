// Which image is asked for, which is coming, and when each was on the screen.

import { opened } from "./decode.js";

/** Times of drawing that are kept. */
const TIMINGS_MAX = 500;
/** A view that changes under the hand is asked for this often at most. */
const ASK_MS = 120;

export class Frames {
  #queue = Promise.resolve();
  #undrawn = null;
  #asked = "";
  #timer = 0;
  #painted = new MessageChannel();
  #measured = null;

  /**
   * @param {{picture: object, decoder: object, send: (message: object) => boolean, came: () => void,
   *          strip: (header: object, bytes: Uint8Array) => void, failed: (error: Error) => void}} parts
   */
  constructor(parts) {
    Object.assign(this, parts, { seq: null, view: { position: null, channel: null, z: null }, newest: -1, count: 0 });
    this.timings = [];
    this.#painted.port1.onmessage = () => this.#measure();
  }

  /** After a new connection everything has to be asked for again. */
  restart() {
    this.#asked = "";
    this.#undrawn = null;
  }

  /** Ask for what the stage shows, where that is not what is already being sent. */
  look(stage, prefs, atOnce = false) {
    clearTimeout(this.#timer);
    if (!stage || !this.send) return;
    this.#timer = setTimeout(() => this.#ask(stage, prefs), atOnce ? 0 : ASK_MS);
    if (this.#asked === "") this.#ask(stage, prefs);
  }

  #ask(stage, prefs) {
    const [height, width] = stage.wanted();
    const layers = ["raw", "denoised", "segmentation", "trust"];
    if (prefs.right === "uncertainty") layers.push("uncertainty");
    const message = { type: "view", ...this.view, seq: this.seq, width, height, region: stage.viewport.region(), layers };
    const text = JSON.stringify(message);
    if (text === this.#asked) return;
    if (this.send(message)) this.#asked = text;
    this.stage = stage;
  }

  /** A binary message; one after the other, so that none overtakes another. */
  take(message) {
    this.#queue = this.#queue.then(() => this.#decoded(message)).catch((error) => {
      this.failed(error);
      this.send({ type: "drawn", seq: seqOf(message) }); // else the server would wait for it
    });
  }

  async #decoded(message) {
    const { header, layers } = await this.decoder.decode(message);
    if (header.kind === "strip") return this.strip(header, layers[0]);
    this.picture.take(header, layers);
    this.stage.viewport.setFull(...header.full);
    if (header.live) this.newest = Math.max(this.newest, header.seq);
    this.#undrawn = header;
    this.came();
  }

  /** The header of an image that was drawn just now, else null; the next may then be sent. */
  drawn() {
    const header = this.#undrawn;
    if (!header) return null;
    this.#undrawn = null;
    this.count += 1;
    this.send({ type: "drawn", seq: header.seq });
    this.#measured = header;
    this.#painted.port2.postMessage(null); // answered after the browser has painted
    return header;
  }

  #measure() {
    const { seq, wall_time_s: wall } = this.#measured;
    const now = (performance.timeOrigin + performance.now()) / 1000;
    this.timings.push({ seq, wall_time_s: wall, drawn_wall_s: now });
    if (this.timings.length > TIMINGS_MAX) this.timings.splice(0, this.timings.length - TIMINGS_MAX);
  }
}

function seqOf(message) {
  try {
    return opened(message).header.seq ?? 0;
  } catch {
    return 0;
  }
}
