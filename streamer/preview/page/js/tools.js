// The tool row and the words on the picture: choices, overlays, layouts, zoom, legend, scale bar, readout.

import { clock, duration, short } from "./words.js";
import { setText } from "./vitals.js";

const $ = (id) => document.getElementById(id);
const AXES = { position: "Position", channel: "Channel", z: "Height z" };
const OVERLAYS = ["segmentation", "trust", "outline"];
const NO_STRUCTURE = "background";

export class Tools {
  #legend = {};
  #chosen = { position: null, channel: null, z: null };

  /** @param {{stage: object, picture: object, prefs: object, display: object, chosen: () => void, view: (view: object) => void}} parts */
  constructor(parts) {
    Object.assign(this, parts);
    for (const button of document.querySelectorAll("[data-layout][role=radio]")) {
      button.addEventListener("click", () => this.stage.setLayout(button.dataset.layout));
    }
    $("zoom-in").addEventListener("click", () => this.stage.zoom(1.4));
    $("zoom-out").addEventListener("click", () => this.stage.zoom(1 / 1.4));
    $("zoom-fit").addEventListener("click", () => this.stage.fit());
    $("display-open").addEventListener("click", () => this.display.toggle());
    for (const name of OVERLAYS) this.#listen(name);
    this.follow();
  }

