// Small charts of the run, drawn by uPlot; a click looks back to that moment.

import { clock, milliseconds, short } from "./words.js";

const LINES = ["#5ec8f2", "#f2b84b", "#c79be8", "#5fd3a6", "#e88bb3", "#a9b665", "#d0d7de"];
const LIMIT = "#ff8a5c";
const BAND = "rgba(94, 200, 242, 0.16)";
const MEDIAN = "rgba(94, 200, 242, 0.75)";
const AXIS = "#8493a3";
const GRID = "rgba(132, 147, 163, 0.13)";
const FONT = '10px system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif';
/** Least time between two drawings: the charts are for minutes and hours, the processor is for the picture. */
const REDRAW_MS = 500;

export class Charts {
  #charts = new Map();
  #layout = "";
  #timer = 0;
  #drawnAt = 0;

  /**
   * @param {HTMLElement} host
   * @param {import("./curves.js").Curves} curves
   * @param {{picked: (seq: number) => void, marks: () => {time_s: number, kind: string}[]}} heard
   */
  constructor(host, curves, heard) {
    Object.assign(this, { host, curves, heard, forecast: null, big: null });
    new ResizeObserver(() => this.changed(true)).observe(host);
    document.addEventListener("visibilitychange", () => this.changed());
  }

  /** Draw soon. */
  changed(atOnce = false) {
    if (this.#timer || document.hidden) return;
    const wait = atOnce ? 0 : Math.max(0, this.#drawnAt + REDRAW_MS - performance.now());
    this.#timer = setTimeout(() => {
      this.#timer = 0;
      this.#drawnAt = performance.now();
      this.#draw();
    }, wait);
  }

  #draw() {
    const wanted = this.curves.charts();
    const layout = wanted.map(({ chart, curves }) => [chart.key, ...curves.map((c) => c.key)].join("|")).join("/");
    if (layout !== this.#layout) this.#lay(wanted);
    this.#layout = layout;
    for (const { chart, curves } of wanted) {
      const known = this.#charts.get(chart.key);
      known.curves = curves;
      this.#refresh(known);
      if (this.big?.definition.key === chart.key) this.#refresh(Object.assign(this.big, { curves }));
    }
  }

  #lay(wanted) {
    for (const known of this.#charts.values()) known.plot.destroy();
    this.#charts.clear();
    this.host.replaceChildren();
    this.host.dataset.count = String(wanted.length);
    for (const { chart, curves } of wanted) {
      const figure = this.#figure(chart, curves);
      this.host.append(figure.frame);
      this.#charts.set(chart.key, this.#build(chart, curves, figure));
    }
  }

