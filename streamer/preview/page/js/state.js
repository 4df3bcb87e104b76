// What the run is doing, from everything that is known of it: one word, one line, and a reason where there is one.

import { inFull, sentence } from "./judge.js";
import { count, lastPart } from "./words.js";

const WORDS = {
  connecting: "Connecting",
  waiting: "Waiting",
  running: "Running",
  warning: "Warning",
  paused: "Paused",
  stopping: "Stopping",
  stopped: "Stopped",
  finished: "Finished",
  failed: "Failed",
  left: "Interrupted",
  lost: "No contact",
};
const SHAPES = { connecting: "waiting", stopping: "stopped", left: "lost" };
const OVER = new Set(["stopped", "finished", "failed", "left"]);
/** States whose run has written a report, or is about to when its page closes. */
const REPORTED = new Set(["stopped", "finished"]);

/**
 * @param {{connection: object, link: string, snapshot: object | null, run: object | null, lastAlarm: string,
 *          report?: boolean, doubt: object | null}} known doubt: the gravest verdict that is not a pass
 * @returns {{key: string, word: string, shape: string, under: string, reason: string, over: boolean,
 *            retry?: boolean, soon?: string}}
 */
export function stateOf(known) {
  const named = name(known);
  return { ...named, word: named.word ?? WORDS[named.key], shape: SHAPES[named.key] ?? named.key, over: OVER.has(named.key) };
}

function name({ connection, link, snapshot, run, lastAlarm, report, doubt }) {
  const under = lastPart(run?.name || snapshot?.run);
  const state = snapshot?.state ?? run?.state ?? "waiting";
  const key = state in WORDS ? state : "running";
  if (!connection.open && !(OVER.has(key) && connection.opened)) return lostWords(connection, under);
  // How the run ended is known, and stays so.
  const closed = connection.open ? "" : closedWords(run, report || REPORTED.has(key));
  const because = (words) => (words && closed ? `${words.replace(/[.\s]+$/, "")}. ${closed}` : words || closed);
  const why = snapshot?.decision?.reason || "";
  if (link === "lost" && !OVER.has(key)) {
    return { key: "lost", word: "No news", under, reason: "The run's computer says nothing new. The recording itself may well go on." };
  }
  if (key === "left") return { key, under, reason: because("This recording was not closed: the run broke off, or is written elsewhere.") };
  if (["stopped", "stopping", "paused", "failed"].includes(key)) return { key, under, reason: because(sentence(why || lastAlarm)) };
  if (key !== "running") return { key, under, reason: closed };
  return doubt ? { key: "warning", under, reason: inFull(doubt) } : { key, under, reason: "" };
}

/** Where to look once nobody serves this page any more: a link to a server that has gone leads nowhere. */
function closedWords(run, reported) {
  const folder = shellWord(lastPart(run?.path_name)) || "FOLDER";
  const report = reported ? "its report is report.html in the recording" : `streamer report ${folder} makes a report`;
  return `This page has closed with the run. streamer attach ${folder} shows the recording again; ${report}.`;
}

/** As a shell takes it for one word. */
function shellWord(name) {
  return /^[\w.+@%,:-]*$/.test(name) ? name : `'${name.replaceAll("'", `'\\''`)}'`;
}

function lostWords({ retryAt, why, opened }, under) {
  if (!opened && !why && !retryAt) return { key: "connecting", under: "looking for the run", reason: "" };
  const seconds = Math.max(0, Math.ceil((retryAt - Date.now()) / 1000));
  const soon = seconds ? `next try in ${count(seconds, "second", "seconds")}` : "trying now";
  const words = why || "The live view cannot be reached; the run itself does not need it and may well go on.";
  return { key: "lost", under, reason: `${words} Trying again by itself.`, retry: true, soon };
}
