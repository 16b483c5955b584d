/** The decisions of this tab, for undo and redo across images. */

/** @typedef {import("./api.js").Label} Label */
/** @typedef {{image: string, before: Label | null, after: Label | null, how: import("./api.js").How}} Decision */

export class Decisions {
  /** @type {Decision[]} */
  #done = [];
  /** @type {Decision[]} */
  #undone = [];

  /** @param {Decision} decision */
  add(decision) {
    this.#done.push(decision);
    this.#undone = [];
  }

  /** @returns {Decision | undefined} the one to take back */
  undo() {
    const decision = this.#done.pop();
    if (decision) this.#undone.push(decision);
    return decision;
  }

  /** @returns {Decision | undefined} the one to repeat */
  redo() {
    const decision = this.#undone.pop();
    if (decision) this.#done.push(decision);
    return decision;
  }

  /**
   * Forget an image, whose label somebody else changed: to undo would bring back what they replaced.
   * @param {string} image
   */
  forget(image) {
    this.#done = this.#done.filter((decision) => decision.image !== image);
    this.#undone = this.#undone.filter((decision) => decision.image !== image);
  }
}
