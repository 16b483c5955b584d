/**
 * Actions on their way to the server: sent one after another, kept until the server has them.
 *
 * An action that the network or a busy server drops is sent again under the same id, which the
 * server counts once. Only an answer that no repetition can change takes an action out.
 */

/** @typedef {import("./api.js").Action} Action */
/** @typedef {import("./api.js").Entry} Entry */
/** @typedef {import("./api.js").RequestError} RequestError */
/**
 * @typedef {object} Listener
 * @property {(action: Action, reply: {entry: Entry, status: any}) => void} saved
 * @property {(action: Action, entry: Entry) => void} conflicted the label changed meanwhile
 * @property {(action: Action, error: RequestError) => void} refused the server rejects the label
 * @property {(waiting: number, problem: string) => void} changed
 */

const FIRST_PAUSE_MS = 1000; // not tuned
const LONGEST_PAUSE_MS = 15000; // not tuned
const CONFLICT = 409;
const REFUSED = [400, 404, 413, 415, 422];

export class Outbox {
  /** @type {Action[]} */
  #queue = [];
  #isSending = false;
  #problem = "";
  #pause = FIRST_PAUSE_MS;
  #wake = () => {};

  /**
   * @param {(action: Action) => Promise<any>} send
   * @param {Listener} listener
   */
  constructor(send, listener) {
    this.send = send;
    this.listener = listener;
    window.addEventListener("online", () => this.retry());
    window.addEventListener("beforeunload", (event) => {
      if (this.#queue.length) event.preventDefault();
    });
  }

  /** @returns {string[]} ids of the images with actions that the server does not have yet */
  get images() {
    return this.#queue.map((action) => action.image);
  }

  /** @param {Action} action */
  add(action) {
    this.#queue.push(action);
    this.#tell();
    this.#run();
  }

  /** Send what waits for another try now. */
  retry() {
    this.#wake();
  }

  async #run() {
    if (this.#isSending) return;
    this.#isSending = true;
    while (this.#queue.length) await this.#sendFirst();
    this.#isSending = false;
  }

  async #sendFirst() {
    const action = this.#queue[0];
    try {
      this.#settle(action, await this.send(action));
    } catch (error) {
      await this.#fail(action, /** @type {RequestError} */ (error));
    }
    this.#tell();
  }

  /**
   * @param {Action} action
   * @param {{entry: Entry, status: any}} reply
   */
  #settle(action, reply) {
    this.#queue.shift();
    this.#problem = "";
    this.#pause = FIRST_PAUSE_MS;
    // Later actions of this tab on the same image were made in knowledge of this one.
    for (const later of this.#queue) {
      if (later.image === action.image) later.revision = reply.entry.revision;
    }
    this.listener.saved(action, reply);
  }

  /**
   * @param {Action} action
   * @param {RequestError} error
   */
  async #fail(action, error) {
    if (error.status === CONFLICT && error.problem.entry) {
      this.listener.conflicted(this.#takeLast(action.image), error.problem.entry);
    } else if (REFUSED.includes(error.status)) {
      this.#queue.shift();
      this.listener.refused(action, error);
    } else {
      this.#problem = error.message;
      this.#tell();
      await this.#sleep();
    }
  }

  /**
   * Take all actions on an image out.
   * @param {string} image
   * @returns {Action} the last of them: what the person decided in the end
   */
  #takeLast(image) {
    const taken = this.#queue.filter((action) => action.image === image);
    this.#queue = this.#queue.filter((action) => action.image !== image);
    return taken[taken.length - 1];
  }

  #sleep() {
    const pause = this.#pause;
    this.#pause = Math.min(2 * pause, LONGEST_PAUSE_MS);
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, pause);
      this.#wake = () => {
        clearTimeout(timer);
        resolve(undefined);
      };
    });
  }

  #tell() {
    this.listener.changed(this.#queue.length, this.#problem);
  }
}
