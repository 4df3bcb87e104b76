// The picture on the screen: panes, divider, overlays, scale bar, pointer and keys.

import { short } from "./words.js";
import { Viewport } from "./viewport.js";

const OUTLINE = "#ff8a5c";
const HALO = "rgba(0, 0, 0, 0.6)";
const NICE_UM = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];
/** Parts of a pane that a pan by key moves. */
const PAN_STEP = 0.12;

export class Stage {
  /**
   * @param {{stage: HTMLElement, canvas: HTMLCanvasElement, divider: HTMLElement}} parts
   * @param {import("./picture.js").Picture} picture
   * @param {object} prefs
   * @param {{moved: () => void, drawn: () => void, chosen: () => void, pointed: (place: number[] | null) => void}} heard
   */
  constructor(parts, picture, prefs, heard) {
    Object.assign(this, { ...parts, picture, prefs, heard });
    this.context = parts.canvas.getContext("2d", { alpha: false });
    this.viewport = new Viewport();
    this.pixelUm = null;
    this.pointers = new Map();
    this.asked = 0;
    new ResizeObserver(() => this.resize()).observe(parts.stage);
    this.#listen();
    this.resize();
  }

  // ---- geometry ----

  resize() {
    const ratio = Math.min(devicePixelRatio || 1, 3);
    const [width, height] = [this.stage.clientWidth, this.stage.clientHeight];
    this.size = [height, width];
    this.ratio = ratio;
    const [w, h] = [Math.max(1, Math.round(width * ratio)), Math.max(1, Math.round(height * ratio))];
    if (this.canvas.width !== w || this.canvas.height !== h) Object.assign(this.canvas, { width: w, height: h });
    this.#layPanes();
    this.draw();
    this.heard.moved();
  }

  /** [{side, left, width, clip: [from, to]}] in screen pixels; both panes show the same place of the field. */
  panes() {
    const width = this.size[1];
    const { layout, divider } = this.prefs;
    if (layout === "side") {
      const half = Math.floor(width / 2);
      return [
        { side: "left", left: 0, width: half, clip: [0, half - 1] },
        { side: "right", left: half, width: width - half, clip: [half + 1, width] },
      ];
    }
    const at = layout === "raw" ? width : layout === "denoised" ? 0 : divider * width;
    return [
      { side: "left", left: 0, width, clip: [0, at] },
      { side: "right", left: 0, width, clip: [at, width] },
    ].filter(({ clip }) => clip[1] > clip[0]);
  }

