/** How long a person works on an image: the time between their movements, without the breaks. */

const LONGEST_GAP_S = 30; // a longer gap is a break and counts as this much; not tuned
const SIGNS = ["pointermove", "pointerdown", "keydown", "wheel"];

export class TimeSpent {
  #seconds = 0;
  #last = performance.now();

  constructor() {
    for (const sign of SIGNS) {
      window.addEventListener(sign, () => this.#note(), { capture: true, passive: true });
    }
  }

  /** Begin anew, for an image that is shown now. */
  start() {
    this.#seconds = 0;
    this.#last = performance.now();
  }

  /** @returns {number} seconds since the start */
  read() {
    this.#note();
    return Math.round(this.#seconds * 1000) / 1000;
  }

  #note() {
    const now = performance.now();
    this.#seconds += Math.min((now - this.#last) / 1000, LONGEST_GAP_S);
    this.#last = now;
  }
}
