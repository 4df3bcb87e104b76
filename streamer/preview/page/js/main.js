// The page: connects what is heard from the server with what is shown.

import { Alarm } from "./alarm.js";
import { Charts } from "./charts.js";
import { Controls } from "./controls.js";
import { Curves } from "./curves.js";
import { Decoder } from "./decode.js";
import { Display } from "./display.js";
import { Frames } from "./frames.js";
import { fillHelp, listenToKeys } from "./keys.js";
import { Judgements } from "./judge.js";
import { Link } from "./link.js";
import { Log } from "./log.js";
import { Picture } from "./picture.js";
import { loadPrefs, savePrefs } from "./prefs.js";
import { Stage } from "./stage.js";
import { stateOf } from "./state.js";
import { Strip } from "./strip.js";
import { Tools } from "./tools.js";
import { setText, Vitals } from "./vitals.js";
import { lastPart } from "./words.js";

const $ = (id) => document.getElementById(id);
const ALARMING = new Set(["stopped", "failed"]);
/** States in which nobody here knows what the run does. */
const UNKNOWN = new Set(["connecting", "lost"]);
const MARKS_MAX = 60;

const known = {
  connection: { open: false, opened: false, retryAt: 0, why: "" },
  run: null,
  link: "live",
  snapshot: null,
  left: null,
  report: false,
  state: { key: "connecting", over: false },
};
const prefs = loadPrefs();
const picture = new Picture();
const curves = new Curves();
let judgements = new Judgements();
const vitals = new Vitals(document);

let settled = ""; // the last state that was known
let saving = 0;
const chosen = () => {
  clearTimeout(saving);
  saving = setTimeout(() => savePrefs(prefs), 300);
  stage?.draw();
  tools?.follow();
};
const link = new Link(socketUrl(), { text: heard, binary: (message) => frames.take(message), status: connected });
const frames = new Frames({
  picture,
  decoder: new Decoder(),
  send: (message) => link.send(message),
  came: () => stage.draw(),
  strip: (header, bytes) => strip.draw(header, bytes),
  failed: (error) => toast(`An image could not be shown: ${error.message}.`, false),
});
let tools = null;
let stage = null;
stage = new Stage({ stage: $("stage"), canvas: $("canvas"), divider: $("divider") }, picture, prefs, {
  moved: () => frames.look(stage, prefs),
  drawn: () => shown(),
  chosen,
  pointed: (place) => tools?.point(place),
});
const strip = new Strip($("strip"), {
  ask: (number, width) => link.send({ type: "strip", count: number, width }),
  looked: look,
});
const log = new Log($("log"), look);
const charts = new Charts($("charts"), curves, { picked: look, marks });
const display = new Display($("display"), picture, prefs, () => {
  chosen();
  frames.look(stage, prefs);
});
const controls = new Controls({ send: (message) => link.send(message), said: toast });
const alarm = new Alarm($("alarm"), prefs, (words) => toast(words, true));
tools = new Tools({ stage, picture, prefs, display, chosen, view: (view) => chooseView(view) });

function socketUrl() {
  const url = new URL("ws", location.href);
  url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  url.search = "";
  url.hash = "";
  return url.href;
}

// ---- from the server ----

function connected({ open, retryAt, why }) {
  known.connection = { open, retryAt, why, opened: known.connection.opened || open };
  frames.restart();
  follow();
}

function heard(message) {
  const answers = {
    hello,
    state: update,
    curves: (m) => (curves.replace(m.curves), charts.changed()),
    strip: (m) => strip.entries(m.entries ?? []),
    answer: (m) => controls.answered(m),
    error: (m) => toast(m.text, false),
  };
  answers[message.type]?.(message);
}