  #listen(name) {
    $(`on-${name}`).addEventListener("change", () => this.toggle(name));
    const opacity = $(`op-${name}`);
    opacity?.addEventListener("input", () => {
      Object.assign(this.prefs.overlays[name], { opacity: Number(opacity.value) / 100, on: true });
      this.chosen();
    });
  }

  toggle(name) {
    this.prefs.overlays[name].on = !this.prefs.overlays[name].on;
    this.chosen();
  }

  /** What there is to choose from; a choice of one is none. */
  offer(views, legend) {
    if (legend) this.#legend = legend;
    if (!views) return;
    const lists = { position: views.positions ?? [], channel: views.channels ?? [], z: views.z ?? [] };
    const key = JSON.stringify(lists);
    if (key === this.offered) return;
    this.offered = key;
    const made = Object.entries(lists).filter(([, values]) => values.length > 1);
    $("choices").replaceChildren(...made.map(([axis, values]) => this.#choice(axis, values)));
    for (const [axis, values] of Object.entries(lists)) {
      if (!values.includes(this.#chosen[axis])) this.#chosen[axis] = values[0] ?? null;
    }
    this.view({ ...this.#chosen });
  }

  #choice(axis, values) {
    const label = Object.assign(document.createElement("label"), { className: "field" });
    const select = document.createElement("select");
    values.forEach((value, i) => select.append(new Option(value === "" ? "one" : String(value), String(i))));
    select.value = String(Math.max(0, values.indexOf(this.#chosen[axis])));
    select.id = `choose-${axis}`;
    select.addEventListener("change", () => {
      this.#chosen[axis] = values[Number(select.value)];
      this.view({ ...this.#chosen });
    });
    label.append(AXES[axis], select);
    return label;
  }

  /** Bring the row and the words on the picture up to date. */
  follow() {
    const { prefs, picture } = this;
    for (const button of document.querySelectorAll("[data-layout][role=radio]")) {
      button.setAttribute("aria-checked", String(button.dataset.layout === prefs.layout));
    }
    for (const name of OVERLAYS) {
      $(`on-${name}`).checked = prefs.overlays[name].on;
      const opacity = $(`op-${name}`);
      if (!opacity) continue;
      opacity.value = String(Math.round(100 * prefs.overlays[name].opacity));
      opacity.disabled = !prefs.overlays[name].on;
    }
    const { scale, fitScale, fitted } = this.stage.viewport;
    $("stage").dataset.fitted = String(fitted);
    setText($("zoom-value"), fitted ? "fit" : `${(scale / fitScale).toFixed(1)}×`);
    setText($("label-right"), this.stage.rightName);
    $("empty").hidden = picture.header !== null;
    this.#scaleBar();
    this.#legendRow();
  }

  #scaleBar() {
    const bar = this.picture.header ? this.stage.scaleBar() : null;
    $("scale").hidden = !bar;
    if (!bar) return;
    setText($("scale-text"), `${bar.um} µm`);
    $("scale-bar").style.width = `${bar.px.toFixed(1)}px`;
  }

  #legendRow() {
    const { overlays } = this.prefs;
    const wanted = [
      ...(overlays.segmentation.on ? names(this.#legend.segmentation, "seg") : []),
      ...(overlays.trust.on ? names(this.#legend.trust, "trust") : []),
      ...(overlays.outline.on && !overlays.trust.on ? [["outline", "unsupported by light"]] : []),
    ];
    const key = JSON.stringify(wanted);
    if (key === this.legendKey) return;
    this.legendKey = key;
    $("legend").replaceChildren(...wanted.map(([swatch, words]) => legendItem("li", swatch, words)));
  }

  /** The same colours with words, for the help. */
  legendInWords(legend) {
    const section = document.createElement("section");
    section.append(Object.assign(document.createElement("h3"), { textContent: "Colours on the picture" }));
    const rows = [...names(legend?.segmentation, "seg"), ...names(legend?.trust, "trust"), ["outline", "outline: drawn, but no light supports it"]];
    section.append(...rows.map(([swatch, words]) => legendItem("p", swatch, words)));
    return section;
  }

  /** Which frame is on show, and from when. */
  when(header, lookedAt, { snapshot, state, run }) {
    const looking = lookedAt !== null;
    $("back-to-live").hidden = !looking;
    setText($("back-to-live"), state.over ? "Back to the last" : "Back to live");
    $("when").dataset.looking = String(looking);
    document.body.dataset.looking = String(looking);
    if (!header) return;
    const frame = `frame ${header.seq}`;
    const at = Number.isFinite(header.time_s) ? ` · ${clock(header.time_s)}` : "";
    const behind = looking && snapshot?.elapsed_s > header.time_s ? ` · ${duration(snapshot.elapsed_s - header.time_s)} ago` : "";
    const drawn = Number.isInteger(header.labels_seq) ? ` · structure of frame ${header.labels_seq}` : "";
    const what = looking ? "Looking back" : state.over || state.key === "lost" ? "Last image" : "Live";
    setText($("when-text"), `${what} · ${frame}${drawn}${at}${behind}${run?.simulated && !looking ? " · simulated" : ""}`);
    const canvas = $("canvas");
    canvas.setAttribute("aria-label", `${what}, ${frame}${at}: raw on the left, ${this.stage.rightName} on the right`);
  }

  /** Values of the picture at a place [y, x] of the field. */
  point(place) {
    const { picture } = this;
    const raw = place && picture.valueAt("raw", ...place);
    if (raw === null || raw === undefined) return setText($("readout"), "");
    const um = this.stage.pixelUm;
    const where = place.slice().reverse().map((each) => (um ? (each * um).toFixed(2) : Math.floor(each)));
    const parts = [`${where.join(", ")} ${um ? "µm" : "px"}`, `raw ${short(raw)}`];
    const denoised = picture.valueAt("denoised", ...place);
    if (denoised !== null) parts.push(`denoised ${short(denoised)}`);
    const spread = picture.valueAt("uncertainty", ...place);
    if (spread !== null) parts.push(`± ${short(spread)}`);
    for (const layer of ["segmentation", "trust"]) {
      const label = picture.valueAt(layer, ...place);
      if (label) parts.push(this.#legend[layer]?.[label] ?? `${layer} ${label}`);
      else if (label === 0 && layer === "segmentation") parts.push(NO_STRUCTURE);
    }
    setText($("readout"), parts.join("  ·  "));
  }
}

function names(table, kind) {
  return Object.entries(table ?? {}).map(([label, words]) => [`${kind}-${label}`, words]);
}

function legendItem(tag, swatch, words) {
  const item = document.createElement(tag);
  item.className = "legend-item";
  const colour = document.createElement("i");
  colour.className = `swatch sw-${swatch}`;
  item.append(colour, words);
  return item;
}
