// Keyboard shortcuts, and the overlay that explains them.

export const KEYS = [
  ["The picture", [
    ["1 2 3 4", "raw, divider, denoised, side by side"],
    ["[ ]", "move the divider"],
    ["+ − 0", "zoom in, out, whole field"],
    ["arrows", "pan, when the picture has the focus"],
    ["S T O", "structure, trust, unsupported outline"],
    ["D C A", "contrast and colours, next colour map, auto contrast"],
    ["F", "picture on the full window"],
  ]],
  ["The run", [
    [", .", "look back, forward"],
    ["L", "back to live"],
    ["M P X", "mark, pause or resume, stop (each asks first)"],
    ["N", "sound and notification on a stop"],
    ["?", "this help"],
    ["Esc", "close what is open"],
  ]],
];

const TYPING = "input:not([type=range]):not([type=checkbox]), textarea, select";

/** @param {Record<string, () => void>} actions by key, in lower case */
export function listenToKeys(actions) {
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.(TYPING)) return;
    if (document.querySelector("dialog[open]")) return; // a dialog has its own keys
    const action = actions[event.key.toLowerCase()];
    if (!action) return;
    event.preventDefault();
    action();
  });
}

export function fillHelp(host, legend) {
  host.replaceChildren(...KEYS.map(([title, rows]) => keyTable(title, rows)), legend);
}

function keyTable(title, rows) {
  const section = document.createElement("section");
  section.append(Object.assign(document.createElement("h3"), { textContent: title }));
  const list = document.createElement("dl");
  for (const [keys, words] of rows) {
    const term = document.createElement("dt");
    for (const key of keys.split(" ")) term.append(Object.assign(document.createElement("kbd"), { textContent: key }));
    list.append(term, Object.assign(document.createElement("dd"), { textContent: words }));
  }
  section.append(list);
  return section;
}
