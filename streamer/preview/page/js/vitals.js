// Four answers at a glance: is the cell alive, is the picture true, does the computer keep up, how long is left.

import { sentence, worstVerdict } from "./state.js";
import { count, duration, milliseconds, short } from "./words.js";

/** Guards that judge the light of the cell; all others judge the picture. */
const OF_THE_CELL = new Set(["photons", "signal_map"]);
/** Frames that may wait before somebody is told; and seconds over which a queue must grow. */
const WAITING_FINE = 8;
const TREND_S = 6;

const SHAPES = { good: "finished", warning: "warning", bad: "stopped", calm: "info" };

export class Vitals {
  #queue = [];

  constructor(root) {
    const parts = ["cell", "picture", "machine", "left"];
    this.parts = Object.fromEntries(parts.map((name) => [name, root.querySelector(`#vital-${name}`)]));
    this.progress = root.querySelector("#progress");
  }

  /** @param {{snapshot: object | null, left: object | null, state: {key: string, over: boolean}, unsupported: number | null}} known */
  show({ snapshot, left, state, unsupported }) {
    if (!snapshot) return;
    this.#say("cell", cell(snapshot));
    this.#say("picture", picture(snapshot, unsupported));
    this.#say("machine", this.#machine(snapshot, state));
    this.#say("left", { ...remaining(snapshot, left, state), more: left?.words });
    this.progress.hidden = !snapshot.planned;
    if (snapshot.planned) this.progress.value = Math.min(1, snapshot.recorded / snapshot.planned);
  }

  #say(name, { mood, main, sub, more }) {
    const part = this.parts[name];
    setText(part.querySelector(".vital-main span"), main);
    setText(part.querySelector(".vital-sub"), sub);
    part.querySelector(".vital-sub").title = [sub, more].filter(Boolean).join(" · ");
    if (part.dataset.mood === mood) return;
    part.dataset.mood = mood;
    part.querySelector("use").setAttribute("href", `#i-${SHAPES[mood]}`);
  }

  #machine(snapshot, state) {
    const lost = snapshot.dropped ? count(snapshot.dropped, "frame lost", "frames lost") : "none lost";
    const sub = [`${milliseconds(snapshot.lag_ms)} behind`, `${snapshot.waiting} waiting`, ...(snapshot.dropped ? [lost] : [])].join(" · ");
    const short_ = snapshot.dropped ? "warning" : "good";
    if (state.over) return { mood: snapshot.dropped ? "warning" : "calm", main: "Done", sub: `${count(snapshot.processed, "frame", "frames")} processed · ${lost}` };
    const trend = this.#trend(snapshot.waiting);
    if (snapshot.waiting <= WAITING_FINE) return { mood: short_, main: snapshot.dropped ? "Frames lost" : "Keeping up", sub };
    if (trend > 0) return { mood: "warning", main: "Falling behind", sub };
    return { mood: snapshot.dropped ? "warning" : "calm", main: trend < 0 ? "Catching up" : "Behind", sub };
  }

  #trend(waiting) {
    const now = performance.now() / 1000;
    this.#queue.push([now, waiting]);
    while (this.#queue.length > 2 && now - this.#queue[0][0] > TREND_S) this.#queue.shift();
    if (this.#queue.length > 200) this.#queue.splice(0, 100);
    return Math.sign(waiting - this.#queue[0][1]);
  }
}

function cell({ verdicts }) {
  const empty = worstVerdict(verdicts, ({ guard }) => guard === "signal_map");
  const photons = worstVerdict(verdicts, ({ guard }) => guard === "photons") ?? verdicts.find(({ guard }) => guard === "photons");
  if (empty?.status === "reject") return { mood: "bad", main: "No cell in view", sub: sentence(empty.meaning) };
  if (!photons) return { mood: "calm", main: "–", sub: "photons are not watched in this run" };
  const { measured, limit, status, meaning } = photons;
  if (measured === null) return { mood: status === "pass" ? "calm" : "warning", main: "Learning", sub: sentence(meaning) };
  const sub = limit ? `${short(measured)} photons · needs ${short(limit)}` : `${short(measured)} photons`;
  if (status === "reject") return { mood: "bad", main: "Too dim", sub };
  if (status === "flag" || (limit && measured < 1.25 * limit)) return { mood: "warning", main: "Getting dim", sub };
  return { mood: "good", main: "Bright", sub };
}

function picture({ verdicts }, unsupported) {
  const judged = verdicts.filter(({ guard }) => !OF_THE_CELL.has(guard));
  const worst = worstVerdict(judged);
  const similarity = judged.find(({ guard }) => guard === "similarity");
  if (worst) return { mood: worst.status === "reject" ? "bad" : "warning", main: worst.status === "reject" ? "Do not trust" : "In doubt", sub: sentence(worst.meaning) };
  const light = worstVerdict(verdicts, ({ guard, status }) => OF_THE_CELL.has(guard) && status === "reject");
  if (light) return { mood: "bad", main: "Do not trust", sub: light.guard === "photons" ? "Too little light to draw from" : "There is nothing to draw" };
  if (!judged.length) return { mood: "calm", main: "–", sub: "nothing judges the picture in this run" };
  if (similarity && similarity.measured === null) return { mood: "calm", main: "Learning", sub: sentence(similarity.meaning) };
  if (unsupported !== null) return { mood: "good", main: "No doubts", sub: `${(100 * unsupported).toFixed(0)} % unsupported by light` };
  const limit = similarity?.limit ? ` · limit ${similarity.limit.toFixed(2)}` : "";
  const sub = similarity ? `similarity ${similarity.measured.toFixed(2)}${limit}` : count(judged.length, "check passed", "checks passed");
  return { mood: "good", main: "No doubts", sub };
}

/** Until the planned end, or until the light is too weak where that comes first. */
function remaining(snapshot, left, state) {
  const done = snapshot.planned
    ? `${snapshot.recorded.toLocaleString("en-GB")} of ${snapshot.planned.toLocaleString("en-GB")} frames`
    : count(snapshot.recorded, "frame", "frames");
  if (state.over) return { mood: "calm", main: "Ended", sub: `${done} in ${duration(snapshot.elapsed_s)}` };
  if (state.key === "paused") return { mood: "calm", main: "Paused", sub: done };
  const planned = snapshot.planned && snapshot.fps > 0 ? Math.max(0, snapshot.planned - snapshot.recorded) / snapshot.fps : Infinity;
  const light = left?.seconds ?? Infinity;
  if (state.key === "stopping") return { mood: "calm", main: "Ending", sub: done };
  if (light <= 0) return { mood: "bad", main: "No light left", sub: done };
  if (light < planned) return { mood: snapshot.planned ? "warning" : "calm", main: `~ ${duration(light)}`, sub: `of light · ${done}` };
  if (planned < Infinity) return { mood: "calm", main: duration(planned), sub: done };
  return { mood: "calm", main: snapshot.planned ? "–" : "Open end", sub: left?.words ? `${done} · ${left.words}` : done };
}

export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
