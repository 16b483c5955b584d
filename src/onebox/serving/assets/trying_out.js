/** Pictures that a person tries a model on: each is predicted, looked at, and perhaps corrected. */

import { draftOfProposal, emptyDraft, isSame } from "./draft.js";
import { predict } from "./model_api.js";

/** @typedef {import("./draft.js").Draft} Draft */
/** @typedef {import("./model_api.js").Model} Model */
/** @typedef {import("./model_api.js").Prediction} Prediction */
/**
 * @typedef {object} Item one picture
 * @property {string} id
 * @property {File} file
 * @property {string} name of the file, with a number if an earlier picture has the same
 * @property {"waiting" | "done" | "failed"} state
 * @property {Prediction | null} prediction
 * @property {string} problem why it failed; empty if it did not
 * @property {Draft | null} draft the label, as predicted or corrected; null before the prediction
 */

const AT_ONCE = 2; // requests; more would only wait for each other on the server

export class TryingOut {
  /** @type {Item[]} */
  items = [];
  index = -1;
  /** @type {Set<string>} */
  #names = new Set();
  /** @type {Item[]} */
  #waiting = [];
  #running = 0;

  /**
   * @param {Model} model
   * @param {(item: Item) => void} changed is called when the answer for a picture has come
   */
  constructor(model, changed) {
    this.model = model;
    this.changed = changed;
    this.keypointCount = model.keypoints?.names.length ?? 0;
  }

  /** @returns {Item | null} the picture that is shown */
  get current() {
    return this.items[this.index] ?? null;
  }

  /**
   * @param {Iterable<File>} files
   * @returns {Item[]} the new pictures
   */
  add(files) {
    const added = Array.from(files, (file, index) => this.#itemOf(file, this.items.length + index));
    this.items.push(...added);
    this.#waiting.push(...added);
    this.#run();
    return added;
  }

  /**
   * @param {Item} item
   * @returns {Draft} what the model says, as a label
   */
  predictedDraft(item) {
    const { prediction } = item;
    if (!prediction) return emptyDraft(this.keypointCount);
    const names = this.model.keypoints?.names ?? [];
    const keypoints = prediction.keypoints && names.map((name) => prediction.keypoints?.[name] ?? [0, 0, 0]);
    const proposal = /** @type {any} */ ({ ...prediction, keypoints: keypoints ?? null });
    return draftOfProposal(proposal, this.keypointCount);
  }

  /** @param {Item} item */
  isCorrected(item) {
    return item.draft !== null && !isSame(item.draft, this.predictedDraft(item));
  }

  /** @returns {{image: string, draft: Draft}[]} the pictures that have a label */
  get labels() {
    return this.items.flatMap(({ name, draft }) =>
      draft && (draft.isAbsent || (draft.box && draft.label)) ? [{ image: name, draft }] : []);
  }

  #run() {
    while (this.#running < AT_ONCE && this.#waiting.length) {
      this.#running += 1;
      this.#ask(/** @type {Item} */ (this.#waiting.shift())).finally(() => {
        this.#running -= 1;
        this.#run();
      });
    }
  }

  /** @param {Item} item */
  async #ask(item) {
    try {
      item.prediction = await predict(item.file, this.model);
      item.state = "done";
    } catch (error) {
      item.problem = /** @type {Error} */ (error).message;
      item.state = "failed";
    }
    // A box that was drawn while the answer was on its way stays.
    item.draft ??= this.predictedDraft(item);
    this.changed(item);
  }

  /**
   * @param {File} file
   * @param {number} number
   * @returns {Item}
   */
  #itemOf(file, number) {
    const name = freeName(nameOf(file), this.#names);
    this.#names.add(name);
    return { id: String(number), file, name, state: "waiting", prediction: null, problem: "", draft: null };
  }
}

/**
 * A label file names each image once, but pasted pictures are all called image.png.
 * @param {string} name
 * @param {Set<string>} taken
 * @returns {string} the name, or with the first free number, as in image-2.png
 */
function freeName(name, taken) {
  const [, stem, suffix] = /** @type {string[]} */ (/^(.*?)(\.[^./]*)?$/s.exec(name));
  let free = name;
  for (let number = 2; taken.has(free); number += 1) free = `${stem}-${number}${suffix ?? ""}`;
  return free;
}

/**
 * @param {File} file
 * @returns {string} its name, with its folders if a folder was chosen
 */
function nameOf(file) {
  return file.webkitRelativePath || file.name;
}
