/** Keys that are pressed while the picture they are meant for is on its way: they wait for it. */

export class WaitingKeys {
  /** Whether what runs now has waited, so that nobody has seen the picture yet. */
  isReplaying = false;
  /** @type {(() => void)[]} */
  #waiting = [];

  /** @param {() => boolean} isMoving whether a picture is on its way */
  constructor(isMoving) {
    this.isMoving = isMoving;
    // What the pointer does is done at once: keys from before would come after it, on another picture.
    for (const type of ["pointerdown", "click"]) {
      document.addEventListener(type, (event) => event.isTrusted && this.drop(), true);
    }
  }

  /**
   * Run what a key does now, or in its turn.
   * @param {() => void} run
   */
  take(run) {
    if (this.isMoving() || this.#waiting.length) this.#waiting.push(run);
    else run();
  }

  /** Run what waits, until another picture is on its way. */
  replay() {
    if (document.querySelector("dialog[open]")) this.drop();
    this.isReplaying = true;
    try {
      while (this.#waiting.length && !this.isMoving()) this.#waiting.shift()?.();
    } finally {
      this.isReplaying = false;
    }
  }

  /** Forget what waits. */
  drop() {
    this.#waiting = [];
  }
}
