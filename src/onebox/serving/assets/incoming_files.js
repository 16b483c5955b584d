/** Pictures that come in: chosen, dropped or pasted. */

import { byId, show } from "./dom.js";

/** @param {(files: File[]) => void} take */
export function startIncomingFiles(take) {
  const field = /** @type {HTMLInputElement} */ (byId("files"));
  for (const id of ["choose", "choose-first"]) byId(id).addEventListener("click", () => field.click());
  field.addEventListener("change", () => {
    take([...(field.files ?? [])]);
    field.value = ""; // the same file can be chosen again
  });
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length) take(files);
  });
  startDropping(take);
}

/** @param {(files: File[]) => void} take */
function startDropping(take) {
  const sign = byId("drop");
  document.addEventListener("dragover", (event) => {
    event.preventDefault(); // otherwise the browser would open the file
    show(sign, true);
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) show(sign, false);
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    show(sign, false);
    const files = [...(event.dataTransfer?.files ?? [])];
    if (files.length) take(files);
  });
}
