/**
 * The editor of one draft: every change goes through it, and it can undo them.
 *
 * A drag previews many boxes and commits one, so it is undone in one step.
 */

import { emptyDraft, isSame } from "./draft.js";
import { boxAround, clamp, nudge, PART_ORDER, snap } from "./geometry.js";

/** @typedef {import("./draft.js").Draft} Draft */
/** @typedef {import("./api.js").Keypoint} Keypoint */
/** @typedef {import("./geometry.js").Point} Point */
/** @typedef {import("./geometry.js").Size} Size */

const MIDDLE_SHARE = 0.25; // a box that the keyboard starts leaves this share of the image free a side
const NEXT_VISIBILITY = { 2: 1, 1: 0, 0: 2 };

export class BoxEditor {
  /** @type {Size} */
  size = [1, 1];
  /** @type {Draft} */
  draft = emptyDraft(0);
  /** The part that the arrow keys move: a key of `EDGES_OF`, or "keypoint". */
  part = "box";
  /** Index of the selected keypoint; -1 without keypoints. */
  keypoint = -1;
  /** Whether four clicks on extreme points make a box. */
  usesExtremes = false;
  /** Whether nothing can be changed: the picture cannot be shown. */
  isReadOnly = false;

  /** @type {Draft} */
  #opened = this.draft;
  /** @type {Draft} */
  #committed = this.draft;
  /** @type {Draft[]} */
  #past = [];
  /** @type {Draft[]} */
  #future = [];

  /** @param {() => void} changed is called after each change of the draft or of what is selected */
  constructor(changed) {
    this.changed = changed;
  }

  /**
   * @param {Size} size of the image
   * @param {Draft} draft
   */
  open(size, draft) {
    this.size = size;
    this.draft = this.#opened = this.#committed = draft;
    this.#past = [];
    this.#future = [];
    this.part = "box";
    this.keypoint = this.#nextUnplaced();
    this.changed();
  }

