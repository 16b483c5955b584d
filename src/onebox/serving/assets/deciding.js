/** From an image to the draft that is shown, and from the draft to a decision. */

import { draftOfLabel, draftOfProposal, emptyDraft } from "./draft.js";

/** @typedef {import("./api.js").Entry} Entry */
/** @typedef {import("./api.js").How} How */
/** @typedef {import("./api.js").Label} Label */
/** @typedef {import("./draft.js").Draft} Draft */

/**
 * What is shown first: the label, else the proposal, else nothing.
 * @param {Entry} entry
 * @param {number} keypointCount
 * @returns {Draft}
 */
export function draftOfEntry(entry, keypointCount) {
  if (entry.label) return draftOfLabel(entry.label, keypointCount);
  if (entry.proposal) return draftOfProposal(entry.proposal, keypointCount);
  return emptyDraft(keypointCount);
}

/**
 * With one class there is nothing to choose. With several, none is assumed: a class that was left
 * over from the last image would be saved by mistake.
 * @param {Draft} draft
 * @param {string[]} classes
 * @returns {Draft}
 */
export function withOnlyClass(draft, classes) {
  const only = classes.length === 1 ? classes[0] : null;
  return { ...draft, label: draft.label ?? only };
}

/**
 * What a person must do before a draft can be accepted.
 * @param {Draft} draft
 * @param {Label | null} label that it says
 * @param {Entry} entry
 * @param {string[]} classes
 * @returns {string} a sentence; empty if nothing is missing
 */
export function whatIsMissing(draft, label, entry, classes) {
  if (draft.extremes.length) return "Click the other extreme points first.";
  if (!label && !entry.label) return "Draw a box first, or press N if there is no subject.";
  if (!label?.box || label.label) return "";
  return classes.length ? "Choose the class first." : "Name the class first.";
}

/**
 * @param {Label | null} label
 * @param {Entry} entry
 * @param {boolean} isProposal whether it is a proposal that was not touched
 * @returns {How}
 */
export function howOf(label, entry, isProposal) {
  if (!label) return "cleared";
  if (isProposal) return "accepted";
  if (!label.box) return "absent";
  return entry.proposal && !entry.label ? "corrected" : "drawn";
}

/**
 * @param {NonNullable<Entry["suspect"]>} suspect
 * @param {Draft} draft
 * @returns {Partial<Draft>} the draft with what the audit suggests
 */
export function suggestionOf(suspect, draft) {
  return { box: suspect.box ?? draft.box, label: suspect.label ?? draft.label, isAbsent: false };
}

/**
 * @param {Label | null} label that the server has now
 * @param {{labelled: number, images: number}} status of the session
 * @returns {string}
 */
export function wordsOfSaved(label, { labelled, images }) {
  const what = label ? (label.label ?? "no subject") : "removal of the label";
  return `Saved ${what}, ${labelled} of ${images}`;
}
