// Four answers at a glance: is the cell alive, is the picture true, does the computer keep up, how long is left.

import { cell, picture } from "./judge.js";
import { count, duration, milliseconds, roughly } from "./words.js";

/** Frames that may wait before somebody is told; and seconds over which a queue must grow. */
const WAITING_FINE = 8;
/** A lag that is fine while frames wait; where none waits, a slow computer still keeps up. */
const LAG_FINE_MS = 3000;
const TREND_S = 6;
const ENDING = new Set(["stopping", "stopped", "left"]);
const UNKNOWN = new Set(["lost", "connecting"]);
/** Runs that ended without a word: the microscope may have sent more than is recorded. */
const BROKEN = new Set(["left", "failed"]);
const NOT_KNOWN = "what was sent and not recorded is not known here";
const SHAPES = { good: "finished", warning: "warning", bad: "stopped", calm: "info" };

/**
 * The answers, as {cell, picture, machine, left}, each {mood, main, sub, more}.
 *
 * @param {{snapshot: object, left: object | null, state: {key: string, over: boolean}, judged: object[],
 *          shares: object | null, guardStop: string, trend: number}} known
 */
export function answers({ snapshot, left, state, judged, shares, guardStop, trend }) {
  const { seq } = snapshot;
  const stopped = ENDING.has(state.key) && snapshot.decision?.action === "stop" ? (guardStop ?? "") : "";
  // The forecast counts from the newest frame that was judged, and the camera is ahead of it by the lag.
  const lightLeft = Number.isFinite(left?.seconds) ? left.seconds - (snapshot.lag_ms ?? 0) / 1000 : Infinity;
  const found = {
    cell: cell({ judged, seq, stopped, lightLeft: state.over ? Infinity : lightLeft }),
    picture: picture({ judged, shares, seq, stopped }),
    machine: machine(snapshot, state, trend),
  };
  found.left = { ...remaining(snapshot, lightLeft, state, found.cell), more: left?.words };
  if (BROKEN.has(state.key)) return { ...found, cell: past(found.cell, lastOf(seq)), picture: past(found.picture, lastOf(seq)) };
  return UNKNOWN.has(state.key) ? unheard(found, seq) : found;
}

/** What was well before is no more than calm now. */
function past(answer, since) {
  return answer.mood === "good" ? { ...answer, mood: "calm", sub: since } : answer;
}

function lastOf(seq) {
  return `at frame ${seq}, the last recorded`;
}

/** Without news everything is of before: nothing may look well, and nothing goes on counting. */
function unheard(found, seq) {
  const since = seq >= 0 ? `last heard at frame ${seq}` : "nothing heard yet";
  const unknown = { mood: "calm", main: "Unknown", sub: since };
  return { cell: past(found.cell, since), picture: past(found.picture, since), machine: unknown, left: unknown };
}

function machine(snapshot, state, trend) {
  const { waiting, dropped } = snapshot;
  const passedOver = Math.max(0, snapshot.recorded - snapshot.processed);
  const broken = BROKEN.has(state.key);
  const lost = [dropped ? count(dropped, "frame lost", "frames lost") : broken ? "" : "none lost", broken ? NOT_KNOWN : ""];
  const skipped = passedOver ? [`${passedOver} not denoised`] : [];
  const words = dropped ? "Frames lost" : passedOver ? "Skipping frames" : "";
  const mood = words ? "warning" : "calm";
  const done = [`${number(snapshot.processed)} processed`, ...skipped, ...lost].filter(Boolean).join(" · ");
  if (state.key === "failed") return { mood: "bad", main: "Failed", sub: done };
  if (state.key === "left") return { mood, main: words || "Broken off", sub: done };
  if (state.over) return { mood, main: words || "Done", sub: done };
  if (snapshot.seq < 0) return { mood: "calm", main: "Ready", sub: "no frame yet" };
  const sub = [`${milliseconds(snapshot.lag_ms)} behind`, `${waiting} waiting`, ...skipped, ...(dropped ? lost.slice(0, 1) : [])].join(" · ");
  if (state.key === "paused" && waiting === 0) return { mood, main: words || "Resting", sub: done };
  const behind = waiting > WAITING_FINE || (waiting > 0 && snapshot.lag_ms > LAG_FINE_MS);
  if (behind && trend > 0) return { mood: "warning", main: "Falling behind", sub };
  if (behind) return { mood, main: trend < 0 ? "Catching up" : "Behind", sub };
  return { mood: words ? "warning" : "good", main: words || "Keeping up", sub };
}

