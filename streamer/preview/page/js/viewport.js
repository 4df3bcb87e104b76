// Where the field lies in a pane: centre in pixels of the full image, scale in screen pixels per image pixel.

const SCALE_MAX = 64;
/** Part of the field around what is visible that is asked for too, so that a small pan shows something. */
const MARGIN = 0.12;

export class Viewport {
  constructor() {
    this.full = [1, 1]; // [height, width] of the whole field
    this.pane = [1, 1]; // [height, width] of a pane on the screen
    this.centre = [0.5, 0.5]; // [y, x]
    this.scale = 1;
    this.fitted = true;
  }

  get fitScale() {
    return Math.min(this.pane[0] / this.full[0], this.pane[1] / this.full[1]);
  }

  setPane(height, width) {
    this.pane = [Math.max(1, height), Math.max(1, width)];
    this.#settle();
  }

  setFull(height, width) {
    if (this.full[0] === height && this.full[1] === width) return;
    this.full = [height, width];
    this.fit();
  }

  fit() {
    this.fitted = true;
    this.#settle();
  }

  /** Zoom by `factor` and keep the point (x, y) of the pane where it is. */
  zoomAt(factor, x = this.pane[1] / 2, y = this.pane[0] / 2) {
    const [fixedY, fixedX] = this.toImage(x, y);
    this.scale = Math.min(Math.max(this.scale * factor, this.fitScale), SCALE_MAX);
    this.fitted = this.scale <= this.fitScale * 1.001;
    this.centre = [
      fixedY - (y - this.pane[0] / 2) / this.scale,
      fixedX - (x - this.pane[1] / 2) / this.scale,
    ];
    this.#settle();
  }

  panBy(dx, dy) {
    this.centre = [this.centre[0] - dy / this.scale, this.centre[1] - dx / this.scale];
    this.#settle();
  }

  /** [y, x] in pixels of the full image. */
  toImage(x, y) {
    return [
      this.centre[0] + (y - this.pane[0] / 2) / this.scale,
      this.centre[1] + (x - this.pane[1] / 2) / this.scale,
    ];
  }

  /** [x, y] in the pane. */
  toPane(imageY, imageX) {
    return [
      (imageX - this.centre[1]) * this.scale + this.pane[1] / 2,
      (imageY - this.centre[0]) * this.scale + this.pane[0] / 2,
    ];
  }

  /** [y, x, h, w] in whole pixels of the full image to ask for; null for all of it. */
  region() {
    if (this.fitted) return null;
    const [top, left] = this.toImage(0, 0);
    const [bottom, right] = this.toImage(this.pane[1], this.pane[0]);
    const marginY = (bottom - top) * MARGIN;
    const marginX = (right - left) * MARGIN;
    const y = clip(Math.floor(top - marginY), 0, this.full[0] - 1);
    const x = clip(Math.floor(left - marginX), 0, this.full[1] - 1);
    const h = clip(Math.ceil(bottom + marginY), y + 1, this.full[0]) - y;
    const w = clip(Math.ceil(right + marginX), x + 1, this.full[1]) - x;
    return h * w >= 0.9 * this.full[0] * this.full[1] ? null : [y, x, h, w];
  }

  #settle() {
    if (this.fitted || this.scale < this.fitScale) {
      this.fitted = true;
      this.scale = this.fitScale;
    }
    this.centre = [0, 1].map((axis) => {
      const half = this.pane[axis] / this.scale / 2;
      if (2 * half >= this.full[axis]) return this.full[axis] / 2;
      return clip(this.centre[axis], half, this.full[axis] - half);
    });
  }
}

function clip(value, low, high) {
  return Math.min(Math.max(value, low), high);
}
