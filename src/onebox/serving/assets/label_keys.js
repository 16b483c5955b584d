/** What the keys and the pointer do on the labelling page. */

import { byId } from "./dom.js";
import { announce } from "./notices.js";
import { wordsOfDraft } from "./draft.js";

/** @typedef {import("./keys.js").Binding} Binding */
/** @typedef {import("./box_editor.js").BoxEditor} BoxEditor */
/** @typedef {import("./stage.js").Stage} Stage */

const STEP = { plain: 1, shifted: 10 }; // pixels of the image
const ZOOM = 1.25;
/** @type {Record<string, [number, number]>} */
const DIRECTIONS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const NUMBERS = Array.from("123456789");

/** What the pointer does, for the help dialog. @type {[string, string][]} */
export const GESTURES = [
  ["Drag", "draw a box; from a side or corner, move it; from the inside, move the box"],
  ["Shift + drag", "draw a new box inside the old one"],
  ["Four clicks", "with “4 clicks”: the leftmost, topmost, rightmost and lowest point, in any order"],
  ["Click", "select a side or corner for the arrow keys; place the next keypoint"],
  ["Wheel or pinch", "zoom"],
  ["Space + drag", "move the picture; so do the middle button and two fingers"],
];

/**
 * Keys that change the box and the view: the same on both pages.
 * @param {Stage} stage
 * @param {import("./class_list.js").ClassList} classes
 * @returns {Binding[]}
 */
export function editingKeys(stage, classes) {
  const { editor } = stage;
  /** @param {() => void} change */
  const said = (change) => () => {
    change();
    announce(`${editor.part}. ${wordsOfDraft(editor.draft)}`);
  };
  return [
    { keys: NUMBERS, caps: ["1 … 9"], words: "choose the class", run: (key) => classes.chooseNumber(Number(key)) },
    { keys: ["a"], words: "add a class", run: () => classes.focusField(), isAtOnce: true },
    { keys: ["Delete", "Backspace"], words: "clear the box", run: said(() => editor.clear()) },
    { keys: ["b"], words: "start a box in the middle of the picture", run: said(() => editor.startInMiddle()) },
    { keys: ["e"], words: "draw by dragging, or by four clicks", run: () => byId(otherTool(editor)).click() },
    { keys: ["s"], words: "select the next part: box, corners, sides", run: said(() => editor.cyclePart(1)) },
    { keys: ["Shift+s"], words: "select the part before", run: said(() => editor.cyclePart(-1)) },
    ...arrowKeys(editor, said),
    { keys: ["+", "="], caps: ["+"], words: "zoom in", run: () => stage.zoom(ZOOM), isRepeated: true },
    { keys: ["-"], words: "zoom out", run: () => stage.zoom(1 / ZOOM), isRepeated: true },
    { keys: ["0"], words: "show the whole picture", run: () => stage.fit() },
    { keys: ["?"], words: "show the keys", run: () => byId("help").click(), isAtOnce: true },
  ];
}

/**
 * @param {BoxEditor} editor
 * @returns {Binding[]}
 */
export function keypointKeys(editor) {
  const say = () => announce(`Keypoint ${editor.keypoint + 1}`);
  return [
    { keys: ["k"], words: "select the next keypoint", run: () => { editor.cycleKeypoint(1); say(); } },
    { keys: ["Shift+k"], words: "select the keypoint before", run: () => { editor.cycleKeypoint(-1); say(); } },
    { keys: ["v"], words: "keypoint: visible, hidden, not labelled", run: () => editor.toggleVisibility() },
  ];
}

/**
 * Let the buttons of the tool bar zoom and change how a box is drawn.
 * @param {Stage} stage
 */
export function startTools(stage) {
  const { editor } = stage;
  byId("zoom-in").addEventListener("click", () => stage.zoom(ZOOM));
  byId("zoom-out").addEventListener("click", () => stage.zoom(1 / ZOOM));
  byId("zoom-fit").addEventListener("click", () => stage.fit());
  for (const id of ["tool-drag", "tool-extremes"]) {
    byId(id).addEventListener("click", () => chooseTool(editor, id));
  }
}

/** Show the zoom that the stage states. */
export function showZoom() {
  byId("zoom-text").textContent = `${Math.round(100 * Number(byId("stage").dataset.scale))} %`;
}

/**
 * @param {BoxEditor} editor
 * @param {string} id of the button
 */
function chooseTool(editor, id) {
  editor.usesExtremes = id === "tool-extremes";
  byId("tool-extremes").setAttribute("aria-pressed", String(editor.usesExtremes));
  byId("tool-drag").setAttribute("aria-pressed", String(!editor.usesExtremes));
  announce(editor.usesExtremes ? "Four clicks make a box." : "Dragging makes a box.");
}

/** @param {BoxEditor} editor */
function otherTool(editor) {
  return editor.usesExtremes ? "tool-drag" : "tool-extremes";
}

/**
 * @param {BoxEditor} editor
 * @param {(change: () => void) => () => void} said
 * @returns {Binding[]}
 */
function arrowKeys(editor, said) {
  const names = Object.keys(DIRECTIONS);
  /** @param {number} step @returns {(key: string) => void} */
  const by = (step) => (key) => {
    const [x, y] = DIRECTIONS[key.replace("Shift+", "")];
    said(() => editor.nudge({ x: x * step, y: y * step }))();
  };
  const shifted = names.map((name) => `Shift+${name}`);
  return [
    { keys: names, words: "move the selected part by 1 pixel", run: by(STEP.plain), isRepeated: true },
    { keys: shifted, caps: ["Shift+Arrow"], words: "move it by 10 pixels", run: by(STEP.shifted), isRepeated: true },
  ];
}
