/**
 * The order of the images: as the server chooses them, or down the list that the person looks at.
 *
 * The images that were seen form a path that one can walk back and forth. At its end, the next
 * image comes from what was fetched ahead.
 */

/** @typedef {import("./api.js").Entry} Entry */

export const AHEAD = 5; // images fetched ahead; not tuned
const LONGEST_SKIP = 100; // ids in one request: the address stays short

export class PictureOrder {
  /** @type {Map<string, Entry>} the newest known state of each image */
  entries = new Map();
  /** @type {string[]} ids of the images seen, in order */
  #path = [];
  #index = -1;
  /** @type {string[]} ids of the images to come */
  #ahead = [];
  /** @type {Promise<void> | null} */
  #fetching = null;

  /**
   * @param {(count: number, skip: string[]) => Promise<{images: Entry[]}>} fetchNext
   * @param {() => string[]} unsaved ids of the images with actions that the server does not have
   * @param {(entries: Entry[]) => void} fetched is called with entries that are to come
   */
  constructor(fetchNext, unsaved, fetched) {
    this.fetchNext = fetchNext;
    this.unsaved = unsaved;
    this.fetched = fetched;
  }

  /** @param {Entry} entry */
  keep(entry) {
    this.entries.set(entry.id, entry);
  }

  /** @returns {Entry | null} the image that is shown */
  get current() {
    return this.entries.get(this.#path[this.#index]) ?? null;
  }

  /** @returns {Promise<Entry | null>} the next image; null if none is left */
  async next() {
    if (this.#index < this.#path.length - 1) {
      this.#index += 1;
      return this.current;
    }
    if (!this.#hasNext()) await this.#fill();
    // Images that were passed by come back once there are no others.
    if (!this.#hasNext()) await this.#fill(true);
    const id = this.#ahead.shift();
    if (id) this.goTo(id);
    this.#fill().catch(() => {}); // what is missing is asked for again when it is needed
    return id ? this.current : null;
  }

  /** @returns {Entry | null} the image seen before; null at the beginning */
  previous() {
    if (this.#index <= 0) return null;
    this.#index -= 1;
    return this.current;
  }

  /**
   * Show a known image next, after the path so far.
   * @param {string} id
   */
  goTo(id) {
    if (this.#path[this.#path.length - 1] !== id) this.#path.push(id);
    this.#index = this.#path.length - 1;
  }

  /**
   * Go back to an image on the path, or else to its end.
   * @param {string} id
   */
  revisit(id) {
    const index = this.#path.lastIndexOf(id);
    if (index < 0) this.goTo(id);
    else this.#index = index;
  }

  /** Ask anew for the images to come: a new model has other proposals. */
  async renew() {
    await this.#fetching;
    this.#ahead = [];
    await this.#fill();
  }

  /** Whether an image is fetched that still has no label: some may have one by now, from the list. */
  #hasNext() {
    this.#ahead = this.#ahead.filter((id) => !this.entries.get(id)?.label);
    return this.#ahead.length > 0;
  }

  /** @param {boolean} [isComingBack] whether images that were passed by may come again */
  async #fill(isComingBack = false) {
    this.#fetching ??= this.#fetch(isComingBack).finally(() => { this.#fetching = null; });
    await this.#fetching;
  }

  /** @param {boolean} isComingBack */
  async #fetch(isComingBack) {
    const missing = AHEAD - this.#ahead.length;
    if (missing <= 0) return;
    const { images } = await this.fetchNext(missing, this.#skipped(isComingBack));
    const unsaved = this.unsaved(); // by now there may be more of them than were skipped
    const unknown = images.filter(({ id }) => !this.#ahead.includes(id) && !unsaved.includes(id));
    for (const entry of unknown) this.keep(entry);
    this.#ahead.push(...unknown.map(({ id }) => id));
    this.fetched(unknown);
  }

  /** @param {boolean} isComingBack */
  #skipped(isComingBack) {
    const passed = this.#path.filter((id) => !this.entries.get(id)?.label);
    const seen = isComingBack ? passed.slice(-1) : passed.slice(-LONGEST_SKIP);
    return [...new Set([...this.#ahead, ...this.unsaved(), ...seen])];
  }
}
