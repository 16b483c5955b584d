/** What the page tells the person: read aloud, and shown for a moment. */

import { byId } from "./dom.js";

const SHOWN_MS = 4000; // not tuned

let timer = 0;

/**
 * Say what changed to a screen reader, without showing it.
 * @param {string} text
 */
export function announce(text) {
  byId("announcer").textContent = text;
}

/**
 * Show a sentence for a moment, and read it aloud.
 * @param {string} text
 */
export function notify(text) {
  const notice = byId("notice");
  notice.textContent = text;
  notice.hidden = false;
  announce(text);
  clearTimeout(timer);
  timer = setTimeout(() => { notice.hidden = true; }, SHOWN_MS);
}
