/** The side panel with all images: search, filter, and thumbnails that load as they come into view. */

import { previewUrl, session } from "./api.js";
import { byId, make } from "./dom.js";
import { notify } from "./notices.js";

/** @typedef {import("./api.js").Entry} Entry */
/** @typedef {import("./api.js").RequestError} RequestError */

const PAGE = 50; // entries a request
const PAUSE_MS = 200; // after the last letter of a search; not tuned
const RETRY_MS = 3000; // after a request that failed, while the end of the list is in view; not tuned
const THUMBNAIL = 128;
/**
 * Whether an entry still belongs to a filter, by the value of the filter.
 * @type {Record<string, (entry: Entry) => boolean>}
 */
const BELONGS = {
  all: () => true,
  unlabelled: ({ label }) => !label,
  labelled: ({ label }) => Boolean(label),
  absent: ({ label }) => Boolean(label && !label.box),
  suspects: ({ suspect }) => Boolean(suspect),
  conflicts: ({ is_in_conflict }) => is_in_conflict,
  doubtful: ({ label }) => !label,
};

export class PictureList {
  /** @type {Entry[]} */
  entries = [];
  /** Entries that the list has once all are loaded; those that left the filter meanwhile stay in it. */
  total = 0;
  /** Index of the entry that is shown; -1 if none of the list is. */
  index = -1;
  #asked = 0;
  #timer = 0;
  /** @type {Promise<void> | null} */
  #loading = null;

  /**
   * @param {(asked: Promise<Entry>) => Promise<void>} choose shows an entry that is asked for
   */
  constructor(choose) {
    this.choose = choose;
    this.items = byId("list-items");
    this.end = make("li", { class: "end" });
    this.query = /** @type {HTMLInputElement} */ (byId("search"));
    this.filter = /** @type {HTMLSelectElement} */ (byId("filter"));
    this.query.addEventListener("input", () => this.#searchSoon());
    this.filter.addEventListener("change", () => this.reload());
    this.sight = new IntersectionObserver(([end]) => end.isIntersecting && this.#moreInSight());
    this.sight.observe(this.end);
  }

  /** Ask anew, with the search and the filter that are set; what fails is asked for again when it is needed. */
  async reload() {
    this.#asked += 1;
    this.#loading = null;
    this.entries = [];
    this.index = -1;
    this.total = Infinity;
    this.items.replaceChildren(this.end);
    await this.#moreInSight();
  }

  /**
   * Choose the entry after or before the one that is shown.
   * @param {1 | -1} step
   * @returns {Promise<boolean>} whether there is one
   * @throws {RequestError} if that cannot be known
   */
  async move(step) {
    const wanted = this.index + step;
    if (wanted >= this.entries.length) await this.#more();
    if (!this.entries[wanted]) return false;
    await this.#choose(wanted);
    return true;
  }

  /** What the list shows, in words, such as "Suspects, 3 of 12". */
  get words() {
    const filter = this.filter.selectedOptions[0].textContent;
    const query = this.query.value ? ` with “${this.query.value}”` : "";
    const of = Number.isFinite(this.total) ? ` of ${this.total}` : "";
    return `${filter}${query}: ${this.index + 1}${of}`;
  }

  /** @param {Entry} entry whose label changed */
  update(entry) {
    const index = this.entries.findIndex(({ id }) => id === entry.id);
    if (index < 0) return;
    this.entries[index] = entry;
    const words = this.items.children[index].querySelector("small");
    if (words) words.textContent = stateOf(entry);
  }

  /** @param {string | null} id of the image that is shown */
  mark(id) {
    this.entries.forEach((entry, index) => {
      const button = this.items.children[index].firstElementChild;
      if (entry.id === id) button?.setAttribute("aria-current", "true");
      else button?.removeAttribute("aria-current");
    });
  }

  #searchSoon() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.reload(), PAUSE_MS);
  }

  /** Load more because the end of the list is in view. */
  async #moreInSight() {
    const asked = this.#asked;
    try {
      await this.#more();
    } catch (error) {
      if (asked !== this.#asked) return;
      notify(/** @type {Error} */ (error).message);
      setTimeout(() => this.#look(), RETRY_MS);
    }
  }

  /** Hear again whether the end of the list is in view. */
  #look() {
    this.sight.unobserve(this.end);
    this.sight.observe(this.end);
  }

  async #more() {
    if (this.entries.length >= this.total) return;
    const loading = this.#loading ?? this.#load(this.#asked);
    this.#loading = loading;
    try {
      await loading;
    } finally {
      if (this.#loading === loading) this.#loading = null;
    }
  }

  /** @param {number} asked which request this is: an answer to an older one is dropped */
  async #load(asked) {
    const filter = this.filter.value;
    const query = { query: this.query.value, filter, count: String(PAGE) };
    // The server leaves out what no longer belongs to the filter, and so must the offset.
    let offset = this.entries.filter(BELONGS[filter]).length;
    let added = 0;
    while (!added && this.entries.length < this.total) {
      const { total, images } = await session.find({ ...query, offset: String(offset) });
      if (asked !== this.#asked) return;
      offset += images.length;
      added = this.#add(images);
      this.total = this.entries.length + (images.length ? Math.max(0, total - offset) : 0);
    }
    byId("list-count").textContent = this.total === 1 ? "1 picture" : `${this.total} pictures`;
    this.#look();
  }

  /**
   * @param {Entry[]} images
   * @returns {number} how many of them the list did not have
   */
  #add(images) {
    const known = new Set(this.entries.map(({ id }) => id));
    const unknown = images.filter(({ id }) => !known.has(id));
    const first = this.entries.length;
    this.entries.push(...unknown);
    this.end.before(...unknown.map((entry, index) => this.#item(entry, first + index)));
    return unknown.length;
  }

  /**
   * @param {Entry} entry
   * @param {number} index
   */
  #item(entry, index) {
    const picture = make("img", { src: previewUrl(entry.id, THUMBNAIL), alt: "", loading: "lazy" });
    const words = make("span", {}, make("b", {}, entry.name), make("small", {}, stateOf(entry)));
    const attributes = { type: "button", "data-id": entry.id, click: () => this.#choose(index) };
    return make("li", {}, make("button", attributes, picture, words));
  }

  /** @param {number} index */
  async #choose(index) {
    this.index = index;
    const known = this.entries[index];
    await this.choose(session.entry(known.id).catch(() => known));
  }
}

/** @param {Entry} entry */
function stateOf(entry) {
  if (entry.is_in_conflict) return "conflict";
  if (entry.suspect) return `suspect: ${entry.suspect.kind}`;
  if (!entry.label) return "no label";
  return entry.label.label ?? "no subject";
}
