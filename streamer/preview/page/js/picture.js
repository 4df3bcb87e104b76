// The layers of the newest image as pixels that can be drawn: colours, overlays, outlines.

import { colourMap, pack } from "./colormaps.js";
import { outlined, UNSUPPORTED } from "./outline.js";

/** Class of `trust` of what rests on faint light. */
const UNCERTAIN = 1;
/** Fewer drawn pixels say nothing about a picture. */
const DRAWN_LEAST = 50;
/** Images smaller than so many times what they show make the gravest class look much larger than it is. */
const SCALE_FAIR = 0.5;
/** How quickly automatic contrast follows a live image; it must not flicker. */
const FOLLOW = 0.25;

const SEGMENTATION = [0, pack(86, 180, 233), pack(204, 121, 167), pack(240, 228, 66), pack(0, 158, 115)];
const TRUST = [0, pack(240, 180, 41), pack(60, 190, 150), pack(255, 106, 61)];

export class Picture {
  #sheets = new Map();
  #auto = new Map();

  constructor() {
    this.header = null;
    this.planes = new Map(); // name -> {meta, bytes}
    this.version = 0;
    this.shares = null; // how far light supports the newest live image, see #sharesNow
    this.outlinedAt = { version: 0, path: null };
  }

  take(header, layers) {
    const moved = this.#isElsewhere(header);
    this.header = header;
    this.planes = new Map(header.layers.map((meta, i) => [meta.name, { meta, bytes: layers[i] }]));
    for (const [name, { meta }] of this.planes) this.#follow(name, meta, moved || !header.live);
    this.version += 1;
    if (moved) this.shares = null;
    if (header.live) this.shares = this.#sharesNow() ?? this.shares;
  }

  /** Lines around unsupported structure; made when they are first drawn. */
  get outline() {
    if (this.outlinedAt.version !== this.version) {
      const path = this.has("trust") ? outlined(this.planes.get("trust").bytes, this.header) : null;
      this.outlinedAt = { version: this.version, path };
    }
    return this.outlinedAt.path;
  }

  has(name) {
    return this.planes.has(name);
  }

  /** Canvas of a grey layer in its colours; [low, high] in the layer's unit. */
  grey(name, mapName, fixed) {
    const [low, high] = fixed ?? this.autoRange(name);
    const key = `${this.version} ${mapName} ${low} ${high}`;
    return this.#sheet(name, key, (plane) => greyTable(plane.meta, low, high, mapName));
  }

  /** Canvas of a layer of labels; 0 is transparent. */
  labels(name) {
    const colours = name === "trust" ? TRUST : SEGMENTATION;
    return this.#sheet(name, `${this.version}`, () => {
      const table = new Uint32Array(256);
      for (let label = 1; label < 256; label++) table[label] = colours[1 + ((label - 1) % (colours.length - 1))];
      return table;
    });
  }

  autoRange(name) {
    return this.#auto.get(name) ?? [0, 1];
  }

  /** What the layer may hold: [low, high] in its unit. */
  span(name) {
    const meta = this.planes.get(name)?.meta;
    return meta ? [meta.low, meta.high] : [0, 1];
  }

  /** Value of a layer at a place of the full image; null outside. */
  valueAt(name, imageY, imageX) {
    const plane = this.planes.get(name);
    if (!plane) return null;
    const { width, height, region } = this.header;
    const row = Math.floor(((imageY - region[0]) / region[2]) * height);
    const column = Math.floor(((imageX - region[1]) / region[3]) * width);
    if (row < 0 || column < 0 || row >= height || column >= width) return null;
    const byte = plane.bytes[row * width + column];
    return plane.meta.scale === "labels" ? byte : valueOf(plane.meta, byte);
  }

  /** Shares of the levels 0..255 of a layer. */
  histogram(name, into = new Float64Array(256)) {
    into.fill(0);
    const bytes = this.planes.get(name)?.bytes ?? [];
    const step = Math.max(1, Math.floor(bytes.length / 65_536)); // a sample is enough for a drawing
    for (let i = 0; i < bytes.length; i += step) into[bytes[i]] += 1;
    return into;
  }

  /**
   * {seq, where, drawn, unsupported, uncertain, rough, part}: shares of the drawn structure in view; null without a
   * trust map. Scaled down, each pixel has the gravest class of those it covers: the shares are then at most
   * that, and `rough` where they may be much less.
   */
  #sharesNow() {
    const { seq, width, height, region, full } = this.header;
    const bytes = this.planes.get("trust")?.bytes;
    if (!bytes) return null;
    const counts = new Uint32Array(256);
    for (let i = 0; i < bytes.length; i++) counts[bytes[i]] += 1;
    const drawn = bytes.length - counts[0];
    const share = (label) => (drawn < DRAWN_LEAST ? 0 : counts[label] / drawn);
    return {
      seq,
      where: region.join(),
      drawn: drawn < DRAWN_LEAST ? 0 : drawn,
      unsupported: share(UNSUPPORTED),
      uncertain: share(UNCERTAIN),
      rough: Math.min(width / region[3], height / region[2]) < SCALE_FAIR,
      part: region[2] * region[3] < full[0] * full[1],
    };
  }

  #isElsewhere(header) {
    const before = this.header?.view;
    return !before || ["position", "channel", "z"].some((axis) => before[axis] !== header.view?.[axis]);
  }

  #follow(name, meta, atOnce) {
    if (!Array.isArray(meta.auto)) return;
    const before = this.#auto.get(name);
    const mixed = atOnce || !before ? meta.auto : meta.auto.map((now, i) => before[i] + FOLLOW * (now - before[i]));
    this.#auto.set(name, mixed);
  }

  #sheet(name, key, makeTable) {
    const plane = this.planes.get(name);
    if (!plane) return null;
    const sheet = this.#sheets.get(name) ?? newSheet();
    this.#sheets.set(name, sheet);
    if (sheet.key === key) return sheet.canvas;
    sheet.key = key;
    const pixels = sized(sheet, this.header.width, this.header.height);
    const table = makeTable(plane);
    for (let i = 0; i < pixels.length; i++) pixels[i] = table[plane.bytes[i]];
    sheet.context.putImageData(sheet.image, 0, 0);
    return sheet.canvas;
  }
}

/** Bytes are square roots between low and high: shot noise is then the same at every level. */
export function valueOf(meta, byte) {
  return meta.low + (byte / 255) ** 2 * (meta.high - meta.low);
}

/** The byte of a value, with a fraction, outside 0..255 where the value is. */
export function byteOf(meta, value) {
  const share = (value - meta.low) / (meta.high - meta.low || 1);
  return 255 * Math.sign(share) * Math.sqrt(Math.abs(share));
}

function greyTable(meta, low, high, mapName) {
  const colours = colourMap(mapName);
  const width = high - low || 1;
  return Uint32Array.from({ length: 256 }, (_, byte) => {
    const share = (valueOf(meta, byte) - low) / width;
    return colours[Math.round(255 * Math.min(Math.max(share, 0), 1))];
  });
}

function newSheet() {
  const canvas = document.createElement("canvas");
  return { canvas, context: canvas.getContext("2d"), image: null, key: "" };
}

function sized(sheet, width, height) {
  if (sheet.image?.width !== width || sheet.image?.height !== height) {
    sheet.canvas.width = width;
    sheet.canvas.height = height;
    sheet.image = sheet.context.createImageData(width, height);
    sheet.pixels = new Uint32Array(sheet.image.data.buffer);
  }
  return sheet.pixels;
}
