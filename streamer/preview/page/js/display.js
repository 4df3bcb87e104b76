// Contrast and colour map of each layer, with its histogram.

import { COLOUR_MAPS } from "./colormaps.js";
import { byteOf } from "./picture.js";
import { short } from "./words.js";

const TITLES = { raw: "Raw", denoised: "Denoised", uncertainty: "Uncertainty" };
/** Steps of a slider; they follow the square root, as the pixels do. */
const STEPS = 1000;

export class Display {
  /**
   * @param {HTMLElement} host
   * @param {import("./picture.js").Picture} picture
   * @param {object} prefs
   * @param {() => void} chosen
   */
  constructor(host, picture, prefs, chosen) {
    Object.assign(this, { host, picture, prefs, chosen, counts: new Float64Array(256) });
    this.layers = Object.keys(TITLES).map((name) => this.#layer(name));
    this.right = select("right-side", "Right side", ["denoised", "uncertainty"], prefs.right, (value) => {
      prefs.right = value;
      chosen();
    });
    host.append(this.right.label, ...this.layers.map(({ box }) => box));
  }

  toggle(open = this.host.hidden) {
    this.host.hidden = !open;
    const button = document.getElementById("display-open");
    button.setAttribute("aria-expanded", String(open));
    if (open) this.refresh();
    return open;
  }

  /** Follow the picture that is shown. */
  refresh() {
    if (this.host.hidden) return;
    for (const layer of this.layers) {
      const there = this.picture.has(layer.name);
      layer.box.hidden = !there;
      if (there) this.#follow(layer);
    }
  }

  nextMap() {
    const now = COLOUR_MAPS.indexOf(this.prefs.maps.denoised);
    const next = COLOUR_MAPS[(now + 1) % COLOUR_MAPS.length];
    for (const layer of this.layers) if (layer.name !== "uncertainty") this.#setMap(layer, next);
    return next;
  }

  autoAll() {
    for (const { name } of this.layers) this.prefs.contrast[name] = null;
    this.refresh();
    this.chosen();
  }

  #layer(name) {
    const box = Object.assign(document.createElement("fieldset"), { className: "layer" });
    const legend = Object.assign(document.createElement("legend"), { textContent: TITLES[name] });
    const map = select(`map-${name}`, "Colours", COLOUR_MAPS, this.prefs.maps[name], (value) => this.#setMap(layer, value));
    const auto = Object.assign(document.createElement("input"), { type: "checkbox", id: `auto-${name}` });
    const autoLabel = Object.assign(document.createElement("label"), { className: "chip" });
    autoLabel.append(auto, "auto");
    const drawing = Object.assign(document.createElement("canvas"), { className: "histogram", width: 256, height: 40 });
    drawing.setAttribute("aria-hidden", "true");
    const low = slider(`low-${name}`, `${TITLES[name]}: black at`);
    const high = slider(`high-${name}`, `${TITLES[name]}: white at`);
    box.append(legend, map.label, autoLabel, drawing, low.label, high.label);
    const layer = { name, box, map, auto, drawing, low, high };
    auto.addEventListener("change", () => {
      this.prefs.contrast[name] = auto.checked ? null : [...this.picture.autoRange(name)];
      this.#follow(layer);
      this.chosen();
    });
    for (const side of [low, high]) side.input.addEventListener("input", () => this.#slid(layer, side));
    return layer;
  }

  #setMap(layer, value) {
    this.prefs.maps[layer.name] = value;
    layer.map.input.value = value;
    this.chosen();
  }

  #slid(layer, side) {
    const [lowest, highest] = this.picture.span(layer.name);
    const at = (input) => lowest + (Number(input.value) / STEPS) ** 2 * (highest - lowest);
    const least = (highest - lowest) / 1000 || 1;
    let [low, high] = [at(layer.low.input), at(layer.high.input)];
    if (side === layer.low) high = Math.max(high, low + least);
    else low = Math.min(low, high - least);
    this.prefs.contrast[layer.name] = [low, high];
    this.#follow(layer);
    this.chosen();
  }

  #follow(layer) {
    const { name } = layer;
    const fixed = this.prefs.contrast[name];
    const [low, high] = fixed ?? this.picture.autoRange(name);
    const [lowest, highest] = this.picture.span(name);
    layer.auto.checked = fixed === null;
    for (const [side, value] of [[layer.low, low], [layer.high, high]]) {
      const share = Math.min(Math.max((value - lowest) / (highest - lowest || 1), 0), 1);
      if (document.activeElement !== side.input || fixed === null) side.input.value = String(Math.round(STEPS * Math.sqrt(share)));
      side.output.textContent = short(value);
      side.input.setAttribute("aria-valuetext", short(value));
    }
    this.#drawHistogram(layer, low, high);
  }

  #drawHistogram({ name, drawing }, low, high) {
    const { meta } = this.picture.planes.get(name);
    const counts = this.picture.histogram(name, this.counts);
    const top = Math.log1p(counts.slice(1).reduce((most, each) => Math.max(most, each), 1));
    const context = drawing.getContext("2d");
    context.clearRect(0, 0, 256, 40);
    const [from, to] = [byteOf(meta, low), byteOf(meta, high)];
    for (let level = 0; level < 256; level++) {
      const tall = Math.min(40, (40 * Math.log1p(counts[level])) / top);
      context.fillStyle = level >= from && level <= to ? "#7fa8c9" : "#3a4755";
      context.fillRect(level, 40 - tall, 1, tall);
    }
    context.fillStyle = "#f2b84b";
    for (const place of [from, to]) context.fillRect(Math.min(Math.max(place, 0), 255), 0, 1, 40);
  }
}

function select(id, words, options, value, changed) {
  const label = Object.assign(document.createElement("label"), { className: "field", htmlFor: id });
  const input = Object.assign(document.createElement("select"), { id });
  for (const option of options) input.append(new Option(option, option, false, option === value));
  input.addEventListener("change", () => changed(input.value));
  label.append(words, input);
  return { label, input };
}

function slider(id, words) {
  const label = Object.assign(document.createElement("label"), { className: "field", htmlFor: id });
  const input = Object.assign(document.createElement("input"), { type: "range", id, min: "0", max: String(STEPS) });
  const output = document.createElement("output");
  input.setAttribute("aria-label", words);
  label.append(words.replace(/^.*: /, ""), input, output);
  return { label, input, output };
}
