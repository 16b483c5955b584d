/**
 * The stage: a picture with its box, large, to look at and to draw on.
 *
 * For scripts, the element `stage` states how it maps the image to the screen: `data-image-id`,
 * `data-scale` (screen pixels per pixel of the image), `data-left` and `data-top` (the image's
 * top-left corner, in screen pixels relative to the element), and `data-state`, which is "ready"
 * once the picture is shown.
 */

import { boxAround, distance, gridOf, movePart, partAt } from "./geometry.js";
import { paint } from "./painter.js";
import { PointerGestures } from "./pointer_gestures.js";
import { Viewport } from "./viewport.js";

/** @typedef {import("./geometry.js").Point} Point */
/** @typedef {import("./geometry.js").Size} Size */
/** @typedef {import("./pointer_gestures.js").Drag} Drag */
/** @typedef {import("./pointer_gestures.js").How} How */

const REACH = { mouse: 12, touch: 22 }; // half a target: 24 pixels for a mouse, 44 for a finger
const CURSORS = {
  box: "move", left: "ew-resize", right: "ew-resize", top: "ns-resize", bottom: "ns-resize",
  "top-left": "nwse-resize", "bottom-right": "nwse-resize",
  "top-right": "nesw-resize", "bottom-left": "nesw-resize",
};

export class Stage {
  view = new Viewport();
  /** @type {CanvasImageSource | null} */
  picture = null;
  /** @type {import("./painter.js").OtherBox[]} */
  others = [];
  /** @type {[number, number][]} */
  skeleton = [];
  isProposal = false;
  /** @type {Point | null} */
  #cursor = null;
  #frame = 0;

  /**
   * @param {HTMLElement} element
   * @param {HTMLCanvasElement} canvas inside it
   * @param {import("./box_editor.js").BoxEditor} editor
   * @param {() => void} viewed is called after each change of the view
   */
  constructor(element, canvas, editor, viewed) {
    this.element = element;
    this.canvas = canvas;
    this.editor = editor;
    this.viewed = viewed;
    this.context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    this.gestures = new PointerGestures(element, {
      drag: (start, how) => this.#startDrag(start, how),
      click: (point, how) => this.#click(point, how),
      hover: (point, how) => this.#hover(point, how),
      pan: (x, y) => this.#look(() => this.view.pan(x, y)),
      zoom: (factor, at) => this.#look(() => this.view.zoom(factor, at)),
    });
    new ResizeObserver(() => this.#resize()).observe(element);
    this.#resize();
  }

  /**
   * Make room for an image; its picture follows by `reveal`.
   * @param {string} id
   * @param {Size} size
   */
  open(id, size) {
    this.gestures.abort();
    this.picture = null;
    this.element.dataset.imageId = id;
    this.element.dataset.state = "loading";
    this.#look(() => this.view.open(size));
  }

  /** @param {CanvasImageSource} picture of the whole image, at any size */
  reveal(picture) {
    this.picture = picture;
    this.#paint();
    this.element.dataset.state = "ready";
  }

  /** Show no image at all. */
  close() {
    this.picture = null;
    this.element.dataset.imageId = "";
    this.element.dataset.state = "empty";
    this.redraw();
  }

  get isReady() {
    return this.element.dataset.state === "ready";
  }

  /** @param {number} factor */
  zoom(factor) {
    this.#look(() => this.view.zoom(factor));
  }

  fit() {
    this.#look(() => this.view.fit());
  }

  /** Side in device pixels that the picture needs to look sharp at the present zoom. */
  get sharpSide() {
    return Math.max(...this.view.image) * this.view.scale * devicePixelRatio;
  }

  /** Draw again before the next frame. */
  redraw() {
    this.#frame ||= requestAnimationFrame(() => this.#paint());
  }

  #paint() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    const { view, picture, editor, isProposal, others, skeleton } = this;
    const cursor = picture ? this.#cursor : null;
    const { dataset } = this.element;
    const isShown = dataset.state !== "empty";
    dataset.box = editor.draft.box?.join(" ") ?? "";
    dataset.isProposal = String(isProposal);
    const scene = { view, picture, editor, isProposal, others: isShown ? others : [], skeleton, cursor };
    paint(this.context, scene, devicePixelRatio);
  }

