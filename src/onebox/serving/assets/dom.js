/** Short forms for the few things that these pages do with the document. */

/**
 * @param {string} id
 * @returns {any} the element, which must exist
 */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`The page has no element ${id}.`);
  return found;
}

/**
 * Make an element. Text from outside is only ever set as text.
 * @param {string} tag
 * @param {Record<string, string | boolean | EventListener>} [attributes] a function listens to the
 *   event of its name; true sets an empty attribute, false none
 * @param {...(Node | string | null)} children
 * @returns {HTMLElement}
 */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value !== false) element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/**
 * @param {HTMLElement} element
 * @param {boolean} isShown
 */
export function show(element, isShown) {
  element.hidden = !isShown;
}

/**
 * Set the text of an element that is only shown with a text.
 * @param {HTMLElement} element
 * @param {string} text
 */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
  element.hidden = text === "";
}

/**
 * @param {HTMLElement} element
 * @param {boolean} isPressed
 */
export function press(element, isPressed) {
  element.setAttribute("aria-pressed", String(isPressed));
}

/**
 * Read a choice that this browser remembers. A browser may refuse to keep anything.
 * @param {string} name
 * @returns {string | null}
 */
export function remembered(name) {
  try {
    return localStorage.getItem(`onebox-${name}`);
  } catch {
    return null;
  }
}

/**
 * @param {string} name
 * @param {string} value
 */
export function remember(name, value) {
  try {
    localStorage.setItem(`onebox-${name}`, value);
  } catch {
    // The choice then holds until the page is closed.
  }
}
