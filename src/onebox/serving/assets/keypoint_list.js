/** The list of keypoints: which is placed, which comes next, which is hidden. */

import { byId, make, press, show } from "./dom.js";

const STATES = ["not placed", "hidden", "visible"];

export class KeypointList {
  /**
   * @param {string[]} names
   * @param {import("./box_editor.js").BoxEditor} editor
   * @param {() => void} selected is called after a click
   */
  constructor(names, editor, selected) {
    this.editor = editor;
    this.buttons = names.map((name, index) =>
      make("button", { type: "button", click: () => this.#select(index, selected) },
        make("span", {}, name), make("small", {})));
    byId("keypoints").replaceChildren(...this.buttons.map((button) => make("li", {}, button)));
    show(byId("keypoints-card"), names.length > 0);
  }

  show() {
    const points = this.editor.draft.keypoints ?? [];
    this.buttons.forEach((button, index) => {
      press(button, this.editor.keypoint === index);
      const state = /** @type {HTMLElement} */ (button.lastElementChild);
      state.textContent = STATES[points[index]?.[2] ?? 0];
    });
  }

  /**
   * @param {number} index
   * @param {() => void} selected
   */
  #select(index, selected) {
    this.editor.selectKeypoint(index);
    selected();
  }
}