  #resize() {
    const { clientWidth, clientHeight } = this.element;
    if (!clientWidth || !clientHeight) return;
    this.canvas.width = Math.round(clientWidth * devicePixelRatio);
    this.canvas.height = Math.round(clientHeight * devicePixelRatio);
    this.#look(() => this.view.resize([clientWidth, clientHeight]));
    this.#paint(); // a canvas that changes its size is empty until then
  }

  /** @param {() => void} change of the view */
  #look(change) {
    change();
    const { dataset } = this.element;
    dataset.scale = String(this.view.scale);
    dataset.left = String(this.view.left);
    dataset.top = String(this.view.top);
    this.viewed();
    this.redraw();
  }

  /**
   * @param {Point} start
   * @param {How} how
   * @returns {Drag}
   */
  #startDrag(start, how) {
    const keypoint = how.isFresh ? -1 : this.#keypointAt(start, how);
    if (keypoint >= 0) return this.#dragKeypoint(start, keypoint);
    const part = how.isFresh ? null : this.#partAt(start, how);
    return part ? this.#dragPart(start, part) : this.#dragNew(start);
  }

  /**
   * @param {Point} start
   * @returns {Drag}
   */
  #dragNew(start) {
    const from = this.view.toImage(start);
    this.editor.part = "box";
    return this.#drag((point) => {
      const box = boxAround([from, this.view.toImage(point)], this.editor.size, this.grid);
      return { box, extremes: [], isAbsent: false };
    });
  }

  /**
   * @param {Point} start
   * @param {string} part
   * @returns {Drag}
   */
  #dragPart(start, part) {
    const box = /** @type {import("./geometry.js").Box} */ (this.editor.draft.box);
    this.editor.selectPart(part);
    return this.#drag((point) => {
      const delta = { x: (point.x - start.x) / this.view.scale, y: (point.y - start.y) / this.view.scale };
      return { box: movePart(box, part, delta, this.editor.size, this.grid) };
    });
  }

  /**
   * @param {Point} start
   * @param {number} index
   * @returns {Drag}
   */
  #dragKeypoint(start, index) {
    const [x, y, visibility] = this.editor.draft.keypoints?.[index] ?? [0, 0, 0];
    const at = this.view.toScreen({ x, y });
    this.editor.selectKeypoint(index);
    return this.#drag((point) => {
      const moved = this.view.toImage({ x: at.x + point.x - start.x, y: at.y + point.y - start.y });
      return this.editor.movedKeypoint(index, moved, visibility, this.grid);
    });
  }

  /**
   * @param {(point: Point) => Partial<import("./draft.js").Draft>} changeAt
   * @returns {Drag}
   */
  #drag(changeAt) {
    return {
      move: (point) => this.editor.preview(changeAt(point)),
      end: () => this.editor.commit(),
      cancel: () => this.editor.revert(),
    };
  }

  /**
   * @param {Point} point
   * @param {How} how
   */
  #click(point, how) {
    const { editor, view, grid } = this;
    const keypoint = this.#keypointAt(point, how);
    if (keypoint >= 0) editor.selectKeypoint(keypoint);
    else if (editor.awaitsKeypoint) editor.placeKeypoint(view.toImage(point), grid);
    else if (editor.usesExtremes) editor.addExtreme(view.toImage(point), grid);
    else editor.selectPart(this.#partAt(point, how) ?? "box");
  }

  /**
   * @param {Point | null} point
   * @param {How} how
   */
  #hover(point, how) {
    this.#cursor = how.isTouch ? null : point;
    const part = point && !how.isFresh ? this.#partAt(point, how) : null;
    const isKeypoint = point && this.#keypointAt(point, how) >= 0;
    this.element.style.cursor = isKeypoint ? "grab" : part ? CURSORS[part] : "crosshair";
    if (!this.editor.draft.box) this.redraw();
  }

  /** The grid of drawn coordinates at the present zoom, in pixels of the image. */
  get grid() {
    return gridOf(this.view.scale);
  }

  /**
   * @param {Point} point
   * @param {How} how
   * @returns {string | null}
   */
  #partAt(point, how) {
    const { box } = this.editor.draft;
    return box && partAt(this.view.boxToScreen(box), point, reachOf(how));
  }

  /**
   * @param {Point} point
   * @param {How} how
   * @returns {number} index of the keypoint under a point; -1 if there is none
   */
  #keypointAt(point, how) {
    const isNear = ([x, y, visibility]) =>
      visibility > 0 && distance(this.view.toScreen({ x, y }), point) <= reachOf(how);
    return (this.editor.draft.keypoints ?? []).findIndex(isNear);
  }
}

/** @param {How} how */
function reachOf({ isTouch }) {
  return isTouch ? REACH.touch : REACH.mouse;
}
