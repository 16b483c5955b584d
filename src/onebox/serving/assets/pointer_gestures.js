/**
 * Mouse, pen and fingers as gestures: press and drag, click, pinch, pan, wheel.
 *
 * A gesture is a drag once the pointer has moved a little; before that it is a click. A second
 * finger turns a drag into a pinch, and the drag is taken back.
 */

import { distance } from "./geometry.js";

/** @typedef {import("./geometry.js").Point} Point */
/** @typedef {{move(point: Point): void, end(): void, cancel(): void}} Drag */
/** @typedef {{isTouch: boolean, isFresh: boolean}} How whether a finger; whether Shift is held */
/**
 * @typedef {object} Handlers all points are relative to the element
 * @property {(start: Point, how: How) => Drag} drag
 * @property {(point: Point, how: How) => void} click
 * @property {(point: Point | null, how: How) => void} hover
 * @property {(x: number, y: number) => void} pan
 * @property {(factor: number, at: Point) => void} zoom
 */

const MOVED = { mouse: 3, touch: 8 }; // screen pixels from which a gesture is a drag; not tuned
const WHEEL = 0.0015; // zoom per pixel of the wheel; not tuned
const PINCH_WHEEL = 0.01; // touchpads send a pinch as small steps of the wheel with Ctrl
const MIDDLE = 1;

export class PointerGestures {
  /** @type {Map<number, Point>} */
  #pointers = new Map();
  /** @type {{start: Point, how: How} | null} */
  #pressed = null;
  /** @type {Drag | null} */
  #drag = null;
  #isPanning = false;
  /** While true, the left button pans: the space bar is held. */
  isPanHeld = false;

  /**
   * @param {HTMLElement} element
   * @param {Handlers} handlers
   */
  constructor(element, handlers) {
    this.element = element;
    this.handlers = handlers;
    element.addEventListener("pointerdown", (event) => this.#down(event));
    element.addEventListener("pointermove", (event) => this.#move(event));
    element.addEventListener("pointerup", (event) => this.#up(event));
    element.addEventListener("pointercancel", (event) => this.#cancel(event));
    element.addEventListener("pointerleave", (event) => handlers.hover(null, howOf(event)));
    element.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    // The middle button would scroll, a long touch would open a menu.
    element.addEventListener("mousedown", (event) => event.button === MIDDLE && event.preventDefault());
    element.addEventListener("contextmenu", (event) => event.preventDefault());
  }

  /** Take a drag back, as if it had not begun. */
  abort() {
    this.#drag?.cancel();
    this.#drag = null;
    this.#pressed = null;
  }

  /** @param {PointerEvent} event */
  #down(event) {
    if (event.button > MIDDLE) return;
    this.element.setPointerCapture(event.pointerId);
    const point = this.#point(event);
    this.#pointers.set(event.pointerId, point);
    if (this.#pointers.size > 1) this.#startPinch();
    else if (event.button === MIDDLE || this.isPanHeld) this.#isPanning = true;
    else this.#pressed = { start: point, how: howOf(event) };
  }

  /** @param {PointerEvent} event */
  #move(event) {
    const point = this.#point(event);
    const before = this.#pointers.get(event.pointerId);
    if (!before) {
      this.handlers.hover(point, howOf(event));
      return;
    }
    if (this.#pointers.size > 1) this.#pinch(event.pointerId, point);
    else if (this.#isPanning) this.handlers.pan(point.x - before.x, point.y - before.y);
    else this.#follow(point);
    this.#pointers.set(event.pointerId, point);
  }

  /** @param {Point} point */
  #follow(point) {
    if (this.#pressed && !this.#drag) {
      const { start, how } = this.#pressed;
      const isFar = distance(start, point) > MOVED[how.isTouch ? "touch" : "mouse"];
      if (isFar) this.#drag = this.handlers.drag(start, how);
    }
    this.#drag?.move(point);
  }

  /** @param {PointerEvent} event */
  #up(event) {
    if (!this.#pointers.delete(event.pointerId)) return;
    if (this.#drag) this.#drag.end();
    else if (this.#pressed) this.handlers.click(this.#pressed.start, this.#pressed.how);
    this.#drag = null;
    this.#pressed = null;
    if (this.#pointers.size === 0) this.#isPanning = false;
  }

  /** @param {PointerEvent} event */
  #cancel(event) {
    this.#pointers.delete(event.pointerId);
    this.abort();
    if (this.#pointers.size === 0) this.#isPanning = false;
  }

  #startPinch() {
    this.abort();
    this.#isPanning = true; // the finger that stays longest goes on moving the image
  }

  /**
   * @param {number} id of the pointer that moves
   * @param {Point} point
   */
  #pinch(id, point) {
    const [first, second] = [...this.#pointers.keys()];
    if (id !== first && id !== second) return;
    const still = /** @type {Point} */ (this.#pointers.get(id === first ? second : first));
    const before = /** @type {Point} */ (this.#pointers.get(id));
    const [from, to] = [middle(still, before), middle(still, point)];
    this.handlers.pan(to.x - from.x, to.y - from.y);
    this.handlers.zoom(distance(still, point) / Math.max(distance(still, before), 1), to);
  }

  /** @param {WheelEvent} event */
  #wheel(event) {
    event.preventDefault();
    const pixels = event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1);
    const factor = Math.exp(-pixels * (event.ctrlKey ? PINCH_WHEEL : WHEEL));
    this.handlers.zoom(factor, this.#point(event));
  }

  /**
   * @param {MouseEvent} event
   * @returns {Point}
   */
  #point(event) {
    const { left, top } = this.element.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  }
}

/**
 * @param {PointerEvent} event
 * @returns {How}
 */
function howOf(event) {
  return { isTouch: event.pointerType === "touch", isFresh: event.shiftKey };
}

/**
 * @param {Point} a
 * @param {Point} b
 * @returns {Point}
 */
function middle(a, b) {
  return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
}
