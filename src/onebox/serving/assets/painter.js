/** Draws the stage: the picture, boxes, handles and keypoints. */

/** @typedef {import("./geometry.js").Box} Box */
/** @typedef {import("./geometry.js").Point} Point */
/** @typedef {import("./viewport.js").Viewport} Viewport */
/** @typedef {{color: string, dash: number[]}} Stroke */
/** @typedef {{box: Box, kind: keyof typeof STROKES, words: string}} OtherBox beside the draft's */
/**
 * @typedef {object} Scene
 * @property {Viewport} view
 * @property {CanvasImageSource | null} picture
 * @property {import("./box_editor.js").BoxEditor} editor
 * @property {boolean} isProposal whether the draft is a proposal that was not touched
 * @property {OtherBox[]} others
 * @property {[number, number][]} skeleton
 * @property {Point | null} cursor
 */

/**
 * Colours that stay apart for colour-blind eyes (Okabe and Ito); a line of another pattern each, so
 * that nothing depends on colour alone.
 * @type {Record<string, Stroke>}
 */
export const STROKES = {
  draft: { color: "#ffb000", dash: [] },
  proposal: { color: "#ffb000", dash: [9, 6] },
  theirs: { color: "#56b4e9", dash: [2, 5] },
  suggested: { color: "#f0a6d8", dash: [12, 4, 3, 4] },
  outer: { color: "#56b4e9", dash: [5, 5] },
};

const HALO = "rgb(0 0 0 / 60%)"; // behind every line, so that it shows on any picture
const SHADE = "rgb(0 0 0 / 22%)";
const ACTIVE = "#ffffff";
const HANDLE = 5; // half the side of a drawn handle in screen pixels
const ROOM_FOR_SIDES = 56; // a shorter side has no handle of its own, as it would hide the corners
const FONT = "600 12px system-ui, sans-serif";
const HIDDEN = 1;

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Scene} scene
 * @param {number} density canvas pixels per screen pixel
 */
export function paint(context, scene, density) {
  const { view, editor } = scene;
  context.setTransform(density, 0, 0, density, 0, 0);
  context.clearRect(0, 0, view.stage[0], view.stage[1]);
  paintPicture(context, scene);
  const { box, extremes } = editor.draft;
  if (box) shadeAround(context, view.boxToScreen([0, 0, ...view.image]), view.boxToScreen(box));
  for (const other of scene.others) paintOther(context, view, other);
  if (box) paintDraft(context, scene, view.boxToScreen(box));
  else if (scene.cursor) paintCursor(context, view, scene.cursor);
  for (const point of extremes) paintDot(context, view.toScreen(point), STROKES.draft.color, 5);
  if (box) paintKeypoints(context, scene);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Scene} scene
 */
function paintPicture(context, { view, picture }) {
  if (!picture) return;
  // Single pixels stay sharp when they are large enough to be counted.
  context.imageSmoothingEnabled = view.scale < 4;
  context.imageSmoothingQuality = "high";
  const [width, height] = view.image.map((side) => side * view.scale);
  context.drawImage(picture, view.left, view.top, width, height);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Box} frame
 * @param {Box} box
 */
function shadeAround(context, frame, box) {
  context.fillStyle = SHADE;
  context.beginPath();
  context.rect(frame[0], frame[1], frame[2] - frame[0], frame[3] - frame[1]);
  context.rect(box[0], box[1], box[2] - box[0], box[3] - box[1]);
  context.fill("evenodd");
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Scene} scene
 * @param {Box} box on the screen
 */
function paintDraft(context, { editor, isProposal }, box) {
  const stroke = isProposal ? STROKES.proposal : STROKES.draft;
  strokeBox(context, box, stroke, 2);
  for (const [part, point] of Object.entries(handlesOf(box))) {
    paintHandle(context, point, editor.part === part ? ACTIVE : stroke.color);
  }
  if (!["box", "keypoint"].includes(editor.part)) paintActive(context, box, editor.part);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Box} box on the screen
 * @param {string} part
 */
function paintActive(context, box, part) {
  const [left, top, right, bottom] = box;
  context.beginPath();
  for (const side of part.split("-")) {
    const x = { left: [left, left], right: [right, right] }[side] ?? [left, right];
    const y = { top: [top, top], bottom: [bottom, bottom] }[side] ?? [top, bottom];
    context.moveTo(x[0], y[0]);
    context.lineTo(x[1], y[1]);
  }
  context.strokeStyle = ACTIVE;
  context.lineWidth = 2;
  context.setLineDash([]);
  context.stroke();
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Viewport} view
 * @param {OtherBox} other
 */
