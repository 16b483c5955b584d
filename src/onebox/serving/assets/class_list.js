/** The list of classes: choose one by click or number, or add one. */

import { byId, make, press, say } from "./dom.js";
import { isSame } from "./draft.js";

const NUMBERED = 9; // keys 1 to 9

export class ClassList {
  /** @type {string[]} */
  #classes = [];

  /**
   * @param {(name: string) => void} choose
   * @param {(name: string) => Promise<void>} add resolves once the class can be chosen
   */
  constructor(choose, add) {
    this.choose = choose;
    this.list = byId("classes");
    this.field = /** @type {HTMLInputElement} */ (byId("new-class"));
    byId("add-class").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#add(add);
    });
  }

  /**
   * @param {string[]} classes
   * @param {string | null} chosen
   */
  show(classes, chosen) {
    if (!isSame(classes, this.#classes)) {
      this.#classes = classes;
      this.list.replaceChildren(...classes.map((name, index) => this.#item(name, index)));
    }
    for (const button of this.list.querySelectorAll("button")) {
      press(button, button.dataset.class === chosen);
    }
  }

  /** @param {number} number from 1 */
  chooseNumber(number) {
    const name = this.#classes[number - 1];
    if (name !== undefined) this.choose(name);
  }

  focusField() {
    this.field.focus();
  }

  /**
   * @param {string} name
   * @param {number} index
   */
  #item(name, index) {
    const hint = index < NUMBERED ? make("kbd", { "aria-hidden": "true" }, String(index + 1)) : null;
    const attributes = { type: "button", "data-class": name, click: () => this.choose(name) };
    return make("li", {}, make("button", attributes, make("span", {}, name), hint));
  }

  /** @param {(name: string) => Promise<void>} add */
  async #add(add) {
    const name = this.field.value.trim();
    if (!name) return;
    try {
      await add(name);
      this.field.value = "";
      this.field.blur();
      say(byId("class-problem"), "");
    } catch (error) {
      say(byId("class-problem"), /** @type {Error} */ (error).message);
    }
  }
}