  #figure(chart, curves) {
    const frame = element("figure", "chart");
    frame.dataset.chart = chart.key;
    const caption = element("figcaption", "chart-head");
    const title = element("button", "chart-title");
    title.type = "button";
    title.textContent = chart.title;
    title.title = `${chart.title}: show larger`;
    title.addEventListener("click", () => this.enlarge(chart.key));
    const unit = element("span", "chart-unit");
    unit.textContent = sharedUnit(curves);
    const values = element("span", "chart-values");
    caption.append(title, unit, values);
    const body = element("div", "chart-body");
    frame.append(caption, body);
    return { frame, values, body };
  }

  #build(definition, curves, figure) {
    const chart = { definition, curves, ...figure, plot: null };
    const data = this.#data(chart);
    chart.plot = new uPlot(this.#options(chart), data, chart.body);
    return chart;
  }

  #refresh(chart) {
    const [width, height] = [chart.body.clientWidth, chart.body.clientHeight];
    if (width < 40 || height < 30) return;
    if (chart.plot.width !== width || chart.plot.height !== height) chart.plot.setSize({ width, height });
    chart.plot.setData(this.#data(chart));
    this.#say(chart, null);
  }

  /** Columns on one time axis: of each curve its values and limits, then low, high and median of the forecast. */
  #data(chart) {
    const tables = chart.curves.map((curve) => [curve.time_s, curve.value, curve.limit]);
    if (chart.definition.key === "photons") tables.push(this.#ahead(chart.curves[0]));
    return tables.length === 1 ? tables[0] : uPlot.join(tables);
  }

  #ahead(curve) {
    const forecast = this.forecast;
    if (!forecast || (forecast.key && forecast.key !== curve.key)) return [[], [], [], []];
    const last = curve.seq.length - 1;
    const from = Math.max(0, last - 200);
    const perFrame = (curve.time_s[last] - curve.time_s[from]) / (curve.seq[last] - curve.seq[from]) || 0;
    const until = curve.time_s[last] * 1.35 + 5; // more would squeeze what was measured
    const times = forecast.seq.map((seq) => curve.time_s[last] + (seq - curve.seq[last]) * perFrame);
    const kept = times.map((time, i) => i).filter((i) => times[i] <= until && (i === 0 || times[i] > times[i - 1]));
    const pick = (list) => kept.map((i) => list[i]);
    return [pick(times), pick(forecast.low), pick(forecast.high), pick(forecast.median)];
  }

  #options(chart) {
    const { definition, curves } = chart;
    const two = definition.axes === 2 && curves.length > 1;
    const scaleOf = (i) => (two && i > 0 && !sameUnit(curves[0], curves[i], definition) ? "y2" : "y");
    const series = [{ value: (_, time) => clock(time) }];
    curves.forEach((curve, i) => {
      series.push({ label: curve.name, scale: scaleOf(i), stroke: LINES[i % LINES.length], width: scaleOf(i) === "y2" ? 1 : 1.4, points: { show: false } });
      series.push({ label: definition.limit, scale: scaleOf(i), stroke: LIMIT, width: 1.2, dash: [5, 4], points: { show: false } });
    });
    const bands = [];
    if (definition.key === "photons") {
      const low = series.length;
      const none = { scale: "y", stroke: "transparent", width: 0, points: { show: false } };
      series.push({ ...none, label: "low" }, { ...none, label: "high" });
      series.push({ label: "forecast", scale: "y", stroke: MEDIAN, width: 1.2, dash: [2, 3], points: { show: false } });
      bands.push({ series: [low + 1, low], fill: BAND });
    }
    const range = (_, low, high) => padded(low, high, definition.zero);
    const right = curves.some((_, i) => scaleOf(i) === "y2");
    const axis = { stroke: AXIS, font: FONT, grid: { stroke: GRID, width: 1 }, ticks: { show: false } };
    return {
      width: Math.max(40, chart.body.clientWidth),
      height: Math.max(30, chart.body.clientHeight),
      padding: [5, right ? 2 : 13, 0, 0],
      legend: { show: false },
      cursor: { sync: { key: "run" }, points: { size: 5 }, drag: { x: false, y: false }, y: false },
      scales: { x: { time: false }, y: { range }, ...(right ? { y2: { range } } : {}) },
      series,
      bands,
      axes: [
        { ...axis, size: 21, gap: 5, space: 54, values: (_, ticks) => ticks.map((tick) => clock(tick)) },
        { ...axis, size: 38, gap: 3, space: 22, values: (_, ticks) => ticks.map(tickWords) },
        ...(right ? [{ ...axis, scale: "y2", side: 1, size: 36, gap: 3, space: 22, grid: { show: false }, stroke: LINES[1], values: (_, ticks) => ticks.map(tickWords) }] : []),
      ],
      hooks: {
        draw: [(plot) => this.#paintMarks(plot)],
        setCursor: [(plot) => this.#say(chart, plot.cursor.left >= 0 ? plot.cursor.idx : null)],
        ready: [(plot) => plot.over.addEventListener("click", () => this.#pick(chart, plot))],
      },
    };
  }

  #pick(chart, plot) {
    const time = plot.cursor.left >= 0 ? plot.posToVal(plot.cursor.left, "x") : null;
    const curve = chart.curves[0];
    if (time === null || !curve.seq.length) return;
    let nearest = 0;
    curve.time_s.forEach((each, i) => {
      if (Math.abs(each - time) < Math.abs(curve.time_s[nearest] - time)) nearest = i;
    });
    this.heard.picked(curve.seq[nearest]);
  }

  #paintMarks(plot) {
    const { ctx, bbox } = plot;
    ctx.save();
    for (const { time_s: time, kind } of this.heard.marks()) {
      const x = Math.round(plot.valToPos(time, "x", true)) + 0.5;
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      ctx.strokeStyle = { shown: "#ffd479", alarm: "#ff8a5c", mark: "#c79be8" }[kind] ?? AXIS;
      ctx.setLineDash(kind === "shown" ? [] : [3, 3]);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
    }
    ctx.restore();
  }

  /** The values at a place of the time axis, or the newest ones. */
  #say(chart, place) {
    if (!chart.plot) return;
    const { data } = chart.plot;
    chart.values.replaceChildren();
    chart.curves.forEach((curve, i) => {
      const column = data[1 + 2 * i] ?? [];
      const value = place === null ? lastKnown(curve.value) : column[place];
      const limit = place === null ? lastKnown(curve.limit) : data[2 + 2 * i]?.[place];
      chart.values.append(...valueWords(chart, curve, i, value, limit));
    });
    if (place !== null && data[0][place] !== undefined) {
      const at = element("span", "chart-at");
      at.textContent = clock(data[0][place]);
      chart.values.prepend(at);
    }
  }

  enlarge(key) {
    const known = this.#charts.get(key);
    const dialog = document.getElementById("chart-big");
    const unit = sharedUnit(known.curves);
    document.getElementById("chart-big-title").textContent = unit ? `${known.definition.title}, ${unit}` : known.definition.title;
    const host = document.getElementById("chart-big-body");
    const values = element("p", "chart-values");
    const body = element("div", "chart-body");
    host.replaceChildren(values, body);
    dialog.showModal();
    this.big = this.#build(known.definition, known.curves, { frame: host, values, body });
    this.#say(this.big, null);
    dialog.addEventListener("close", () => this.#shrink(), { once: true });
  }

  #shrink() {
    this.big?.plot.destroy();
    this.big = null;
  }
}

