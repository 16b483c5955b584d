/** Previews of the session's images: loaded at the size that the screen shows, and ahead of time. */

import { previewUrl } from "./api.js";

/** @typedef {import("./geometry.js").Size} Size */

const SIDES = [400, 800, 1200, 1600, 2400, 3200, 4096]; // few sizes, so that caches are hit; not tuned
const KEPT = 24; // pictures kept decoded; not tuned
const TRIES = 4;

/**
 * The side to ask for, for a picture of which so many pixels are seen.
 * @param {number} wanted longer side in device pixels
 * @param {Size} size of the image
 * @returns {number}
 */
export function previewSide(wanted, size) {
  const needed = Math.min(wanted, Math.max(...size));
  return SIDES.find((side) => side >= needed) ?? SIDES[SIDES.length - 1];
}

export class Pictures {
  /** @type {Map<string, Promise<HTMLImageElement>>} by address, oldest first */
  #loaded = new Map();

  /**
   * @param {string} id of the image
   * @param {number} side
   * @returns {Promise<HTMLImageElement>} decoded, ready to be drawn
   */
  get(id, side) {
    const url = previewUrl(id, side);
    const found = this.#loaded.get(url) ?? load(url);
    // A picture that was asked for again is dropped last; one that failed is asked for again.
    this.#loaded.delete(url);
    this.#loaded.set(url, found);
    found.catch(() => this.#loaded.delete(url));
    for (const oldest of this.#loaded.keys()) {
      if (this.#loaded.size <= KEPT) break;
      this.#loaded.delete(oldest);
    }
    return found;
  }
}

/**
 * @param {string} url
 * @returns {Promise<HTMLImageElement>}
 */
async function load(url) {
  for (let attempt = 1; ; attempt += 1) {
    const image = new Image();
    image.src = url;
    try {
      await image.decode();
      return image;
    } catch (error) {
      if (attempt === TRIES) throw error;
      await new Promise((resolve) => { setTimeout(resolve, 400 * attempt); });
    }
  }
}

/** The pictures of a stage: one that fits at first, a sharper one when the person looks closer. */
export class StagePictures {
  #pictures = new Pictures();
  #side = 0;

  /** @param {import("./stage.js").Stage} stage */
  constructor(stage) {
    this.stage = stage;
  }

  /**
   * Load and show an image that the stage has opened.
   * @param {{id: string, size: Size}} entry
   * @throws {DOMException} if it cannot be loaded
   */
  async open(entry) {
    this.#side = 0;
    await this.#show(entry, this.#fitSide(entry.size));
  }

  /**
   * Load a sharper picture if more of it is seen than is loaded.
   * @param {{id: string, size: Size}} entry that the stage shows
   */
  async sharpen(entry) {
    const side = previewSide(this.stage.sharpSide, entry.size);
    if (this.#side && side > this.#side) await this.#show(entry, side);
  }

  /** @param {{id: string, size: Size}[]} entries that are shown soon */
  loadAhead(entries) {
    for (const { id, size } of entries) this.#pictures.get(id, this.#fitSide(size)).catch(() => {});
  }

  /**
   * @param {{id: string, size: Size}} entry
   * @param {number} side
   */
  async #show(entry, side) {
    const picture = await this.#pictures.get(entry.id, side);
    const isCurrent = this.stage.element.dataset.imageId === entry.id;
    if (!isCurrent || side <= this.#side) return;
    this.#side = side;
    this.stage.reveal(picture);
  }

  /** @param {Size} size */
  #fitSide(size) {
    const shown = Math.max(...size) * this.stage.view.fitScaleOf(size);
    return previewSide(shown * devicePixelRatio, size);
  }
}
