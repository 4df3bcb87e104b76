// What happened, newest first, in plain words; an entry leads to its frame.

import { timeOfDay } from "./words.js";

/** Entries that are kept, and that stand on the page. */
const KEPT_MAX = 300;
const SHOWN_MAX = 100;
const SHAPES = { info: "info", warning: "warning", alarm: "stopped" };

export class Log {
  /**
   * @param {HTMLElement} list
   * @param {(seq: number) => void} picked
   */
  constructor(list, picked) {
    Object.assign(this, { list, picked, entries: [], leftOut: 0, onlyGrave: false });
  }

  replace(entries, leftOut) {
    this.entries = (entries ?? []).slice(-KEPT_MAX);
    this.leftOut = leftOut || 0;
    this.#show();
  }

  add(entries) {
    if (!entries?.length) return;
    this.entries.push(...entries);
    if (this.entries.length > KEPT_MAX) {
      this.leftOut += this.entries.length - KEPT_MAX;
      this.entries.splice(0, this.entries.length - KEPT_MAX);
    }
    for (const entry of entries.slice(-SHOWN_MAX)) if (this.#wanted(entry)) this.list.prepend(this.#item(entry));
    while (this.list.childElementCount > SHOWN_MAX) this.list.lastElementChild.remove();
  }

  filter(onlyGrave) {
    this.onlyGrave = onlyGrave;
    this.#show();
  }

  /** Why the run was stopped, as far as the log says. */
  get lastAlarm() {
    return this.entries.findLast(({ gravity }) => gravity === "alarm")?.text ?? "";
  }

  /** Why the guards have decided to stop the run; empty where they have not. */
  get guardStop() {
    const found = this.entries.findLast(({ kind, gravity }) => kind === "decision" && gravity === "alarm");
    return found?.text.replace(/^stop decided: /, "") ?? "";
  }

  #wanted({ gravity }) {
    return !this.onlyGrave || gravity !== "info";
  }

  #show() {
    const shown = this.entries.filter((entry) => this.#wanted(entry)).slice(-SHOWN_MAX).reverse();
    this.list.replaceChildren(...shown.map((entry) => this.#item(entry)));
    if (this.leftOut && !this.onlyGrave) {
      const more = document.createElement("li");
      more.className = "log-more";
      more.textContent = `${this.leftOut} earlier entries are in the recording`;
      this.list.append(more);
    }
  }

  #item(entry) {
    const item = document.createElement("li");
    const gravity = entry.gravity in SHAPES ? entry.gravity : "info";
    item.className = `log-${gravity}`;
    item.dataset.kind = entry.kind;
    item.append(shape(SHAPES[gravity], gravity === "info" ? "" : gravity));
    const time = document.createElement("time");
    time.textContent = timeOfDay(entry.wall_time_s);
    const text = document.createElement("span");
    text.textContent = entry.text;
    item.append(time, text);
    if (Number.isInteger(entry.seq) && entry.seq >= 0) item.append(this.#leading(entry.seq));
    return item;
  }

  #leading(seq) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "log-frame";
    button.textContent = `${seq}`;
    button.title = `Look at frame ${seq}`;
    button.setAttribute("aria-label", `Look at frame ${seq}`);
    button.addEventListener("click", () => this.picked(seq));
    return button;
  }
}

const SVG = "http://www.w3.org/2000/svg";

function shape(name, words) {
  const svg = document.createElementNS(SVG, "svg");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#i-${name}`);
  if (words) {
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", words);
  } else svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}