/** Until the planned end, or until there is too little light where that comes first. */
function remaining(snapshot, lightLeft, state, cellAnswer) {
  const { planned, recorded, fps } = snapshot;
  const done = planned ? `${number(recorded)} of ${number(planned)}` : count(recorded, "frame", "frames");
  const frames = planned ? `${done} frames` : done;
  if (state.over) return { mood: "calm", main: "Ended", sub: `${frames} in ${duration(snapshot.elapsed_s)}` };
  if (state.key === "paused") return { mood: "calm", main: "Paused", sub: frames };
  if (state.key === "stopping") return { mood: "calm", main: "Ending", sub: `${frames} so far` };
  if (cellAnswer.mood === "bad") return { mood: "bad", main: "None", sub: `no light to go on · ${done}` };
  if (lightLeft <= 0) return { mood: "warning", main: "Hardly any", sub: `too dim any moment · ${done}` };
  const toPlan = planned && fps > 0 ? Math.max(0, planned - recorded) / fps : Infinity;
  if (lightLeft < toPlan) return { mood: planned ? "warning" : "calm", main: roughly(lightLeft), sub: `until too dim · ${done}` };
  if (toPlan < Infinity) return { mood: "calm", main: roughly(toPlan), sub: `to the planned end · ${done}` };
  return { mood: "calm", main: planned ? "–" : "Open end", sub: frames };
}

function number(value) {
  return value.toLocaleString("en-GB");
}

export class Vitals {
  #queue = [];

  constructor(root) {
    const parts = ["cell", "picture", "machine", "left"];
    this.parts = Object.fromEntries(parts.map((name) => [name, root.querySelector(`#vital-${name}`)]));
    this.progress = root.querySelector("#progress");
  }

  /** @param {object} known as for `answers`, without the trend, and whether a frame of the past is on show */
  show({ looking, ...known }) {
    const { snapshot } = known;
    if (!snapshot) return;
    const found = answers({ ...known, trend: this.#trend(snapshot.waiting) });
    for (const [name, answer] of Object.entries(found)) this.#say(name, answer);
    setText(this.parts.picture.querySelector("h2"), looking ? "Newest picture" : "Picture");
    this.progress.hidden = !snapshot.planned;
    if (snapshot.planned) this.progress.value = Math.min(1, snapshot.recorded / snapshot.planned);
  }

  #say(name, { mood, main, sub, more }) {
    const part = this.parts[name];
    setText(part.querySelector(".vital-main span"), main);
    setText(part.querySelector(".vital-sub"), sub);
    part.title = [main, sub, more].filter(Boolean).join(" · ");
    if (part.dataset.mood === mood) return;
    part.dataset.mood = mood;
    part.querySelector("use").setAttribute("href", `#i-${SHAPES[mood]}`);
  }

  /** Of the queue over the last seconds: -1, 0 or 1. */
  #trend(waiting) {
    const now = performance.now() / 1000;
    this.#queue.push([now, waiting]);
    while (this.#queue.length > 2 && now - this.#queue[0][0] > TREND_S) this.#queue.shift();
    if (this.#queue.length > 200) this.#queue.splice(0, 100);
    return Math.sign(waiting - this.#queue[0][1]);
  }
}

export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