  /** Whether the draft differs from the one that was opened. */
  get isTouched() {
    return !isSame(this.draft, this.#opened);
  }

  /**
   * Make a change that one step undoes.
   * @param {Partial<Draft>} change
   */
  change(change) {
    this.preview(change);
    this.commit();
  }

  /**
   * Show a change that is not decided yet.
   * @param {Partial<Draft>} change
   */
  preview(change) {
    if (this.isReadOnly) return;
    this.draft = { ...this.#committed, ...change };
    this.changed();
  }

  /** Decide for what is shown. */
  commit() {
    if (isSame(this.draft, this.#committed)) return;
    this.#past.push(this.#committed);
    this.#future = [];
    this.#committed = this.draft;
  }

  /** Take back what is shown and not decided. */
  revert() {
    this.draft = this.#committed;
    this.changed();
  }

  /** @returns {boolean} whether there was something to undo */
  undo() {
    return this.#step(this.#past, this.#future);
  }

  /** @returns {boolean} whether there was something to redo */
  redo() {
    return this.#step(this.#future, this.#past);
  }

  /** @param {string} label the class */
  choose(label) {
    this.change({ label, isAbsent: false });
  }

  /** Take the box and its keypoints away; the class stays. */
  clear() {
    this.part = "box";
    const empty = emptyDraft(this.draft.keypoints?.length ?? 0);
    this.change({ ...empty, label: this.draft.label });
    this.keypoint = this.#nextUnplaced();
    this.changed();
  }

  /** Start a box in the middle of the image, for the arrow keys to move. */
  startInMiddle() {
    const [width, height] = this.size;
    const low = { x: width * MIDDLE_SHARE, y: height * MIDDLE_SHARE };
    const high = { x: width - low.x, y: height - low.y };
    this.part = "top-left";
    this.change({ box: boxAround([low, high], this.size, 1), isAbsent: false, extremes: [] });
  }

  /**
   * Take one of the four extreme points; the fourth makes the box.
   * @param {Point} point in pixels of the image
   * @param {number} grid
   */
  addExtreme(point, grid) {
    const extremes = [...this.draft.extremes, point];
    const isBox = extremes.length === 4;
    this.part = "box";
    this.change({
      box: isBox ? boxAround(extremes, this.size, grid) : null,
      extremes: isBox ? [] : extremes,
      isAbsent: false,
    });
  }

  /**
   * Put the selected keypoint somewhere, and select the next one that has no place.
   * @param {Point} point in pixels of the image
   * @param {number} grid
   */
  placeKeypoint(point, grid) {
    const visibility = this.draft.keypoints?.[this.keypoint][2] || 2;
    this.change(this.movedKeypoint(this.keypoint, point, visibility, grid));
    this.keypoint = this.#nextUnplaced();
    this.changed();
  }

  /**
   * @param {number} index
   * @param {Point} point in pixels of the image
   * @param {number} visibility
   * @param {number} grid
   * @returns {Partial<Draft>} the change that puts a keypoint somewhere in the image
   */
  movedKeypoint(index, point, visibility, grid) {
    const x = clamp(snap(point.x, grid), 0, this.size[0]);
    const y = clamp(snap(point.y, grid), 0, this.size[1]);
    const placed = /** @type {Keypoint} */ ([x, y, visibility]);
    return { keypoints: this.draft.keypoints?.with(index, placed) ?? null };
  }

  /** Whether a click places a keypoint: a box is there, and a keypoint still has no place. */
  get awaitsKeypoint() {
    const point = this.draft.keypoints?.[this.keypoint];
    return Boolean(this.draft.box && point && point[2] === 0);
  }

  /** Visible, hidden, not labelled, and round again. One that has no place yet appears in the box. */
  toggleVisibility() {
    const point = this.draft.keypoints?.[this.keypoint];
    if (!point || !this.draft.box) return;
    const [x_min, y_min, x_max, y_max] = this.draft.box;
    const isNowhere = isSame(point, [0, 0, 0]);
    const at = isNowhere ? { x: (x_min + x_max) / 2, y: (y_min + y_max) / 2 } : { x: point[0], y: point[1] };
    this.part = "keypoint";
    this.change(this.movedKeypoint(this.keypoint, at, NEXT_VISIBILITY[point[2]], isNowhere ? 1 : 1e-4));
  }

  /** @param {number} index of the keypoint to select */
  selectKeypoint(index) {
    this.keypoint = index;
    this.part = "keypoint";
    this.changed();
  }

  /** @param {1 | -1} step */
  cycleKeypoint(step) {
    const count = this.draft.keypoints?.length ?? 0;
    if (count) this.selectKeypoint((this.keypoint + step + count) % count);
  }

  /** @param {string} part a key of `EDGES_OF` */
  selectPart(part) {
    this.part = part;
    this.changed();
  }

  /** @param {1 | -1} step */
  cyclePart(step) {
    const count = PART_ORDER.length;
    const index = PART_ORDER.indexOf(this.part);
    this.selectPart(PART_ORDER[(index + step + count) % count]);
  }

  /**
   * Move the selected part by pixels of the image.
   * @param {Point} delta
   */
  nudge(delta) {
    const point = this.draft.keypoints?.[this.keypoint];
    if (this.part === "keypoint" && point?.[2]) {
      const moved = { x: point[0] + delta.x, y: point[1] + delta.y };
      this.change(this.movedKeypoint(this.keypoint, moved, point[2], 1e-4));
    } else if (this.draft.box && this.part !== "keypoint") {
      this.change({ box: nudge(this.draft.box, this.part, delta, this.size) });
    }
  }

  /**
   * @param {Draft[]} from
   * @param {Draft[]} to
   */
  #step(from, to) {
    const draft = from.pop();
    if (!draft) return false;
    to.push(this.#committed);
    this.draft = this.#committed = draft;
    this.keypoint = this.#nextUnplaced();
    this.changed();
    return true;
  }

  #nextUnplaced() {
    const points = this.draft.keypoints;
    if (!points) return -1;
    return Math.max(points.findIndex((point) => point[2] === 0), 0);
  }
}
