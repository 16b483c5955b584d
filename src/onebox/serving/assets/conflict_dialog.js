/** Asks which label to keep when somebody else labelled the same image meanwhile. */

import { previewUrl } from "./api.js";
import { byId } from "./dom.js";
import { wordsOfLabel } from "./image_panel.js";
import { strokeBox, STROKES } from "./painter.js";
import { Viewport } from "./viewport.js";

/** @typedef {import("./api.js").Action} Action */
/** @typedef {import("./api.js").Entry} Entry */
/** @typedef {{action: Action, entry: Entry}} Conflict */

export class ConflictDialog {
  /** @type {Conflict[]} */
  #waiting = [];

  /**
   * @param {(conflict: Conflict, keep: "mine" | "theirs") => void} settle
   */
  constructor(settle) {
    this.settle = settle;
    this.dialog = /** @type {HTMLDialogElement} */ (byId("conflict-dialog"));
    byId("keep-mine").addEventListener("click", () => this.#answer("mine"));
    byId("keep-theirs").addEventListener("click", () => this.#answer("theirs"));
    // Without an answer, a label would be lost.
    this.dialog.addEventListener("cancel", (event) => event.preventDefault());
  }

  /**
   * @param {Action} action that came too late
   * @param {Entry} entry as it is on the server
   */
  ask(action, entry) {
    this.#waiting.push({ action, entry });
    if (!this.dialog.open) this.#show();
  }

  #show() {
    const { action, entry } = this.#waiting[0];
    byId("conflict-words").textContent = entry.name;
    byId("conflict-mine").textContent = wordsOfLabel(action.label);
    byId("conflict-theirs").textContent = wordsOfLabel(entry.label);
    this.dialog.showModal();
    drawBoth(byId("conflict-picture"), action, entry);
  }

  /** @param {"mine" | "theirs"} keep */
  #answer(keep) {
    const conflict = this.#waiting.shift();
    this.dialog.close();
    if (conflict) this.settle(conflict, keep);
    if (this.#waiting.length) this.#show();
  }
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Action} action
 * @param {Entry} entry
 */
async function drawBoth(canvas, action, entry) {
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.clearRect(0, 0, canvas.width, canvas.height);
  const view = new Viewport();
  view.stage = [canvas.width, canvas.height];
  view.open(entry.size);
  const picture = new Image();
  picture.src = previewUrl(entry.id, 800);
  await picture.decode().catch(() => {});
  const [width, height] = entry.size.map((side) => side * view.scale);
  if (picture.naturalWidth) context.drawImage(picture, view.left, view.top, width, height);
  if (action.label?.box) strokeBox(context, view.boxToScreen(action.label.box), STROKES.draft, 2);
  if (entry.label?.box) strokeBox(context, view.boxToScreen(entry.label.box), STROKES.theirs, 2);
}
