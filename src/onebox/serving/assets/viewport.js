/** Which part of an image the stage shows: the mapping between image and screen. */

import { clamp } from "./geometry.js";

/** @typedef {import("./geometry.js").Box} Box */
/** @typedef {import("./geometry.js").Point} Point */
/** @typedef {import("./geometry.js").Size} Size */

const MARGIN = 20; // screen pixels around a fitted image, so that handles at its border are reached
const LARGEST_SCALE = 40; // screen pixels per pixel of the image; single pixels are easy to hit
const KEPT = 48; // screen pixels of the image that stay in sight however far it is moved

export class Viewport {
  /** @type {Size} */
  image = [1, 1];
  /** @type {Size} */
  stage = [1, 1];
  scale = 1;
  left = 0;
  top = 0;
  isFitted = true;

  /**
   * Show a whole image.
   * @param {Size} image
   */
  open(image) {
    this.image = image;
    this.fit();
  }

  /**
   * Follow a stage that changed its size.
   * @param {Size} stage in screen pixels
   */
  resize(stage) {
    const centre = this.toImage({ x: this.stage[0] / 2, y: this.stage[1] / 2 });
    this.stage = stage;
    if (this.isFitted) this.fit();
    else this.#place(centre, { x: stage[0] / 2, y: stage[1] / 2 });
  }

  fit() {
    this.scale = this.fitScale;
    this.left = (this.stage[0] - this.image[0] * this.scale) / 2;
    this.top = (this.stage[1] - this.image[1] * this.scale) / 2;
    this.isFitted = true;
  }

  /** The scale at which the whole image fits the stage. */
  get fitScale() {
    return this.fitScaleOf(this.image);
  }

  /**
   * @param {Size} image
   * @returns {number} the scale at which that image would fit the stage
   */
  fitScaleOf(image) {
    const room = this.stage.map((side) => Math.max(side - 2 * MARGIN, 16));
    return Math.min(room[0] / image[0], room[1] / image[1], LARGEST_SCALE);
  }

  /**
   * @param {number} factor
   * @param {Point} [at] the point of the screen that stays where it is; the centre by default
   */
  zoom(factor, at = { x: this.stage[0] / 2, y: this.stage[1] / 2 }) {
    const fixed = this.toImage(at);
    this.scale = clamp(this.scale * factor, this.fitScale / 2, LARGEST_SCALE);
    this.#place(fixed, at);
  }

  /**
   * @param {number} x screen pixels
   * @param {number} y screen pixels
   */
  pan(x, y) {
    this.left += x;
    this.top += y;
    this.isFitted = false;
    this.#keepInSight();
  }

  /**
   * @param {Point} point on the screen, relative to the stage
   * @returns {Point} in pixels of the image
   */
  toImage(point) {
    return { x: (point.x - this.left) / this.scale, y: (point.y - this.top) / this.scale };
  }

  /**
   * @param {Point} point in pixels of the image
   * @returns {Point} on the screen, relative to the stage
   */
  toScreen(point) {
    return { x: point.x * this.scale + this.left, y: point.y * this.scale + this.top };
  }

  /**
   * @param {Box} box in pixels of the image
   * @returns {Box} on the screen
   */
  boxToScreen(box) {
    const low = this.toScreen({ x: box[0], y: box[1] });
    const high = this.toScreen({ x: box[2], y: box[3] });
    return [low.x, low.y, high.x, high.y];
  }

  /**
   * Put a point of the image at a point of the screen.
   * @param {Point} point
   * @param {Point} at
   */
  #place(point, at) {
    this.left = at.x - point.x * this.scale;
    this.top = at.y - point.y * this.scale;
    this.isFitted = false;
    this.#keepInSight();
  }

  #keepInSight() {
    const [width, height] = this.image.map((side) => side * this.scale);
    this.left = clamp(this.left, KEPT - width, this.stage[0] - KEPT);
    this.top = clamp(this.top, KEPT - height, this.stage[1] - KEPT);
  }
}
