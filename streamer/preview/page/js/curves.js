// Curves as the server sends them, bounded, and sorted into the charts that people look at.

/** A curve longer than the first is thinned to the second: the page's memory stays flat over any run. */
export const POINTS_MAX = 800;
const POINTS_KEPT = 600;

/** The charts in their order; a curve belongs to the first whose words it has. */
const CHARTS = [
  { key: "photons", title: "Photons", has: /^photons/, limit: "floor", zero: true },
  { key: "similarity", title: "Similarity", has: /^similarity/, limit: "limit" },
  { key: "resolution", title: "Resolution", has: /resolution/, limit: "limit" },
  { key: "dose", title: "Light dose", has: /^dose/, limit: "limit", zero: true, axes: 2 },
  { key: "lag", title: "Lag, queue", has: /^(lag|waiting|queue)/, limit: "limit", zero: true, axes: 2 },
  { key: "latency", title: "Time per step", has: /^(latency|stage|timing)/, limit: "limit", zero: true },
];

export class Curves {
  #all = new Map();

  constructor() {
    this.view = ""; // what is looked at, as curves name it: "position 2, channel red"
  }

  /** Whole curves in place of all that were known. */
  replace(curves) {
    this.#all.clear();
    for (const curve of curves ?? []) this.#all.set(curve.key, fresh(curve));
  }

  /** New points of curves; those of a curve that is not known begin one. */
  add(points) {
    for (const point of points ?? []) {
      const curve = this.#all.get(point.key) ?? fresh({ key: point.key, name: point.key });
      this.#all.set(point.key, curve);
      for (const part of ["seq", "time_s", "value", "limit"]) append(curve[part], point[part]);
      if (curve.seq.length > POINTS_MAX) thin(curve);
    }
  }

  /** [{chart, curves}] of what there is to draw. */
  charts() {
    const sorted = CHARTS.map((chart) => ({ chart, curves: [] }));
    for (const curve of this.#all.values()) {
      const place = chartOf(curve);
      if (place >= 0 && curve.seq.length) sorted[place].curves.push(curve);
    }
    return sorted.filter(({ curves }) => curves.length).map(({ chart, curves }) => ({ chart, curves: ofOneView(curves, this.view) }));
  }

  get points() {
    let sum = 0;
    for (const curve of this.#all.values()) sum += curve.seq.length;
    return sum;
  }

  first(key) {
    return this.charts().find(({ chart }) => chart.key === key)?.curves[0] ?? null;
  }
}

/** By its name, else by the group it belongs to: a step of the processing is called after what it does. */
function chartOf(curve) {
  const named = CHARTS.findIndex(({ has }) => has.test(curve.name));
  return named >= 0 ? named : CHARTS.findIndex(({ has }) => has.test(curve.group));
}

/** What a run judges by position, channel or z is shown of the one that is looked at. */
function ofOneView(curves, view) {
  const views = new Set(curves.map((curve) => curve.view));
  if (views.size < 2) return curves;
  const wanted = views.has(view) ? view : curves[0].view;
  return curves.filter((curve) => curve.view === wanted);
}

function fresh(told) {
  const list = (values) => (Array.isArray(values) ? values.slice() : []);
  const curve = {
    key: told.key,
    name: String(told.name ?? told.key),
    group: String(told.group ?? ""),
    view: String(told.view ?? ""),
    unit: String(told.unit ?? ""),
    seq: list(told.seq),
    time_s: list(told.time_s),
    value: list(told.value),
    limit: list(told.limit),
  };
  if (curve.seq.length > POINTS_MAX) thin(curve);
  return curve;
}

function append(list, value) {
  if (Array.isArray(value)) list.push(...value);
  else list.push(value ?? null);
}

/**
 * Of each of as many equal parts of the run the lowest and the highest point stay, in their order: nothing that
 * stands out is lost, and the first hour stays as fine as the last.
 */
function thin(curve) {
  const first = curve.seq[0];
  const frames = curve.seq.at(-1) - first + 1;
  const parts = POINTS_KEPT / 2;
  const kept = [];
  let [low, high, part] = [0, 0, 0];
  const keep = () => kept.push(...(low === high ? [low] : [Math.min(low, high), Math.max(low, high)]));
  curve.seq.forEach((seq, i) => {
    const its = Math.floor(((seq - first) * parts) / frames);
    if (its !== part) {
      keep();
      [low, high, part] = [i, i, its];
    } else if (curve.value[i] !== null) {
      if (curve.value[low] === null || curve.value[i] < curve.value[low]) low = i;
      if (curve.value[high] === null || curve.value[i] > curve.value[high]) high = i;
    }
  });
  keep();
  for (const name of ["seq", "time_s", "value", "limit"]) curve[name] = kept.map((i) => curve[name][i]);
}