  #layPanes() {
    const side = this.prefs.layout === "side";
    this.viewport.setPane(this.size[0], side ? Math.floor(this.size[1] / 2) : this.size[1]);
  }

  setLayout(layout) {
    this.prefs.layout = layout;
    this.#layPanes();
    this.draw();
    this.heard.chosen();
    this.heard.moved();
  }

  setDivider(share) {
    this.prefs.divider = Math.min(Math.max(share, 0), 1);
    if (this.prefs.layout !== "split") return this.setLayout("split");
    this.draw();
    this.heard.chosen();
  }

  /** Number of pixels that are worth sending: [height, width]. */
  wanted() {
    const region = this.viewport.region();
    const [h, w] = region ? region.slice(2) : this.viewport.full;
    const scale = this.viewport.scale * this.ratio;
    return region || this.picture.header
      ? [h, w].map((side) => Math.min(Math.max(Math.ceil(side * scale), 16), 4096))
      : this.viewport.pane.map((side) => Math.min(Math.max(Math.round(side * this.ratio), 16), 4096));
  }

  // ---- drawing ----

  /** Draw before the next repaint; several calls are one. */
  draw() {
    if (this.asked) return;
    this.asked = requestAnimationFrame(() => {
      this.asked = 0;
      this.#paint();
      this.heard.drawn();
    });
  }

  #paint() {
    const { context, ratio, size } = this;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.fillStyle = "#000";
    context.fillRect(0, 0, size[1], size[0]);
    if (!this.picture.header) return;
    for (const pane of this.panes()) this.#paintPane(pane);
    this.#layDivider();
  }

  #paintPane(pane) {
    const { context, picture, prefs, ratio } = this;
    const name = pane.side === "left" ? "raw" : this.rightName;
    const shown = picture.has(name) ? picture.grey(name, prefs.maps[name], prefs.contrast[name]) : null;
    context.save();
    context.beginPath();
    context.rect(pane.clip[0], 0, pane.clip[1] - pane.clip[0], this.size[0]);
    context.clip();
    const place = this.#place(pane);
    context.imageSmoothingEnabled = place[2] * ratio < picture.header.width;
    context.imageSmoothingQuality = "high";
    if (shown) context.drawImage(shown, ...place);
    context.imageSmoothingEnabled = false;
    for (const layer of ["segmentation", "trust"]) {
      const { on, opacity } = prefs.overlays[layer];
      if (!on || !picture.has(layer)) continue;
      context.globalAlpha = opacity;
      context.drawImage(picture.labels(layer), ...place);
    }
    context.globalAlpha = 1;
    if (prefs.overlays.outline.on && picture.outline) this.#paintOutline(place);
    context.restore();
  }

  /** The right side shows the uncertainty only where there is one. */
  get rightName() {
    return this.prefs.right === "uncertainty" && this.picture.has("uncertainty") ? "uncertainty" : "denoised";
  }

  #place(pane) {
    const [y, x, h, w] = this.picture.header.region;
    const [left, top] = this.viewport.toPane(y, x);
    return [pane.left + left, top, w * this.viewport.scale, h * this.viewport.scale];
  }

  #paintOutline([left, top, width, height]) {
    const { context, picture } = this;
    const matrix = new DOMMatrix([width / picture.header.width, 0, 0, height / picture.header.height, left, top]);
    const path = new Path2D();
    path.addPath(picture.outline, matrix);
    context.save();
    context.beginPath();
    context.rect(left, top, width, height);
    context.clip();
    context.lineCap = "round";
    for (const [colour, thickness] of [[HALO, 2.6], [OUTLINE, 1.3]]) {
      context.strokeStyle = colour;
      context.lineWidth = thickness;
      context.stroke(path);
    }
    context.restore();
  }

  #layDivider() {
    const { layout, divider } = this.prefs;
    const share = layout === "side" ? 0.5 : divider;
    this.stage.dataset.layout = layout;
    const at = `${(100 * share).toFixed(3)}%`;
    this.divider.style.left = at;
    this.stage.style.setProperty("--at", at);
    this.divider.setAttribute("aria-valuenow", String(Math.round(100 * share)));
    this.divider.setAttribute("aria-valuetext", `${Math.round(100 * share)} % raw`);
  }

  /** {um, px} of a bar of a round length; null where nobody knows the pixel size. */
  scaleBar() {
    if (!this.pixelUm) return null;
    const longest = Math.min(150, this.viewport.pane[1] * 0.3);
    const perUm = this.viewport.scale / this.pixelUm;
    const um = NICE_UM.findLast((length) => length * perUm <= longest) ?? NICE_UM[0];
    return { um: short(um), px: um * perUm };
  }

  // ---- pointer and keys ----

  #listen() {
    this.stage.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    this.stage.addEventListener("pointerdown", (event) => this.#down(event));
    this.stage.addEventListener("pointermove", (event) => this.#move(event));
    for (const kind of ["pointerup", "pointercancel"]) this.stage.addEventListener(kind, (event) => this.#up(event));
    this.stage.addEventListener("pointerleave", () => this.heard.pointed(null));
    this.stage.addEventListener("dblclick", (event) => this.#double(event));
    this.stage.addEventListener("keydown", (event) => this.#key(event));
    this.divider.addEventListener("keydown", (event) => this.#dividerKey(event));
    new MutationObserver(() => this.resize()).observe(this.stage, { attributeFilter: ["data-big"] });
  }

  #local(event) {
    const box = this.canvas.getBoundingClientRect(); // without the border
    const x = event.clientX - box.left;
    const pane = this.panes().find(({ clip }) => x >= clip[0] && x < clip[1]) ?? { left: 0 };
    return { x: x - pane.left, y: event.clientY - box.top, whole: x };
  }

  #changed() {
    this.draw();
    this.heard.moved();
  }

  #wheel(event) {
    if (event.target.closest("#display")) return;
    event.preventDefault();
    const { x, y } = this.#local(event);
    const lines = event.deltaMode === 1 ? 16 : 1;
    this.viewport.zoomAt(Math.exp(-event.deltaY * lines * 0.0022), x, y);
    this.#changed();
  }

  #double(event) {
    if (event.target.closest("button, .display, .divider")) return;
    const { x, y } = this.#local(event);
    if (this.viewport.fitted) this.viewport.zoomAt(3, x, y);
    else this.viewport.fit();
    this.#changed();
  }

  #down(event) {
    if (event.button !== 0 || event.target.closest("button, .display")) return;
    this.stage.setPointerCapture(event.pointerId);
    const what = event.target.closest(".divider") ? "divider" : "field";
    this.pointers.set(event.pointerId, { ...this.#local(event), what });
  }

  #move(event) {
    const now = this.#local(event);
    this.heard.pointed(event.target.closest("#display") ? null : this.viewport.toImage(now.x, now.y));
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    if (before.what === "divider") return this.setDivider(now.whole / this.size[1]);
    const other = [...this.pointers].find(([id, { what }]) => id !== event.pointerId && what === "field")?.[1];
    if (other) this.#pinch(before, now, other);
    else this.viewport.panBy(now.whole - before.whole, now.y - before.y);
    this.pointers.set(event.pointerId, { ...now, what: "field" });
    this.#changed();
  }

  #pinch(before, now, other) {
    const apart = (point) => Math.hypot(point.whole - other.whole, point.y - other.y);
    this.viewport.panBy((now.whole - before.whole) / 2, (now.y - before.y) / 2);
    if (apart(before) > 8) this.viewport.zoomAt(apart(now) / apart(before), (now.x + other.x) / 2, (now.y + other.y) / 2);
  }

  #up(event) {
    this.pointers.delete(event.pointerId);
  }

  #key(event) {
    if (event.target !== this.stage || event.ctrlKey || event.metaKey || event.altKey) return;
    const step = PAN_STEP * Math.min(...this.viewport.pane);
    const pans = { ArrowLeft: [step, 0], ArrowRight: [-step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
    if (!(event.key in pans)) return;
    event.preventDefault();
    this.viewport.panBy(...pans[event.key]);
    this.#changed();
  }

  #dividerKey(event) {
    const steps = { ArrowLeft: -0.02, ArrowDown: -0.02, ArrowRight: 0.02, ArrowUp: 0.02, PageDown: -0.1, PageUp: 0.1 };
    const ends = { Home: 0, End: 1 };
    if (event.key in steps) this.setDivider(this.prefs.divider + steps[event.key]);
    else if (event.key in ends) this.setDivider(ends[event.key]);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  zoom(factor) {
    this.viewport.zoomAt(factor);
    this.#changed();
  }

  fit() {
    this.viewport.fit();
    this.#changed();
  }
}
