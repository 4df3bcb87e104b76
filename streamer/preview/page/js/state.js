// What the run is doing, from everything that is known of it: one word, one line, and a reason where there is one.

import { count } from "./words.js";

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
/** A warning stays on show for this long: one doubtful frame must not flicker. */
const HOLD_MS = 4000;
const GRAVITY = { pass: 0, flag: 1, reject: 2 };

export class RunState {
  #heldUntil = 0;
  #held = "";

  /**
   * @param {{connection: object, link: string, snapshot: object | null, run: object | null, lastAlarm: string}} known
   * @returns {{key: string, word: string, shape: string, under: string, reason: string, over: boolean,
   *            retry?: boolean, soon?: string}}
   */
  of({ connection, link, snapshot, run, lastAlarm }) {
    const named = this.#named({ connection, link, snapshot, run, lastAlarm });
    return { ...named, word: named.word ?? WORDS[named.key], shape: SHAPES[named.key] ?? named.key, over: OVER.has(named.key) };
  }

  #named({ connection, link, snapshot, run, lastAlarm }) {
    const under = runWords(snapshot, run);
    if (!connection.open) return lostWords(connection, run);
    const state = snapshot?.state ?? run?.state ?? "waiting";
    const key = state in WORDS ? state : "running";
    const why = snapshot?.decision?.reason || "";
    if (link === "lost" && !OVER.has(key)) {
      return { key: "lost", word: "No news", under, reason: "The run's computer says nothing new. The recording itself may well go on." };
    }
    if (key === "left") return { key, under, reason: "This recording was not closed: the run broke off, or is written elsewhere." };
    if (["stopped", "stopping", "paused", "failed"].includes(key)) return { key, under, reason: sentence(why || lastAlarm) };
    if (key !== "running") return { key, under, reason: "" };
    const doubt = this.#doubt(snapshot);
    return doubt ? { key: "warning", under, reason: doubt } : { key, under, reason: "" };
  }

  #doubt(snapshot) {
    const worst = worstVerdict(snapshot?.verdicts);
    if (worst) {
      this.#heldUntil = Date.now() + HOLD_MS;
      this.#held = sentence(worst.view ? `${worst.meaning} (${worst.view})` : worst.meaning);
    }
    return Date.now() < this.#heldUntil ? this.#held : "";
  }
}

/** The gravest verdict that is not a pass. */
export function worstVerdict(verdicts, wanted = () => true) {
  let worst = null;
  for (const verdict of verdicts ?? []) {
    const gravity = GRAVITY[verdict.status] ?? 0;
    if (gravity && wanted(verdict) && gravity > (GRAVITY[worst?.status] ?? 0)) worst = verdict;
  }
  return worst;
}

export function sentence(text) {
  return text ? text[0].toUpperCase() + text.slice(1) : "";
}

function runWords(snapshot, run) {
  return (run?.name || snapshot?.run || "").split("/").pop(); // a run without a name is called by its folder
}

function lostWords({ retryAt, why, opened }, run) {
  if (!opened && !why && !retryAt) return { key: "connecting", under: "looking for the run", reason: "" };
  const seconds = Math.max(0, Math.ceil((retryAt - Date.now()) / 1000));
  const soon = seconds ? `next try in ${count(seconds, "second", "seconds")}` : "trying now";
  const words = why || "The live view cannot be reached; the run itself does not need it and may well go on.";
  return { key: "lost", under: run?.name ?? "", reason: `${words} Trying again by itself.`, retry: true, soon };
}
