/**
 * Labels as a CSV file that onebox reads: one row an image, an empty box where there is no subject.
 *
 * Keypoints are left out: the format has no place for them.
 */

/** @typedef {{image: string, draft: import("./draft.js").Draft}} Row */

const HEADER = ["image", "label", "x_min", "y_min", "x_max", "y_max"];

/**
 * @param {Row[]} rows
 * @returns {string}
 */
export function csvOf(rows) {
  return [HEADER, ...rows.map(cellsOf)].map((cells) => `${cells.map(quoted).join(",")}\r\n`).join("");
}

/**
 * @param {Row} row
 * @returns {string[]}
 */
function cellsOf({ image, draft }) {
  if (draft.isAbsent || !draft.box) return [image, "", "", "", "", ""];
  return [image, draft.label ?? "", ...draft.box.map((edge) => String(Math.round(edge * 100) / 100))];
}

/** @param {string} cell */
function quoted(cell) {
  return /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}

/**
 * Let the browser save a text as a file.
 * @param {string} text
 * @param {string} name
 */
export function download(text, name) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}
