// Stop, pause, resume, mark: only where the run allows it, and never without a confirmation.

const ASKS = {
  stop: {
    title: "Stop the run?",
    words: "The lasers go dark first, then the acquisition ends. What was recorded stays. This cannot be taken back.",
    label: "Why (optional)",
    yes: "Stop the run",
  },
  pause: {
    title: "Pause the run?",
    words: "The microscope waits, with its lasers dark, until somebody resumes.",
    label: "Why (optional)",
    yes: "Pause",
  },
  resume: { title: "Resume the run?", words: "The acquisition goes on, with light.", label: "Note (optional)", yes: "Resume" },
  mark: {
    title: "Mark this moment",
    words: "Your note is kept in the recording, at the newest frame. The microscope does nothing.",
    label: "Note",
    yes: "Mark",
  },
};
const ANSWER_WITHIN_MS = 20_000;

export class Controls {
  #open = new Map();
  #next = 1;

  /** @param {{send: (message: object) => boolean, said: (words: string, good: boolean) => void}} heard */
  constructor(heard) {
    this.heard = heard;
    this.allowed = false;
    this.actions = [];
    this.state = { key: "waiting", over: false };
    this.dialog = document.getElementById("confirm");
    this.note = document.getElementById("confirm-note");
    this.buttons = new Map([...document.querySelectorAll("[data-act]")].map((button) => [button.dataset.act, button]));
    for (const [action, button] of this.buttons) button.addEventListener("click", () => this.ask(action));
    document.getElementById("confirm-no").addEventListener("click", () => this.dialog.close());
    document.getElementById("confirm-form").addEventListener("submit", (event) => this.#confirmed(event));
    this.note.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.dialog.querySelector("form").requestSubmit();
    });
  }

  allow(control) {
    this.allowed = Boolean(control?.allowed);
    this.actions = control?.actions ?? [];
    const badge = document.getElementById("view-only");
    badge.hidden = this.allowed;
    badge.title = control?.why_not || "This link only shows the run.";
    badge.setAttribute("aria-label", `View only. ${badge.title}`);
    this.#show();
  }

  follow(state) {
    if (this.state.key === state.key) return;
    this.state = state;
    this.#show();
  }

  can(action) {
    const { key, over } = this.state;
    if (!this.allowed || !this.actions.includes(action) || over || key === "lost" || key === "connecting") return false;
    if (action === "resume") return key === "paused";
    if (action === "pause") return key !== "paused" && key !== "stopping";
    return action === "mark" || key !== "stopping";
  }

  #show() {
    for (const [action, button] of this.buttons) button.hidden = !this.can(action);
  }

  /** Open the confirmation of an action. */
  ask(action) {
    if (!this.can(action) || this.dialog.open) return;
    const { title, words, label, yes } = ASKS[action];
    this.dialog.dataset.action = action;
    document.getElementById("confirm-title").textContent = title;
    document.getElementById("confirm-words").textContent = words;
    document.getElementById("confirm-label").textContent = label;
    document.getElementById("confirm-yes").textContent = yes;
    this.note.value = "";
    this.note.required = action === "mark";
    this.dialog.showModal();
    this.note.focus();
  }

  #confirmed(event) {
    event.preventDefault();
    const { action } = this.dialog.dataset;
    this.dialog.close();
    const id = this.#next++;
    const note = this.note.value.trim().slice(0, 500);
    if (!this.heard.send({ type: "ask", id, action, note })) return this.heard.said("Not sent: there is no connection.", false);
    const timer = setTimeout(() => this.answered({ id, ok: false, text: "No answer came. Look at the log whether it was done." }), ANSWER_WITHIN_MS);
    this.#open.set(id, timer);
  }

  answered({ id, ok, text }) {
    if (!this.#open.has(id)) return;
    clearTimeout(this.#open.get(id));
    this.#open.delete(id);
    this.heard.said(text || (ok ? "Done." : "Refused."), Boolean(ok));
  }
}
