// What may be believed: every guard's verdicts of what is looked at, and how far light supports what is drawn.
//
// Thresholds stand in docs/watching.md too.

/** Of the drawn structure, the shares from which on: in doubt, not to be trusted; with care. */
const UNSUPPORTED_DOUBT = 0.05;
const UNSUPPORTED_BAD = 0.2;
const UNCERTAIN_CARE = 0.5;
/** Photons below so many times their floor are "getting dim". */
export const NEAR_FLOOR = 1.25;
/** Results after which a guard that is content again is believed, as in the log. */
const CALM = 10;
/** Frames after which it is no longer known how far light supports the picture; guards and views remembered. */
const SHARES_AGE_MAX = 60;
const JUDGES_MAX = 4096;

const GRAVITY = { pass: 0, flag: 1, reject: 2 };
/** [what it means for the picture, how grave it is beside other causes] */
const MEANS = {
  "range reject": ["The image or the picture is damaged", 60],
  "signal_map reject": ["Nothing in view to draw from", 58],
  "photons reject": ["Too little light: do not believe it", 56],
  "evidence reject": ["Most of it has no photons to show for it", 55],
  "health reject": ["This frame is damaged", 53],
  "consistency reject": ["It does not explain the photons", 52],
  "scene reject": ["The focus is lost", 51],
  "similarity reject": ["It changes too much to be one story", 50],
  "agreement reject": ["It depends on noise", 49],
  "photons flag": ["Little light: it may soon be invented", 30],
  "range flag": ["Unlike what the model has learned", 28],
  "evidence flag": ["Part of it may be invented", 27],
  "trust flag": ["Part of it is expected to be invented", 26],
  "consistency flag": ["Photons and picture differ in places", 25],
  "agreement flag": ["It depends more on noise", 23],
  "similarity flag": ["It changes more than at the start", 22],
};
/** Guards that pass, too, while they cannot measure: that is no proof. */
const MEASURING = new Set(["photons", "similarity"]);
/** A guard that looks ahead: the cell's card shows it, and the picture is as good as before. */
const AHEAD = "bleaching";
const [OTHER_REJECT, STOPPED, UNSUPPORTED_MUCH, UNSUPPORTED_SOME, OTHER_FLAG, NOT_JUDGED] = [54, 48, 46, 26, 24, 20];

