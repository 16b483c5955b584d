/** Dark and light: as the system has it, until the person chooses. */

import { byId, remember, remembered } from "./dom.js";

const SYSTEM = matchMedia("(prefers-color-scheme: dark)");

/** @returns {"dark" | "light"} the theme that is shown */
export function currentTheme() {
  const chosen = document.documentElement.dataset.theme;
  if (chosen === "dark" || chosen === "light") return chosen;
  return SYSTEM.matches ? "dark" : "light";
}

/** Let the button `theme` change the theme. */
export function startTheme() {
  const chosen = remembered("theme");
  if (chosen) document.documentElement.dataset.theme = chosen;
  const button = byId("theme");
  button.addEventListener("click", () => {
    const next = currentTheme() === "dark" ? "light" : "dark";
    document.documentElement.dataset.theme = next;
    remember("theme", next);
    describe(button);
  });
  SYSTEM.addEventListener("change", () => describe(button));
  describe(button);
}

/** @param {HTMLElement} button */
function describe(button) {
  const other = currentTheme() === "dark" ? "Light" : "Dark";
  button.setAttribute("aria-label", `${other} theme`);
  button.title = `${other} theme`;
}
