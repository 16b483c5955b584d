/** The strip of pictures: a thumbnail and a verdict each. */

import { byId, make, show } from "./dom.js";
import { stateOf } from "./prediction_panel.js";

/** @typedef {import("./trying_out.js").Item} Item */

const THUMBNAIL = [96, 72]; // canvas pixels

export class PictureStrip {
  /** @type {Map<string, HTMLElement>} */
  #buttons = new Map();

  /** @param {(item: Item) => void} choose */
  constructor(choose) {
    this.choose = choose;
    this.list = byId("items");
  }

  /** @param {Item[]} items */
  add(items) {
    show(byId("strip"), true);
    for (const item of items) {
      const canvas = make("canvas", { width: String(THUMBNAIL[0]), height: String(THUMBNAIL[1]), "aria-hidden": "true" });
      const words = make("span", {}, make("b", {}, item.name), make("small", {}));
      const button = make("button", { type: "button", click: () => this.choose(item) }, canvas, words);
      this.#buttons.set(item.id, button);
      this.list.append(make("li", {}, button));
      this.update(item);
    }
  }

  /** @param {Item} item whose state changed */
  update(item) {
    const words = this.#buttons.get(item.id)?.querySelector("small");
    if (words) words.textContent = stateOf(item);
  }

  /** @param {Item} current */
  mark(current) {
    for (const [id, button] of this.#buttons) {
      if (id === current.id) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    }
    this.#buttons.get(current.id)?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  /**
   * @param {Item} item
   * @param {ImageBitmap} picture
   */
  draw(item, picture) {
    const canvas = /** @type {HTMLCanvasElement} */ (this.#buttons.get(item.id)?.querySelector("canvas"));
    const scale = Math.min(canvas.width / picture.width, canvas.height / picture.height);
    const [width, height] = [picture.width * scale, picture.height * scale];
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    context.imageSmoothingQuality = "high";
    context.drawImage(picture, (canvas.width - width) / 2, (canvas.height - height) / 2, width, height);
  }
}
