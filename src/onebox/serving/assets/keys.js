/**
 * Keys: one table of bindings runs them and explains them.
 *
 * Keys of one character can be switched off, as WCAG 2.1.4 asks: people who dictate would press
 * them by accident.
 */

import { byId, make, remember, remembered } from "./dom.js";

/**
 * @typedef {object} Binding
 * @property {string[]} keys such as "Enter", "Shift+s", "Ctrl+z"; Ctrl is also the Mac's command key
 * @property {string} words what it does
 * @property {(key: string) => void} run
 * @property {string[]} [caps] how the keys are written, if not as they are
 * @property {boolean} [isRepeated] whether holding the key down repeats it
 * @property {boolean} [isAtOnce] whether it is about no picture, and so waits for none
 */

const TEXT_FIELDS = "input:not([type=checkbox]), select, textarea";
const PRESSED_BY_KEY = "button, a, summary, label, input, select";
/** @type {Record<string, string>} */
const NAMES = {
  ArrowLeft: "←", ArrowUp: "↑", ArrowRight: "→", ArrowDown: "↓", Escape: "Esc", Delete: "Del",
  Arrow: "an arrow", PageDown: "Page Down", PageUp: "Page Up", " ": "Space",
};

/**
 * @param {Binding[]} bindings
 * @param {import("./waiting_keys.js").WaitingKeys | null} [waiting] where keys wait for a picture
 */
export function startKeys(bindings, waiting = null) {
  const table = new Map(bindings.flatMap((binding) => binding.keys.map((key) => [key, binding])));
  document.addEventListener("keydown", (event) => {
    const name = nameOf(event);
    const binding = table.get(name);
    if (!binding || !isMeantForPage(event, name)) return;
    event.preventDefault();
    if (event.repeat && !binding.isRepeated) return;
    if (waiting && !binding.isAtOnce) waiting.take(() => binding.run(name));
    else binding.run(name);
  });
}

/**
 * @param {KeyboardEvent} event
 * @returns {string}
 */
function nameOf(event) {
  const isCharacter = event.key.length === 1;
  const key = isCharacter ? event.key.toLowerCase() : event.key;
  // Shift is part of how "?" is typed, but makes another key of a letter or an arrow.
  const hasShift = event.shiftKey && (!isCharacter || /[a-z]/.test(key));
  const modifiers = [
    event.ctrlKey || event.metaKey ? "Ctrl+" : "",
    event.altKey ? "Alt+" : "",
    hasShift ? "Shift+" : "",
  ];
  return modifiers.join("") + key;
}

/**
 * @param {KeyboardEvent} event
 * @param {string} name
 */
function isMeantForPage(event, name) {
  const target = /** @type {Element} */ (event.target);
  if (document.querySelector("dialog[open]")) return false;
  if (target.matches(TEXT_FIELDS)) return name === "Escape";
  if (name === "Enter" && target.matches(PRESSED_BY_KEY)) return false;
  return !isSingleCharacter(name) || areCharactersOn();
}

/** @param {string} name */
function isSingleCharacter(name) {
  return name.replace("Shift+", "").length === 1;
}

function areCharactersOn() {
  return remembered("characters") !== "off";
}

/**
 * Let the space bar, while it is held on the stage, make the pointer move the picture.
 * @param {HTMLElement} element
 * @param {import("./pointer_gestures.js").PointerGestures} gestures
 */
export function startSpaceToPan(element, gestures) {
  const isForStage = (event) =>
    event.key === " " && (event.target === element || event.target === document.body);
  document.addEventListener("keydown", (event) => {
    if (!isForStage(event)) return;
    event.preventDefault(); // the page would scroll
    gestures.isPanHeld = true;
    element.classList.add("is-panning");
  });
  const release = () => {
    gestures.isPanHeld = false;
    element.classList.remove("is-panning");
  };
  document.addEventListener("keyup", (event) => event.key === " " && release());
  window.addEventListener("blur", release);
}

/**
 * After a click with the pointer, keys mean the stage again and not the button that was clicked.
 * @param {HTMLElement} element
 */
export function returnFocusTo(element) {
  document.addEventListener("click", (event) => {
    const target = /** @type {Element} */ (event.target);
    const isPointer = event.detail > 0;
    if (isPointer && target.closest("button") && !target.closest("dialog, form")) {
      element.focus({ preventScroll: true });
    }
  });
}

/**
 * Fill and open the dialog `help-dialog`.
 * @param {Binding[]} bindings
 * @param {[string, string][]} gestures what the pointer does: gesture, words
 */
export function startHelp(bindings, gestures) {
  const dialog = /** @type {HTMLDialogElement} */ (byId("help-dialog"));
  const rows = bindings.map(({ keys, caps, words }) => row((caps ?? keys).map(keyCap), words));
  byId("help-keys").replaceChildren(...rows);
  byId("help-pointer").replaceChildren(...gestures.map(([gesture, words]) => row([gesture], words)));
  const box = /** @type {HTMLInputElement} */ (byId("characters"));
  box.checked = areCharactersOn();
  box.addEventListener("change", () => remember("characters", box.checked ? "on" : "off"));
  byId("help-close").addEventListener("click", () => dialog.close());
  byId("help").addEventListener("click", () => dialog.showModal());
}

/**
 * @param {(Node | string)[]} names
 * @param {string} words
 */
function row(names, words) {
  const separated = names.flatMap((name, index) => (index ? [" ", name] : [name]));
  return make("tr", {}, make("th", { scope: "row" }, ...separated), make("td", {}, words));
}

/** @param {string} name */
function keyCap(name) {
  const parts = name.split(/\+(?=.)/).map((part) => NAMES[part] ?? part);
  const last = parts.length - 1;
  parts[last] = parts[last].length === 1 ? parts[last].toUpperCase() : parts[last];
  return make("kbd", {}, parts.join(" + "));
}
