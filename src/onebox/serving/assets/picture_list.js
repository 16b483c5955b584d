/** The side panel with all images: search, filter, and thumbnails that load as they come into view. */

import { previewUrl, session } from "./api.js";
import { byId, make } from "./dom.js";

/** @typedef {import("./api.js").Entry} Entry */

const PAGE = 50; // entries a request
const PAUSE_MS = 200; // after the last letter of a search; not tuned
const THUMBNAIL = 128;

export class PictureList {
  /** @type {Entry[]} */
  entries = [];
  total = 0;
  /** Index of the entry that is shown; -1 if none of the list is. */
  index = -1;
  #asked = 0;
  #timer = 0;
  /** @type {Promise<void> | null} */
  #loading = null;

  /**
   * @param {(entry: Entry) => Promise<void>} choose shows an entry
   */
  constructor(choose) {
    this.choose = choose;
    this.items = byId("list-items");
    this.end = make("li", { class: "end" });
    this.query = /** @type {HTMLInputElement} */ (byId("search"));
    this.filter = /** @type {HTMLSelectElement} */ (byId("filter"));
    this.query.addEventListener("input", () => this.#searchSoon());
    this.filter.addEventListener("change", () => this.reload());
    new IntersectionObserver(([end]) => end.isIntersecting && this.#more()).observe(this.end);
  }

  /** Ask anew, with the search and the filter that are set. */
  async reload() {
    this.#asked += 1;
    this.#loading = null;
    this.entries = [];
    this.index = -1;
    this.total = Infinity;
    this.items.replaceChildren(this.end);
    await this.#more();
  }

  /**
   * Choose the entry after or before the one that is shown.
   * @param {1 | -1} step
   * @returns {Promise<boolean>} whether there is one
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
    return `${filter}${query}: ${this.index + 1} of ${this.total}`;
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

  async #more() {
    if (this.entries.length >= this.total) return;
    this.#loading ??= this.#load(this.#asked).finally(() => { this.#loading = null; });
    await this.#loading;
  }

  /** @param {number} asked which request this is: an answer to an older one is dropped */
  async #load(asked) {
    const query = { query: this.query.value, filter: this.filter.value, offset: String(this.entries.length) };
    const { total, images } = await session.find({ ...query, count: String(PAGE) }).catch(() => ({ total: 0, images: [] }));
    if (asked !== this.#asked) return;
    this.total = total;
    const first = this.entries.length;
    this.entries.push(...images);
    this.end.before(...images.map((entry, index) => this.#item(entry, first + index)));
    byId("list-count").textContent = total === 1 ? "1 picture" : `${total} pictures`;
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
    await this.choose(await session.entry(known.id).catch(() => known));
  }
}

/** @param {Entry} entry */
function stateOf(entry) {
  if (entry.is_in_conflict) return "conflict";
  if (entry.suspect) return `suspect: ${entry.suspect.kind}`;
  if (!entry.label) return "no label";
  return entry.label.label ?? "no subject";
}