function hello(message) {
  window.streamer.ready.hello_ms ??= performance.now();
  if (known.run?.path_name !== message.run.path_name) judgements = new Judgements();
  known.run = message.run;
  known.snapshot = null;
  known.link = "live";
  known.report = false;
  stage.pixelUm = message.run.pixel_um;
  setText($("run-name"), [lastPart(message.run.name), message.run.profile, message.run.model].filter(Boolean).join(" · "));
  $("run-name").title = [message.run.path_name, `streamer ${message.run.version}`].filter(Boolean).join(" · ");
  curves.replace(message.curves);
  charts.forecast = null;
  charts.changed(true);
  log.replace(message.log, message.log_left_out);
  judgements.told(message.log);
  controls.allow(message.control);
  tools.offer(message.views, message.legend);
  fillHelp($("help-body"), tools.legendInWords(message.legend));
  frames.restart();
  frames.look(stage, prefs);
  strip.reset();
  follow();
}

function update(message) {
  known.link = message.link;
  if (message.snapshot) known.snapshot = message.snapshot;
  judgements.take(message.snapshot);
  judgements.told(message.log);
  known.left = message.left ?? null;
  known.report = Boolean(message.report);
  if (message.views) tools.offer(message.views);
  curves.add(message.points);
  if (message.forecast !== undefined) charts.forecast = message.forecast;
  if (message.points?.length || message.forecast !== undefined) charts.changed();
  log.add(message.log);
  if (message.log?.length) charts.changed();
  strip.refresh();
  follow();
}

// ---- what is shown ----

function follow() {
  const before = known.state;
  const shares = judgements.seen(picture.shares);
  known.state = stateOf({ ...known, lastAlarm: log.lastAlarm, doubt: judgements.worst(known.snapshot?.seq) });
  const { key, word, shape, under, reason, retry, soon } = known.state;
  document.body.dataset.state = key;
  if (known.state.over && charts.forecast) {
    charts.forecast = null; // nothing is to come
    charts.changed();
  }
  setText($("state-word"), word);
  setText($("state-under"), under);
  $("state-shape").setAttribute("href", `#i-${shape}`);
  $("reason").hidden = !reason;
  setText($("reason-text"), reason);
  setText($("reason-soon"), soon ?? "");
  $("reason-action").hidden = !retry;
  $("report").hidden = !(known.state.over && known.report && known.connection.open);
  vitals.show({
    ...known,
    judged: judgements.of(curves.view),
    shares,
    guardStop: log.guardStop,
    looking: frames.seq !== null,
  });
  controls.follow(known.state);
  strip.follow(newest(), frames.seq);
  if (before.key === key) return;
  if (known.state.over) {
    strip.reset(); // the thumbnails of the end
    charts.changed();
  }
  $("favicon").href = `static/icons/${shape}.svg`;
  if (ALARMING.has(key) && settled && !ALARMING.has(settled)) alarm.ring(`${word}: ${runName() || "the run"}`, reason);
  if (!UNKNOWN.has(key)) settled = key;
  tools.when(picture.header, frames.seq, known);
  title();
}

function newest() {
  const last = known.snapshot?.seq ?? -1;
  return Math.max(last, frames.newest, curves.first("photons")?.seq.at(-1) ?? -1);
}

function runName() {
  return lastPart(known.run?.name || known.snapshot?.run);
}

function title() {
  const frame = known.snapshot?.seq >= 0 ? ` ${known.snapshot.seq}` : "";
  document.title = `${known.state.word}${frame} · ${runName() || "live view"}`;
}

/** After every drawing: the words on the picture, and the go-ahead for the next image. */
function shown() {
  const header = frames.drawn();
  tools.follow();
  if (!header) return;
  window.streamer.ready.image_ms ??= performance.now();
  stage.pixelUm = header.pixel_um ?? stage.pixelUm;
  tools.when(header, frames.seq, known);
  display.refresh();
  follow(); // what light supports is known from the image
  title();
}

/** Look at a frame of the past; null: live again. */
function look(seq) {
  frames.seq = seq;
  frames.look(stage, prefs, true);
  tools.when(picture.header, seq, known);
  strip.follow(newest(), seq);
  charts.changed(true);
}

function chooseView(view) {
  frames.view = view;
  const named = ["position", "z", "channel"].filter((axis) => view[axis] !== null && view[axis] !== "");
  curves.view = named.map((axis) => `${axis} ${view[axis]}`).join(", ");
  charts.changed(true);
  frames.look(stage, prefs, true);
  strip.reset();
}