/** Titles of guards in the log, and an entry of it: title, view, words. */
const TITLES = {
  light: "photons",
  specimen: "signal_map",
  input: "range",
  "two halves": "agreement",
  "light ahead": "bleaching",
  counts: "consistency",
  frame: "health",
  "image splitter": "splitter",
  guards: "views",
};
const STATUS = { info: "pass", warning: "flag", alarm: "reject" };
const SAID = /^([^(:]+?)(?: \((.*?)\))?: (.*)$/s;

/**
 * Verdicts of all guards and views; one that got better is believed only after some results, as in the log.
 *
 * The log has every frame, snapshots leave out what came too quickly: what it says last of a guard holds.
 */
export class Judgements {
  #known = new Map();
  #support = null; // {shares, newest, calm}: structure without light behind it was seen

  /** @param {{seq: number, verdicts: object[]} | null} snapshot */
  take(snapshot) {
    for (const verdict of snapshot?.verdicts ?? []) {
      const key = `${verdict.guard}\n${verdict.view}`;
      const before = this.#known.get(key);
      if (!before && this.#known.size >= JUDGES_MAX) continue;
      const better = before && gravity(verdict) < gravity(before.held);
      if (before?.newest && before.seq >= snapshot.seq && gravity(verdict) <= gravity(before.held)) continue; // said again
      const calm = better ? before.calm + 1 : 0;
      const held = calm && calm < CALM ? before.held : verdict;
      const since = held === before?.held ? before.since : snapshot.seq;
      this.#known.set(key, { held, newest: verdict, calm: held === verdict ? 0 : calm, seq: snapshot.seq, since });
    }
  }

  /** @param {{seq: number, kind: string, gravity: string, text: string}[]} entries of the log, oldest first */
  told(entries) {
    for (const entry of entries ?? []) {
      const [, title, view = "", words] = (entry.kind === "verdict" && SAID.exec(entry.text)) || [];
      if (!title) continue;
      const guard = TITLES[title] ?? title;
      const key = `${guard}\n${view}`;
      const before = this.#known.get(key);
      const held = heard(guard, view, STATUS[entry.gravity] ?? "flag", words);
      const old = before && entry.seq < before.since && gravity(held) < gravity(before.held);
      if (old || (!before && this.#known.size >= JUDGES_MAX)) continue;
      this.#known.set(key, { newest: null, seq: entry.seq, ...before, held, calm: 0, since: entry.seq });
    }
  }

  /**
   * Shares of the newest image; the ones that count: a doubt is held for some images of the same part, as a guard's.
   *
   * @param {object | null} shares
   */
  seen(shares) {
    const held = this.#support;
    if (shares === held?.newest) return held?.shares ?? shares;
    const calm = held && shares && held.shares.where === shares.where && isFine(shares) ? held.calm + 1 : 0;
    const kept = calm && calm < CALM ? held.shares : shares;
    this.#support = kept && !isFine(kept) ? { shares: kept, newest: shares, calm } : null;
    return kept;
  }

  /** [{guard, status, meaning, measured, limit}] of a view, and of what holds for several views. */
  of(view) {
    const parts = view.split(", ");
    const fits = (name) => !name || name.split(", ").every((part) => parts.includes(part));
    const found = [...this.#known.values()].filter(({ held }) => fits(held.view ?? ""));
    if (found.length || !view) return (found.length ? found : [...this.#known.values()]).map(judged);
    return []; // nothing has judged this view yet
  }

  /** The gravest of all views that is not a pass, or what light does not support; null where all is well. */
  worst(seq) {
    const found = [...this.#known.values()].map(judged).filter(gravity).sort((a, b) => weight(b) - weight(a))[0];
    const shares = found ? null : recent(this.#support?.shares, seq);
    if (!shares || shares.rough) return found ?? null;
    return { guard: "", view: "", status: "flag", meaning: `${unsupportedWords(shares)}: do not measure there` };
  }
}

/** As of a verdict; what the status means stands at the end of the words, where the guard could measure. */
function heard(guard, view, status, words) {
  const measured = status === "pass" || words.includes(" - ");
  const meaning = words.replace(/ - [^-]*$/, "").replace(/^(better|in order again) since frame \d+(: |$)/, "");
  return { guard, view, status, meaning, measured: measured ? undefined : null };
}

function judged({ held, newest }) {
  const { guard, view, status, meaning } = held;
  const { measured, limit } = newest ?? {};
  return { guard, view, measured, limit, status, meaning, unknown: held.measured === null };
}

/** A status that is not known counts as a flag. */
function gravity({ status }) {
  return GRAVITY[status] ?? 1;
}

function weight(verdict) {
  if (!gravity(verdict)) return 0;
  const known = MEANS[`${verdict.guard} ${verdict.status}`];
  if (gravity(verdict) === 2) return known?.[1] ?? OTHER_REJECT;
  return verdict.unknown ? NOT_JUDGED : (known?.[1] ?? OTHER_FLAG);
}

/** What a verdict means, in a few words. */
function plain(verdict) {
  const known = MEANS[`${verdict.guard} ${verdict.status}`];
  const asMeasured = gravity(verdict) === 2 || !verdict.unknown;
  return known && asMeasured ? known[0] : sentence(verdict.meaning);
}

/** The same with its numbers, for the line below the state. */
export function inFull(verdict) {
  const [short, numbers] = [plain(verdict), sentence(verdict.meaning)];
  const where = verdict.view ? ` (${verdict.view})` : "";
  return (short === numbers ? short : `${short}. ${numbers}`) + where;
}

/**
 * Is what is drawn to be believed?
 *
 * @param {{judged: object[], shares: object | null, seq: number, stopped: string}} known
 *   shares: {seq, drawn, unsupported, uncertain, rough, part}; stopped: why the guards have stopped the run
 */
export function picture({ judged: verdicts, shares, seq, stopped }) {
  if (seq < 0) return { mood: "calm", main: "–", sub: "no frame yet" };
  const now = recent(shares, seq);
  const causes = verdicts.filter((verdict) => gravity(verdict) && verdict.guard !== AHEAD).map((verdict) => [weight(verdict), plain(verdict)]);
  if (stopped) causes.push([STOPPED, sentence(stopped)]);
  if (now && !isFine(now)) {
    const much = now.unsupported >= UNSUPPORTED_BAD && !now.rough;
    causes.push([much ? UNSUPPORTED_MUCH : UNSUPPORTED_SOME, unsupportedWords(now)]);
  }
  if (causes.length) {
    const [[worst, sub], ...others] = causes.sort((a, b) => b[0] - a[0]);
    const more = [...new Set(others.map(([, words]) => words))].filter((words) => words !== sub).join(" · ");
    return worst >= UNSUPPORTED_MUCH ? { mood: "bad", main: "Do not trust", sub, more } : { mood: "warning", main: "In doubt", sub, more };
  }
  return noCause(verdicts, now);
}

function isFine({ unsupported }) {
  return unsupported < UNSUPPORTED_DOUBT;
}

function recent(shares, seq) {
  return shares && seq - shares.seq <= SHARES_AGE_MAX ? shares : null;
}

function unsupportedWords({ unsupported, rough, part }) {
  return `${rough ? "up to " : ""}${percent(unsupported)}${part ? " in view" : ""} has no light behind it`;
}

function noCause(verdicts, shares) {
  if (!verdicts.length) return { mood: "calm", main: "–", sub: "nothing has judged the picture yet" };
  if (verdicts.every(({ measured }) => measured === null)) return { mood: "calm", main: "Learning", sub: sentence(verdicts[0].meaning) };
  const blind = verdicts.find(({ guard, measured }) => MEASURING.has(guard) && measured === null);
  if (blind) return { mood: "calm", main: "No warning", sub: sentence(blind.meaning) };
  if (!shares) return { mood: "calm", main: "No warning", sub: "light behind it not known" };
  const where = shares.part ? " in view" : "";
  if (!shares.drawn) return { mood: "calm", main: "No warning", sub: `no structure drawn${where}` };
  if (shares.uncertain >= UNCERTAIN_CARE) return { mood: "calm", main: "With care", sub: `${percent(shares.uncertain)}${where} rests on faint light` };
  return { mood: "good", main: "No doubts", sub: `${percent(1 - shares.uncertain - shares.unsupported)}${where} well supported` };
}

/**
 * How much light is left in the cell?
 *
 * @param {{judged: object[], seq: number, stopped: string, lightLeft: number}} known lightLeft: seconds
 */
export function cell({ judged: verdicts, seq, stopped, lightLeft }) {
  if (seq < 0) return { mood: "calm", main: "–", sub: "no frame yet" };
  const of = (name) => verdicts.find(({ guard }) => guard === name);
  const [empty, photons] = [of("signal_map"), of("photons")];
  if (empty?.status === "reject" || /no foreground/.test(stopped)) return { mood: "bad", main: "No cell in view", sub: sentence(empty?.meaning ?? stopped) };
  if (!photons) return { mood: "calm", main: "–", sub: "photons are not judged here" };
  const { measured, limit, status, meaning } = photons;
  const known = measured !== null && measured !== undefined;
  const numbers = limit ? `${digits(measured)} photons · needs ${digits(limit)}` : `${digits(measured)} photons`;
  const sub = known ? numbers : sentence(meaning);
  if (status === "reject" || /signal is gone/.test(stopped)) return { mood: "bad", main: "Too dim", sub };
  if (!known) return { mood: status === "pass" ? "calm" : "warning", main: status === "pass" ? "Learning" : "Not judged", sub };
  if (status !== "pass" || (limit && measured < NEAR_FLOOR * limit) || lightLeft <= 0) return { mood: "warning", main: "Getting dim", sub };
  const ahead = of(AHEAD);
  if (ahead && gravity(ahead) && !ahead.unknown) return { mood: "warning", main: "Changing", sub: sentence(ahead.meaning) };
  return { mood: "good", main: "Bright", sub };
}

export function sentence(text) {
  return text ? text[0].toUpperCase() + text.slice(1) : "";
}

function percent(share) {
  return share > 0 && share < 0.01 ? "under 1 %" : `${Math.round(100 * share)} %`;
}

function digits(value) {
  if (!Number.isFinite(value)) return "–";
  return value >= 100 ? value.toFixed(0) : Number(value.toPrecision(2)).toString();
}