function paintOther(context, view, { box, kind, words }) {
  const onScreen = view.boxToScreen(box);
  strokeBox(context, onScreen, STROKES[kind], 2);
  paintTag(context, words, { x: onScreen[0], y: onScreen[1] }, STROKES[kind].color);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Box} box on the screen
 * @param {Stroke} stroke
 * @param {number} width
 */
export function strokeBox(context, box, stroke, width) {
  const [x, y, x_max, y_max] = box;
  context.setLineDash([]);
  context.lineWidth = width + 2;
  context.strokeStyle = HALO;
  context.strokeRect(x, y, x_max - x, y_max - y);
  context.setLineDash(stroke.dash);
  context.lineWidth = width;
  context.strokeStyle = stroke.color;
  context.strokeRect(x, y, x_max - x, y_max - y);
  context.setLineDash([]);
}

/**
 * @param {Box} box on the screen
 * @returns {Record<string, Point>} the middle of each handle
 */
function handlesOf([left, top, right, bottom]) {
  const [x, y] = [(left + right) / 2, (top + bottom) / 2];
  const corners = {
    "top-left": { x: left, y: top }, "top-right": { x: right, y: top },
    "bottom-left": { x: left, y: bottom }, "bottom-right": { x: right, y: bottom },
  };
  const level = right - left < ROOM_FOR_SIDES ? {} : { top: { x, y: top }, bottom: { x, y: bottom } };
  const upright = bottom - top < ROOM_FOR_SIDES ? {} : { left: { x: left, y }, right: { x: right, y } };
  return { ...corners, ...level, ...upright };
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Point} point
 * @param {string} color
 */
function paintHandle(context, { x, y }, color) {
  context.fillStyle = color;
  context.strokeStyle = HALO;
  context.lineWidth = 1.5;
  context.beginPath();
  context.roundRect(x - HANDLE, y - HANDLE, 2 * HANDLE, 2 * HANDLE, 2);
  context.fill();
  context.stroke();
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {string} words
 * @param {Point} at the corner that the words stand above
 * @param {string} color
 */
function paintTag(context, words, at, color) {
  context.font = FONT;
  const width = context.measureText(words).width + 12;
  const y = Math.max(at.y - 22, 2);
  context.fillStyle = "rgb(0 0 0 / 80%)";
  context.beginPath();
  context.roundRect(Math.max(at.x, 2), y, width, 20, 4);
  context.fill();
  context.fillStyle = color;
  context.textBaseline = "middle";
  context.fillText(words, Math.max(at.x, 2) + 6, y + 10.5);
}

/**
 * Two thin lines through the pointer show which rows and columns a box would begin at.
 * @param {CanvasRenderingContext2D} context
 * @param {Viewport} view
 * @param {Point} cursor on the screen
 */
function paintCursor(context, view, cursor) {
  for (const [color, offset] of [["rgb(0 0 0 / 45%)", 1], ["rgb(255 255 255 / 75%)", 0]]) {
    context.fillStyle = /** @type {string} */ (color);
    context.fillRect(0, cursor.y + Number(offset), view.stage[0], 1);
    context.fillRect(cursor.x + Number(offset), 0, 1, view.stage[1]);
  }
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Scene} scene
 */
function paintKeypoints(context, { view, editor, skeleton }) {
  const points = editor.draft.keypoints ?? [];
  context.strokeStyle = "rgb(255 255 255 / 70%)";
  context.lineWidth = 1.5;
  for (const [from, to] of skeleton) {
    if (!points[from]?.[2] || !points[to]?.[2]) continue;
    const [a, b] = [points[from], points[to]].map(([x, y]) => view.toScreen({ x, y }));
    context.beginPath();
    context.moveTo(a.x, a.y);
    context.lineTo(b.x, b.y);
    context.stroke();
  }
  points.forEach(([x, y, visibility], index) => {
    if (!visibility) return;
    const isActive = editor.part === "keypoint" && editor.keypoint === index;
    const color = isActive ? ACTIVE : "#56b4e9";
    paintDot(context, view.toScreen({ x, y }), color, isActive ? 6 : 5, visibility === HIDDEN);
  });
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Point} point on the screen
 * @param {string} color
 * @param {number} radius
 * @param {boolean} [isHollow]
 */
function paintDot(context, { x, y }, color, radius, isHollow = false) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.lineWidth = isHollow ? 5 : 4;
  context.strokeStyle = HALO;
  context.stroke();
  context.lineWidth = 2;
  context.strokeStyle = color;
  context.fillStyle = isHollow ? "rgb(0 0 0 / 40%)" : color;
  context.fill();
  context.stroke();
}