/** Moments that are drawn into the charts: what is looked at, decisions and marks. */
function marks() {
  const photons = curves.first("photons");
  if (!photons) return [];
  const at = (seq) => photons.time_s[Math.max(0, photons.seq.findLastIndex((each) => each <= seq))];
  const told = log.entries.filter(({ kind, seq }) => ["decision", "mark", "request"].includes(kind) && seq >= 0);
  const list = told.slice(-MARKS_MAX).map(({ seq, kind, gravity }) => ({
    time_s: at(seq),
    kind: kind === "mark" ? "mark" : gravity,
  }));
  return frames.seq === null ? list : [...list, { time_s: at(frames.seq), kind: "shown" }];
}

/** A short note; one with the same `about` takes the place of the last. */
function toast(words, good, about = words) {
  if (!words) return;
  [...$("toasts").children].find((other) => other.dataset.about === about)?.remove();
  const note = Object.assign(document.createElement("p"), { className: good ? "toast" : "toast toast-bad", textContent: words });
  note.dataset.about = about;
  $("toasts").append(note);
  while ($("toasts").childElementCount > 3) $("toasts").firstElementChild.remove();
  setTimeout(() => note.remove(), 8000);
}

// ---- buttons and keys ----

function big() {
  const on = document.body.dataset.big !== "true";
  document.body.dataset.big = String(on);
  stage.resize();
}

function opened(id) {
  $(id).showModal();
}

$("back-to-live").addEventListener("click", () => look(null));
$("reason-action").addEventListener("click", () => link.retryNow());
$("help-open").addEventListener("click", () => opened("help"));
$("help-close").addEventListener("click", () => $("help").close());
$("chart-big-close").addEventListener("click", () => $("chart-big").close());
$("log-grave").checked = prefs.onlyGrave;
log.filter(prefs.onlyGrave);
$("log-grave").addEventListener("change", (event) => {
  prefs.onlyGrave = event.target.checked;
  log.filter(prefs.onlyGrave);
  chosen();
});
listenToKeys({
  1: () => stage.setLayout("raw"),
  2: () => stage.setLayout("split"),
  3: () => stage.setLayout("denoised"),
  4: () => stage.setLayout("side"),
  "[": () => stage.setDivider(prefs.divider - 0.05),
  "]": () => stage.setDivider(prefs.divider + 0.05),
  "+": () => stage.zoom(1.4),
  "=": () => stage.zoom(1.4),
  "-": () => stage.zoom(1 / 1.4),
  0: () => stage.fit(),
  s: () => tools.toggle("segmentation"),
  t: () => tools.toggle("trust"),
  o: () => tools.toggle("outline"),
  d: () => display.toggle(),
  c: () => toast(`Colours: ${display.nextMap()}`, true, "colours"),
  a: () => display.autoAll(),
  f: big,
  ",": () => strip.step(-1),
  ".": () => strip.step(1),
  l: () => look(null),
  m: () => controls.ask("mark"),
  p: () => controls.ask(known.state.key === "paused" ? "resume" : "pause"),
  x: () => controls.ask("stop"),
  n: () => alarm.toggle(),
  "?": () => opened("help"),
  escape: () => (display.toggle(false), document.body.dataset.big === "true" && big()),
});

if (new URLSearchParams(location.search).has("token")) {
  history.replaceState(null, "", location.pathname); // a link that is copied or shown must not open the run for others
}
setInterval(() => {
  if (!known.connection.open) follow(); // count-down of retries
}, 1000);

/** What tests and benchmarks read. */
window.streamer = {
  timings: frames.timings,
  ready: { page_ms: performance.now(), hello_ms: null, image_ms: null },
  get state() {
    return known.state.key;
  },
  get shown() {
    return { seq: picture.header?.seq ?? null, live: frames.seq === null, region: picture.header?.region ?? null, scale: stage.viewport.scale };
  },
  get counts() {
    return { images: frames.count, points: curves.points, log: log.entries.length, rung: alarm.rung, nodes: document.querySelectorAll("*").length };
  },
};
link.open();
