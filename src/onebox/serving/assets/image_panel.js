/** What is known of the image that is shown: proposal, accuracy sample, suspect, conflict. */

import { withOnlyClass } from "./deciding.js";
import { byId, press, say, show } from "./dom.js";
import { isAbsent, wordsOfDraft } from "./draft.js";

/** @typedef {import("./api.js").Entry} Entry */
/** @typedef {import("./api.js").Label} Label */
/** @typedef {import("./api.js").Proposal} Proposal */
/** @typedef {import("./painter.js").OtherBox} OtherBox */
/** @typedef {import("./labelling.js").Labelling} Labelling */

const IN_SAMPLE = "no proposal here: this image measures the accuracy";

/**
 * @param {Labelling} labelling
 */
export function showImage(labelling) {
  const { entry, editor } = labelling;
  document.body.classList.toggle("is-finished", !entry);
  showFinished(labelling);
  say(byId("name"), entry?.name ?? "");
  byId("note").textContent = entry ? noteOf(entry, labelling.isProposal) : "";
  say(byId("readout"), entry ? wordsOfDraft(whole(labelling)) : "");
  say(byId("refused"), labelling.refusal && `This label was not saved. ${labelling.refusal}`);
  show(byId("absent-mark"), Boolean(entry) && editor.draft.isAbsent);
  press(byId("absent"), Boolean(entry) && editor.draft.isAbsent);
  byId("accept-text").textContent = acceptWords(labelling);
  showSuspect(entry);
  showConflict(entry);
}

/**
 * @param {Labelling} labelling
 * @returns {import("./draft.js").Draft} the draft as it will be accepted
 */
function whole({ editor, classes }) {
  return editor.draft.box ? withOnlyClass(editor.draft, classes) : editor.draft;
}

/**
 * @param {Entry | null} entry
 * @returns {OtherBox[]} the boxes that are drawn beside the draft's
 */
export function otherBoxes(entry) {
  const { suspect, theirs, is_in_conflict } = entry ?? {};
  /** @type {OtherBox[]} */
  const boxes = [];
  if (suspect?.box) boxes.push({ box: suspect.box, kind: "suggested", words: `suggested${named(suspect.label)}` });
  if (is_in_conflict && theirs?.box) {
    boxes.push({ box: theirs.box, kind: "theirs", words: `in the file${named(theirs.label)}` });
  }
  return boxes;
}

/** @param {Label | null} label */
export function wordsOfLabel(label) {
  if (!label) return "no label";
  if (!label.box) return "no subject";
  return wordsOfDraft({ ...label, isAbsent: false, extremes: [] });
}

/** @param {string | null | undefined} label */
function named(label) {
  return label ? `: ${label}` : "";
}

/**
 * @param {Entry} entry
 * @param {boolean} isProposal
 */
function noteOf(entry, isProposal) {
  if (entry.in_sample && !entry.label) return IN_SAMPLE;
  if (isProposal && entry.proposal) return wordsOfProposal(entry.proposal);
  if (entry.label) return "labelled";
  return "";
}

/** @param {Proposal} proposal */
function wordsOfProposal(proposal) {
  if (isAbsent(proposal)) return "proposal: no subject";
  const { expected_iou, score, is_familiar } = proposal;
  const isCalibrated = typeof expected_iou === "number";
  const sure = isCalibrated ? `expected IoU ${expected_iou.toFixed(2)}` : `score ${score.toFixed(2)}`;
  return `proposal, ${sure}${is_familiar === false ? ", unlike the pictures so far" : ""}`;
}

/** @param {Labelling} labelling */
function acceptWords({ entry, editor }) {
  if (!entry?.label) return "Accept";
  if (!editor.isTouched) return entry.suspect || entry.is_in_conflict ? "Keep" : "Next";
  return editor.draft.box || editor.draft.isAbsent ? "Save" : "Remove the label";
}

/** @param {Labelling} labelling */
function showFinished({ entry, status, outbox }) {
  show(byId("finished"), !entry && status !== null);
  const isLeft = status?.remaining > new Set(outbox.images).size;
  byId("finished-title").textContent = isLeft
    ? "The last pictures are open in another tab"
    : "Every picture has a label";
  byId("finished-text").textContent = status?.advice?.text ?? "";
}

/** @param {Entry | null} entry */
function showSuspect(entry) {
  const suspect = entry?.suspect;
  show(byId("suspect"), Boolean(suspect));
  if (!suspect) return;
  byId("suspect-kind").textContent = `Suspect: ${suspect.kind}`;
  byId("suspect-why").textContent = suspect.why;
  show(byId("use-suggestion"), Boolean(suspect.box || suspect.label));
}

/** @param {Entry | null} entry */
function showConflict(entry) {
  show(byId("conflict"), Boolean(entry?.is_in_conflict));
  if (!entry?.is_in_conflict) return;
  byId("conflict-text").textContent =
    `The label file says “${wordsOfLabel(entry.theirs)}”, and this page says “${wordsOfLabel(entry.label)}”.`;
}
