/**
 * Boxes as pure geometry.
 *
 * One convention holds on both pages. A box is `[x_min, y_min, x_max, y_max]` in pixels of the
 * upright image, x rightwards, y downwards, origin at the outer corner of the top-left pixel. Edges
 * are continuous, so a width is `x_max - x_min` and never `+ 1`.
 */

/** @typedef {[number, number, number, number]} Box */
/** @typedef {{x: number, y: number}} Point */
/** @typedef {[number, number]} Size width and height */

/**
 * Which edges of a box each of its parts moves, as indices of the box.
 * @type {Record<string, number[]>}
 */
export const EDGES_OF = {
  box: [0, 1, 2, 3],
  left: [0],
  top: [1],
  right: [2],
  bottom: [3],
  "top-left": [0, 1],
  "top-right": [2, 1],
  "bottom-left": [0, 3],
  "bottom-right": [2, 3],
};

/** The parts in the order in which a key selects them: two corners are enough for any box. */
export const PART_ORDER = ["box", "top-left", "bottom-right", "left", "top", "right", "bottom"];

const SMALLEST = 1; // side of a box in pixels: a smaller one shows no pixel
const PRECISION = 1e4; // hides the noise of binary fractions, far below a tenth of a pixel

/**
 * The grid of drawn coordinates, in pixels of the image. A tenth of a pixel is only worth keeping
 * where the eye can see it.
 * @param {number} scale screen pixels per pixel of the image
 * @returns {number}
 */
export function gridOf(scale) {
  return scale >= 2 ? 0.1 : 1;
}

/**
 * @param {number} value
 * @param {number} grid
 * @returns {number} the nearest multiple of `grid`
 */
export function snap(value, grid) {
  return tidy(Math.round(value / grid) * grid);
}

/**
 * @param {number} value
 * @param {number} low
 * @param {number} high
 */
export function clamp(value, low, high) {
  return Math.min(Math.max(value, low), high);
}

/**
 * The smallest box around points, snapped to the grid, inside the image, at least 1 pixel a side.
 * @param {Point[]} points
 * @param {Size} size of the image
 * @param {number} grid
 * @returns {Box}
 */
export function boxAround(points, size, grid) {
  const [x_min, x_max] = range(points.map((point) => point.x), size[0], grid);
  const [y_min, y_max] = range(points.map((point) => point.y), size[1], grid);
  return [x_min, y_min, x_max, y_max];
}

/**
 * Move one part of a box. Edges that do not move keep their exact value.
 * @param {Box} box
 * @param {string} part a key of `EDGES_OF`
 * @param {Point} delta pixels of the image
 * @param {Size} size of the image
 * @param {number} grid
 * @returns {Box}
 */
export function movePart(box, part, delta, size, grid) {
  return part === "box" ? moveAll(box, delta, size, grid) : moveEdges(box, part, delta, size, grid);
}

/**
 * @param {Box} box
 * @param {Point} delta
 * @param {Size} size
 * @param {number} grid
 * @returns {Box}
 */
function moveAll(box, delta, size, grid) {
  const x = clamp(snap(delta.x, grid), -box[0], size[0] - box[2]);
  const y = clamp(snap(delta.y, grid), -box[1], size[1] - box[3]);
  return [tidy(box[0] + x), tidy(box[1] + y), tidy(box[2] + x), tidy(box[3] + y)];
}

/**
 * @param {Box} box
 * @param {string} part
 * @param {Point} delta
 * @param {Size} size
 * @param {number} grid
 * @returns {Box}
 */
function moveEdges(box, part, delta, size, grid) {
  const moved = /** @type {Box} */ ([...box]);
  for (const edge of EDGES_OF[part]) {
    const isX = edge % 2 === 0;
    const change = isX ? delta.x : delta.y;
    // An edge that does not move is not snapped: a proposal keeps its fractions there.
    const wanted = change === 0 ? box[edge] : snap(box[edge] + change, grid);
    const opposite = box[(edge + 2) % 4];
    const limit = isX ? size[0] : size[1];
    moved[edge] = tidy(
      edge < 2 ? clamp(wanted, 0, opposite - SMALLEST) : clamp(wanted, opposite + SMALLEST, limit),
    );
  }
  return moved;
}

/**
 * Move one part by whole pixels, as the arrow keys do: nothing is snapped, so a box returns to its
 * exact place when it is moved there and back.
 * @param {Box} box
 * @param {string} part
 * @param {Point} delta
 * @param {Size} size
 * @returns {Box}
 */
export function nudge(box, part, delta, size) {
  return movePart(box, part, delta, size, 1 / PRECISION);
}

/**
 * The part of a box under a point. A side is found along its whole length, within `reach` outside
 * and at most a quarter of the box inside, so that the inside of a small box can still be moved.
 * @param {Box} box in screen pixels
 * @param {Point} point in screen pixels
 * @param {number} reach in screen pixels
 * @returns {string | null} a key of `EDGES_OF`; null outside
 */
export function partAt(box, point, reach) {
  const across = zone(point.x, box[0], box[2], reach);
  const down = zone(point.y, box[1], box[3], reach);
  if (across === null || down === null) return null;
  const vertical = ["top", "", "bottom"][down];
  const horizontal = ["left", "", "right"][across];
  return [vertical, horizontal].filter(Boolean).join("-") || "box";
}

/**
 * @param {Box} a
 * @param {Box} b
 * @returns {number} intersection over union
 */
export function iou(a, b) {
  const width = Math.max(0, Math.min(a[2], b[2]) - Math.max(a[0], b[0]));
  const height = Math.max(0, Math.min(a[3], b[3]) - Math.max(a[1], b[1]));
  const shared = width * height;
  return shared / (areaOf(a) + areaOf(b) - shared);
}

/** @param {Box} box */
export function areaOf(box) {
  return (box[2] - box[0]) * (box[3] - box[1]);
}

/**
 * @param {Point} a
 * @param {Point} b
 */
export function distance(a, b) {
  return Math.hypot(a.x - b.x, a.y - b.y);
}

/**
 * @param {number} value
 * @param {number} low
 * @param {number} high
 * @param {number} reach
 * @returns {number | null} 0 near the low edge, 1 between, 2 near the high edge; null outside
 */
function zone(value, low, high, reach) {
  const inner = Math.min(reach, (high - low) / 4);
  if (value < low - reach || value > high + reach) return null;
  if (value <= low + inner) return 0;
  return value >= high - inner ? 2 : 1;
}

/**
 * @param {number[]} values
 * @param {number} limit
 * @param {number} grid
 * @returns {[number, number]} smallest and largest value, at least `SMALLEST` apart, in the image
 */
function range(values, limit, grid) {
  const low = clamp(snap(Math.min(...values), grid), 0, limit - SMALLEST);
  const high = clamp(snap(Math.max(...values), grid), low + SMALLEST, limit);
  return [low, high];
}

/** @param {number} value */
function tidy(value) {
  return Math.round(value * PRECISION) / PRECISION;
}
