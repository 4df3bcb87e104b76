// Lines around structure that no light supports.
//
// Light is judged in boxes, so the pixels themselves are a litter of corners and blocks. What lies close
// together is one line here, and what is smaller than a box is left to the overlay, which shows every pixel.

/** Class of `trust` that no light supports. */
export const UNSUPPORTED = 3;
/** In pixels of the camera: distance of the line, and the least structure that gets one. */
const MARGIN_PX = 2;
const LEAST_PX2 = 60;
/** Of the smoothed mask, where the line runs. */
const LEVEL = 0.2;

/** @returns {Path2D | null} in pixels of the sent image */
export function outlined(bytes, { width, height, region }) {
  if (!bytes?.includes(UNSUPPORTED)) return null;
  const scale = width / region[3];
  const radius = Math.max(1, Math.round(MARGIN_PX * scale));
  const mask = Float32Array.from(bytes, (label) => (label === UNSUPPORTED ? 1 : 0));
  const field = smoothed(smoothed(mask, width, height, radius), width, height, radius);
  return withoutSmall(field, mask, width, height, LEAST_PX2 * scale * scale) ? contour(field, width, height) : null;
}

/** Mean over a square of 2 radius + 1, nothing outside of the image. */
function smoothed(values, width, height, radius) {
  const rows = means(values, height, width, width, 1, radius);
  return means(rows, width, height, 1, width, radius);
}

/** Running means along lines: `step` from one value to the next, `jump` from one line to the next. */
function means(values, lines, length, jump, step, radius) {
  const made = new Float32Array(values.length);
  const size = 2 * radius + 1;
  for (let line = 0; line < lines; line++) {
    const from = line * jump;
    let sum = 0;
    for (let i = 0; i < Math.min(radius, length); i++) sum += values[from + i * step];
    for (let i = 0; i < length; i++) {
      if (i + radius < length) sum += values[from + (i + radius) * step];
      if (i - radius - 1 >= 0) sum -= values[from + (i - radius - 1) * step];
      made[from + i * step] = sum / size;
    }
  }
  return made;
}

/** Take pieces with less than `least` pixels out of the field; false where nothing is left. */
function withoutSmall(field, mask, width, height, least) {
  const seen = new Uint8Array(field.length);
  const piece = new Int32Array(field.length);
  let kept = 0;
  for (let start = 0; start < field.length; start++) {
    if (seen[start] || field[start] < LEVEL) continue;
    let [count, area] = [1, 0];
    piece[0] = start;
    seen[start] = 1;
    for (let next = 0; next < count; next++) {
      const at = piece[next];
      area += mask[at];
      const x = at % width;
      const beside = [at - width, at + width, x > 0 ? at - 1 : -1, x < width - 1 ? at + 1 : -1];
      for (const other of beside) {
        if (other < 0 || other >= field.length || seen[other] || field[other] < LEVEL) continue;
        seen[other] = 1;
        piece[count++] = other;
      }
    }
    if (area >= least) kept += 1;
    else for (let i = 0; i < count; i++) field[piece[i]] = 0;
  }
  return kept > 0;
}

/** Marching squares: the line between values below and above the level, from the centres of the pixels. */
function contour(field, width, height) {
  const path = new Path2D();
  for (let y = 0; y < height - 1; y++) {
    for (let x = 0, at = y * width; x < width - 1; x++, at++) {
      const corners = [field[at], field[at + 1], field[at + width + 1], field[at + width]];
      const above = corners.map((value) => value >= LEVEL);
      if (above[0] === above[1] && above[1] === above[2] && above[2] === above[3]) continue;
      const cut = (a, b) => (LEVEL - corners[a]) / (corners[b] - corners[a]);
      const points = [];
      if (above[0] !== above[1]) points.push([x + cut(0, 1), y]);
      if (above[1] !== above[2]) points.push([x + 1, y + cut(1, 2)]);
      if (above[3] !== above[2]) points.push([x + cut(3, 2), y + 1]);
      if (above[0] !== above[3]) points.push([x, y + cut(0, 3)]);
      for (let i = 0; i + 1 < points.length; i += 2) {
        path.moveTo(points[i][0] + 0.5, points[i][1] + 0.5);
        path.lineTo(points[i + 1][0] + 0.5, points[i + 1][1] + 0.5);
      }
    }
  }
  return path;
}
