// What a viewer chose, kept in this browser only.

const KEY = "streamer.preview";

const DEFAULTS = {
  layout: "split",
  divider: 0.5,
  right: "denoised",
  maps: { raw: "gray", denoised: "gray", uncertainty: "magma" },
  contrast: { raw: null, denoised: null, uncertainty: null }, // null: auto; else [low, high] in the layer's unit
  overlays: {
    segmentation: { on: false, opacity: 0.45 },
    trust: { on: false, opacity: 0.45 },
    outline: { on: true },
  },
  alarm: false,
  onlyGrave: false,
};

export function loadPrefs() {
  let stored = {};
  try {
    stored = JSON.parse(localStorage.getItem(KEY) ?? "{}") ?? {};
  } catch {
    // storage is switched off or holds something else: begin with the defaults
  }
  return merged(DEFAULTS, stored);
}

export function savePrefs(prefs) {
  try {
    localStorage.setItem(KEY, JSON.stringify(prefs));
  } catch {
    // a private window may refuse; the choice then holds for this visit
  }
}

function merged(defaults, stored) {
  const result = {};
  for (const [key, value] of Object.entries(defaults)) {
    const other = stored?.[key];
    if (value !== null && typeof value === "object" && !Array.isArray(value)) result[key] = merged(value, other);
    else if (value === null) result[key] = range(other);
    else result[key] = typeof other === typeof value ? other : value;
  }
  return result;
}

function range(value) {
  return Array.isArray(value) && value.length === 2 && value.every(Number.isFinite) ? value : null;
}
