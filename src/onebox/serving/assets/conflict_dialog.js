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
    // Without an answer, a label would be lost. A browser lets nobody prevent the second Esc.
    this.dialog.addEventListener("cancel", (event) => event.preventDefault());
    this.dialog.addEventListener("close", () => this.#showNext());
  }

  /**
   * @param {Action} action that came too late
   * @param {Entry} entry as it is on the server
   */
  ask(action, entry) {
    this.#waiting.push({ action, entry });
    this.#showNext();
  }

  #showNext() {
    const [conflict] = this.#waiting;
    if (!conflict || this.dialog.open) return;
    const { action, entry } = conflict;
    byId("conflict-words").textContent = entry.name;
    byId("conflict-mine").textContent = wordsOfLabel(action.label);
    byId("conflict-theirs").textContent = wordsOfLabel(entry.label);
    this.dialog.showModal();
    drawBoth(byId("conflict-picture"), conflict, () => this.#waiting[0] === conflict);
  }

  /** @param {"mine" | "theirs"} keep */
  #answer(keep) {
    const conflict = this.#waiting.shift();
    this.dialog.close();
    if (conflict) this.settle(conflict, keep);
    this.#showNext();
  }
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Conflict} conflict
 * @param {() => boolean} isShown whether it is still the one that is asked about
 */
async function drawBoth(canvas, { action, entry }, isShown) {
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.clearRect(0, 0, canvas.width, canvas.height);
  const view = new Viewport();
  view.stage = [canvas.width, canvas.height];
  view.open(entry.size);
  const picture = new Image();
  picture.src = previewUrl(entry.id, 800);
  await picture.decode().catch(() => {});
  if (!isShown()) return;
  const [width, height] = entry.size.map((side) => side * view.scale);
  if (picture.naturalWidth) context.drawImage(picture, view.left, view.top, width, height);
  if (action.label?.box) strokeBox(context, view.boxToScreen(action.label.box), STROKES.draft, 2);
  if (entry.label?.box) strokeBox(context, view.boxToScreen(entry.label.box), STROKES.theirs, 2);
}
