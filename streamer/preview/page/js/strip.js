// Thumbnails of the run so far and a slider over all of its frames, to look back while live goes on.

import { colourMap } from "./colormaps.js";
import { clock } from "./words.js";

const THUMB_PX = 72;
/** Thumbnails are asked for again no sooner than this. */
const REFRESH_MS = 4000;

export class Strip {
  #thumbs = [];
  #entries = [];
  #askedAt = -Infinity;
  #askedFor = 0;
  #askedUpTo = -2;

  /**
   * @param {HTMLElement} host
   * @param {{ask: (count: number, width: number) => boolean, looked: (seq: number | null) => void}} heard
   *   `looked` gets the frame to look at, null for live
   */
  constructor(host, heard) {
    Object.assign(this, { host, heard, newest: -1, shown: null });
    this.row = document.createElement("div");
    this.row.className = "thumbs";
    this.slider = Object.assign(document.createElement("input"), { type: "range", min: "0", max: "0", step: "1" });
    this.slider.className = "when-slider";
    this.slider.setAttribute("aria-label", "Frame that is shown; at the right end the live one");
    this.slider.addEventListener("input", () => this.#slid());
    host.replaceChildren(this.row, this.slider);
    this.row.setAttribute("role", "listbox");
    this.row.setAttribute("aria-label", "Look back over the run");
    this.row.setAttribute("aria-orientation", "horizontal");
    this.row.addEventListener("keydown", (event) => this.#key(event));
    new ResizeObserver(() => this.refresh(true)).observe(host);
  }

  get count() {
    return Math.max(4, Math.min(64, Math.floor(this.host.clientWidth / (THUMB_PX - 6))));
  }

  /** Ask for thumbnails where the last ones are old, or there is room for another number of them. */
  refresh(atOnce = false) {
    const due = performance.now() - this.#askedAt > REFRESH_MS && this.newest !== this.#askedUpTo;
    if (!due && !(atOnce && this.count !== this.#askedFor)) return;
    if (!this.heard.ask(this.count, Math.round(THUMB_PX * Math.min(devicePixelRatio || 1, 2)))) return;
    this.#askedAt = performance.now();
    this.#askedFor = this.count;
    this.#askedUpTo = this.newest;
  }

  reset() {
    this.#askedAt = -Infinity;
    this.#askedUpTo = -2;
    this.refresh();
  }

  /** The newest frame there is, and the one that is shown: null while it is live. */
  follow(newest, shown) {
    this.newest = Math.max(newest, this.newest);
    this.shown = shown;
    this.slider.max = String(Math.max(this.newest, 0));
    if (document.activeElement !== this.slider || shown === null) this.slider.value = String(shown ?? this.newest);
    this.slider.setAttribute("aria-valuetext", shown === null ? "live" : `frame ${shown}`);
    this.#select();
  }

  entries(entries) {
    this.#entries = entries.filter(({ seq }) => Number.isInteger(seq));
  }

  draw(header, bytes) {
    const times = new Map(this.#entries.map(({ seq, time_s: time }) => [seq, time]));
    while (this.#thumbs.length < header.count) this.#thumbs.push(this.#thumb());
    while (this.#thumbs.length > header.count) this.#thumbs.pop().option.remove();
    const table = colourMap("gray");
    const size = header.width * header.height;
    this.#thumbs.forEach((thumb, i) => {
      thumb.seq = header.seqs[i];
      thumb.option.dataset.seq = String(thumb.seq);
      thumb.label.textContent = clock(times.get(thumb.seq));
      thumb.option.setAttribute("aria-label", `frame ${thumb.seq}, at ${clock(times.get(thumb.seq))}`);
      paint(thumb, header, bytes.subarray(i * size, (i + 1) * size), table);
    });
    this.#select();
  }

  /** One thumbnail earlier (-1) or later (+1); past the last one it is live again. */
  step(by) {
    const seqs = this.#thumbs.map(({ seq }) => seq);
    if (!seqs.length) return;
    const now = this.shown ?? Infinity;
    if (by < 0) this.heard.looked(seqs.findLast((seq) => seq < now) ?? seqs[0]);
    else this.heard.looked(seqs.find((seq) => seq > now) ?? null);
  }

  #slid() {
    const seq = Number(this.slider.value);
    this.heard.looked(seq >= this.newest ? null : seq);
  }

  #thumb() {
    const option = document.createElement("div");
    option.className = "thumb";
    option.setAttribute("role", "option");
    option.tabIndex = -1;
    const canvas = document.createElement("canvas");
    const label = document.createElement("span");
    option.append(canvas, label);
    const thumb = { option, canvas, label, seq: -1, image: null };
    option.addEventListener("click", () => this.heard.looked(thumb.seq));
    this.row.append(option);
    return thumb;
  }

  #select() {
    const chosen = this.shown === null ? null : nearest(this.#thumbs, this.shown);
    this.#thumbs.forEach((thumb, i) => {
      thumb.option.setAttribute("aria-selected", String(thumb === chosen));
      thumb.option.tabIndex = thumb === (chosen ?? this.#thumbs.at(-1)) ? 0 : -1;
    });
  }

  #key(event) {
    const here = this.#thumbs.findIndex(({ option }) => option === document.activeElement);
    const moves = { ArrowLeft: here - 1, ArrowRight: here + 1, Home: 0, End: this.#thumbs.length - 1 };
    if (event.key in moves) this.#thumbs[Math.min(Math.max(moves[event.key], 0), this.#thumbs.length - 1)]?.option.focus();
    else if ((event.key === "Enter" || event.key === " ") && here >= 0) this.heard.looked(this.#thumbs[here].seq);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

function nearest(thumbs, seq) {
  return thumbs.findLast((thumb) => thumb.seq <= seq) ?? thumbs[0] ?? null;
}

function paint(thumb, { width, height }, bytes, table) {
  if (thumb.image?.width !== width || thumb.image?.height !== height) {
    Object.assign(thumb.canvas, { width, height });
    thumb.context = thumb.canvas.getContext("2d");
    thumb.image = thumb.context.createImageData(width, height);
    thumb.pixels = new Uint32Array(thumb.image.data.buffer);
  }
  for (let i = 0; i < bytes.length; i++) thumb.pixels[i] = table[bytes[i]];
  thumb.context.putImageData(thumb.image, 0, 0);
}
