// Numbers and times in the words of a person at a microscope.

/** 75 -> "1:15"; 4000 -> "1:06:40". */
export function clock(seconds) {
  if (!Number.isFinite(seconds)) return "–";
  const whole = Math.max(0, Math.round(seconds));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** 42 -> "42 s"; 150 -> "2 min 30 s"; 9000 -> "2 h 30 min". */
export function duration(seconds) {
  if (!Number.isFinite(seconds)) return "–";
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 90) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 10) return whole % 60 ? `${minutes} min ${whole % 60} s` : `${minutes} min`;
  if (minutes < 90) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
}

/** An estimate, no finer than it can be: 54 -> "~ 50 s"; 400 -> "~ 7 min"; 9000 -> "~ 2 h 30 min". */
export function roughly(seconds) {
  if (!Number.isFinite(seconds)) return "–";
  if (seconds < 10) return "a few seconds";
  const step = seconds < 85 ? 10 : seconds < 5400 ? 60 : 900;
  return `~ ${duration(Math.max(step, Math.round(seconds / step) * step))}`;
}

export function timeOfDay(wallS) {
  if (!Number.isFinite(wallS)) return "";
  const at = new Date(wallS * 1000);
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

/** Three digits at most, without a needless exponent. */
export function short(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size >= 100000 || size < 0.001) return value.toExponential(1).replace("e+", "e");
  if (size >= 100) return value.toFixed(0);
  const words = size >= 10 ? value.toFixed(1) : size >= 1 ? value.toFixed(2) : value.toPrecision(2);
  return words.replace(/\.0+$/, "");
}

export function milliseconds(ms) {
  if (!Number.isFinite(ms)) return "–";
  return ms >= 9950 ? `${(ms / 1000).toFixed(0)} s` : ms >= 1000 ? `${(ms / 1000).toFixed(1)} s` : `${ms.toFixed(0)} ms`;
}

/** A run is called by the last part of its path. */
export function lastPart(path) {
  return String(path ?? "").split(/[\\/]+/).filter(Boolean).at(-1) ?? "";
}

export function count(number, one, many) {
  return `${number.toLocaleString("en-GB")} ${number === 1 ? one : many}`;
}

function two(number) {
  return String(number).padStart(2, "0");
}