function valueWords(chart, curve, i, value, limit) {
  const many = chart.curves.length > 1;
  const item = element("span", "chart-value");
  const dash = element("i", `dash dash-${i % LINES.length}`);
  const name = many ? `${shortName(curve, chart.definition)} ` : "";
  item.append(dash, `${name}${valueText(value, curve)}${unitWords(curve, many)}`);
  item.title = [curve.name, curve.view, curve.unit].filter(Boolean).join(", ");
  if (limit === null || limit === undefined) return [item];
  const other = element("span", "chart-value");
  other.append(element("i", "dash dash-limit"), `${chart.definition.limit} ${short(limit)}`);
  return [item, other];
}

/** "dose excitation 640 nm" -> "640 nm": there is little room. */
function shortName(curve, definition) {
  if (definition.key !== "dose") return curve.name;
  return curve.name.match(/\d+ nm/)?.[0] ?? curve.name.replace(/^dose /, "");
}

function valueText(value, { unit }) {
  return unit === "ms" && value !== null && value !== undefined ? milliseconds(value) : short(value);
}

function unitWords({ unit }, many) {
  if (many || !unit || unit === "ms" || unit.includes("photons")) return "";
  return ` ${unit.replace("uJ", "µJ")}`;
}

/** The unit of several curves in one chart, where their values do not have it. */
function sharedUnit(curves) {
  const [first, ...others] = curves;
  return others.length && others.every(({ unit }) => unit === first.unit) ? unitWords(first, false).trim() : "";
}

function sameUnit(a, b, definition) {
  if (definition.key !== "dose") return a.unit === b.unit;
  const [one, two] = [lastKnown(a.value) ?? 0, lastKnown(b.value) ?? 0];
  return a.unit === b.unit && one > 0 && two > 0 && Math.max(one / two, two / one) < 20;
}

function lastKnown(values) {
  return values.findLast((value) => value !== null && value !== undefined) ?? null;
}

function padded(low, high, zero) {
  if (low === null || high === null) return [0, 1];
  const from = zero && low >= 0 ? 0 : low;
  const room = (high - from) * 0.08 || Math.abs(high) * 0.1 || 1;
  return [from === 0 && zero ? 0 : from - room, high + room];
}

function tickWords(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e5 || size < 1e-3) return Number(value.toPrecision(3)).toExponential().replace("e+", "e");
  return size >= 10_000 ? `${value / 1000}k` : String(Number(value.toPrecision(4)));
}

function element(tag, className) {
  const made = document.createElement(tag);
  made.className = className;
  return made;
}
