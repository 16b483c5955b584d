/**
 * A draft: the label of one image while a person works on it.
 *
 * Drafts are never changed in place, so that each of them can be undone.
 */

/** @typedef {import("./geometry.js").Box} Box */
/** @typedef {import("./geometry.js").Point} Point */
/** @typedef {import("./api.js").Keypoint} Keypoint */
/** @typedef {import("./api.js").Label} Label */
/** @typedef {import("./api.js").Proposal} Proposal */
/**
 * @typedef {object} Draft
 * @property {string | null} label the class, which may be chosen before the box
 * @property {Box | null} box
 * @property {Keypoint[] | null} keypoints as many as the session has; null without keypoints
 * @property {boolean} isAbsent whether it says that there is no subject
 * @property {Point[]} extremes the extreme points that were clicked so far, fewer than four
 */

export const PRESENT = 0.5; // from this probability on, a model says that there is a subject
const UNPLACED = /** @type {Keypoint} */ ([0, 0, 0]);

/**
 * @param {number} count number of keypoints; 0 without keypoints
 * @returns {Draft}
 */
export function emptyDraft(count) {
  return { label: null, box: null, keypoints: unplaced(count), isAbsent: false, extremes: [] };
}

/**
 * @param {Label | null} label
 * @param {number} count number of keypoints
 * @returns {Draft}
 */
export function draftOfLabel(label, count) {
  const empty = emptyDraft(count);
  if (!label) return empty;
  if (!label.box) return { ...empty, isAbsent: true };
  return { ...empty, label: label.label, box: label.box, keypoints: label.keypoints ?? empty.keypoints };
}

/**
 * @param {Proposal} proposal
 * @param {number} count number of keypoints
 * @returns {Draft}
 */
export function draftOfProposal(proposal, count) {
  const empty = emptyDraft(count);
  if (isAbsent(proposal)) return { ...empty, isAbsent: true };
  const keypoints = count && proposal.keypoints ? proposal.keypoints.map(asVisible) : empty.keypoints;
  return { ...empty, label: proposal.label, box: proposal.box, keypoints };
}

/** @param {{present?: number | null}} answer of a model */
export function isAbsent(answer) {
  return typeof answer.present === "number" && answer.present < PRESENT;
}

/**
 * @param {Draft} draft
 * @returns {Label | null} null if the draft says nothing yet
 */
export function labelOf(draft) {
  if (draft.isAbsent) return { label: null, box: null, keypoints: null };
  if (!draft.box) return null;
  return { label: draft.label, box: draft.box, keypoints: draft.keypoints };
}

/**
 * @param {unknown} a
 * @param {unknown} b
 * @returns {boolean} whether two records hold the same values
 */
export function isSame(a, b) {
  return JSON.stringify(a) === JSON.stringify(b);
}

/**
 * The draft in words, for people who do not see the stage, and as a readout for those who do.
 * @param {Draft} draft
 * @returns {string}
 */
export function wordsOfDraft(draft) {
  if (draft.isAbsent) return "No subject";
  if (draft.extremes.length) return `${draft.extremes.length} of 4 extreme points`;
  if (!draft.box) return draft.label ? `${draft.label}, no box yet` : "No box yet";
  const [x_min, y_min, x_max, y_max] = draft.box.map(shortNumber);
  const [width, height] = [draft.box[2] - draft.box[0], draft.box[3] - draft.box[1]].map(shortNumber);
  const corners = `x ${x_min} to ${x_max}, y ${y_min} to ${y_max}`;
  return `${draft.label ?? "No class yet"}: ${corners}, ${width} by ${height} pixels`;
}

/** @param {number} value */
export function shortNumber(value) {
  return String(Math.round(value * 10) / 10);
}

/**
 * @param {number} count
 * @returns {Keypoint[] | null}
 */
function unplaced(count) {
  return count ? Array.from({ length: count }, () => UNPLACED) : null;
}

/**
 * A model gives a confidence where a label has a visibility.
 * @param {[number, number, number]} point
 * @returns {Keypoint}
 */
function asVisible([x, y]) {
  return [x, y, 2];
}
