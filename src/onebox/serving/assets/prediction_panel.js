/** What the model says of the picture that is shown, in words. */

import { byId, make, press, say, show } from "./dom.js";
import { isAbsent, wordsOfDraft } from "./draft.js";
import { percent } from "./status_panel.js";

/** @typedef {import("./model_api.js").Model} Model */
/** @typedef {import("./model_api.js").Prediction} Prediction */
/** @typedef {import("./trying_out.js").Item} Item */
/** @typedef {import("./trying_out.js").TryingOut} TryingOut */

const MOST_CLASSES = 5; // probabilities in the list; not tuned

/**
 * @param {TryingOut} trying
 * @param {import("./box_editor.js").BoxEditor} editor
 */
export function showItem(trying, editor) {
  const item = trying.current;
  if (!item) return;
  const isCorrected = trying.isCorrected(item);
  byId("name").textContent = item.name;
  byId("note").textContent = noteOf(item, isCorrected);
  byId("readout").textContent = wordsOfDraft(editor.draft);
  byId("verdict").textContent = verdictOf(item);
  byId("verdict").classList.toggle("problem", item.state === "failed");
  byId("label-state").textContent = labelStateOf(item, isCorrected);
  /** @type {HTMLButtonElement} */ (byId("reset")).disabled = !isCorrected;
  show(byId("absent-mark"), editor.draft.isAbsent);
  press(byId("absent"), editor.draft.isAbsent);
  showCertainty(item.prediction, trying.model);
}

/**
 * @param {Item} item
 * @param {Model} model
 * @returns {import("./painter.js").OtherBox[]} the outer box
 */
export function outerBoxes(item, model) {
  const box = item.prediction?.outer_box;
  if (!box || isAbsent(item.prediction ?? {})) return [];
  return [{ box, kind: "outer", words: `outer box, ${percent(model.coverage)}` }];
}

/** @param {Model} model */
export function showModel(model) {
  byId("model-name").textContent = model.name;
  document.title = `${model.name} – onebox`;
  const classes = model.classes.length > 8 ? `${model.classes.length} classes` : model.classes.join(", ");
  byId("welcome-facts").textContent = `This model knows: ${classes}.`;
}

/**
 * @param {Item} item
 * @returns {string} in one or two words, for the strip of pictures
 */
export function stateOf({ state, prediction, draft }) {
  if (state === "waiting") return "waiting";
  if (state === "failed" && !draft?.box) return "no prediction";
  if (draft?.isAbsent) return "no subject";
  const sure = prediction && draft?.label === prediction.label ? `, ${sureness(prediction).toFixed(2)}` : "";
  return `${draft?.label ?? "no box"}${sure}`;
}

/** @param {Prediction} prediction */
function sureness(prediction) {
  return prediction.expected_iou ?? prediction.score;
}

/**
 * @param {Item} item
 * @param {boolean} isCorrected
 */
function noteOf({ state }, isCorrected) {
  if (state === "waiting") return "waiting for the prediction";
  if (state === "failed") return isCorrected ? "drawn" : "no prediction";
  return isCorrected ? "corrected" : "predicted";
}

/**
 * @param {Item} item
 * @param {boolean} isCorrected
 */
function labelStateOf({ state, prediction }, isCorrected) {
  if (prediction) return isCorrected ? "Corrected by you." : "As predicted.";
  if (isCorrected) return "Drawn by you.";
  return state === "waiting" ? "No prediction yet." : "No prediction.";
}

/** @param {Item} item */
function verdictOf({ state, prediction, problem }) {
  if (state === "failed") return problem;
  if (!prediction) return "The model looks at the picture.";
  return isAbsent(prediction) ? "The model sees no subject." : prediction.label;
}

/**
 * @param {Prediction | null} prediction
 * @param {Model} model
 */
function showCertainty(prediction, model) {
  const facts = prediction ? factsOf(prediction) : [];
  byId("certainty").replaceChildren(...facts.map(([term, words]) =>
    make("div", {}, make("dt", {}, term), make("dd", {}, words))));
  const isUnlike = prediction?.is_familiar === false;
  say(byId("unlike"), isUnlike
    ? "This picture is unlike the pictures that the model was calibrated on. Its figures may not hold here." : "");
  say(byId("certainty-note"), prediction ? noteOnCertainty(model) : "");
}

/**
 * @param {Prediction} prediction
 * @returns {[string, string][]}
 */
function factsOf(prediction) {
  const { present, score, expected_iou, p_iou75, is_familiar, probabilities } = prediction;
  /** @type {[string, string | null][]} */
  const facts = [
    ["Subject present", present === undefined ? null : percent(present)],
    ["Score", score.toFixed(2)],
    ["Expected IoU", expected_iou?.toFixed(2) ?? null],
    ["Chance of IoU 0.75", p_iou75 === undefined ? null : percent(p_iou75)],
    ["Like the known pictures", is_familiar === undefined ? null : is_familiar ? "yes" : "no"],
  ];
  const known = facts.filter(([, words]) => words !== null);
  return /** @type {[string, string][]} */ ([...known, ...classFacts(probabilities ?? {})]);
}

/**
 * @param {Record<string, number>} probabilities
 * @returns {[string, string][]} the most probable classes; none if there is one class only
 */
function classFacts(probabilities) {
  const sorted = Object.entries(probabilities).sort(([, a], [, b]) => b - a);
  if (sorted.length < 2) return [];
  return sorted.slice(0, MOST_CLASSES).map(([name, value]) => [`Class ${name}`, percent(value)]);
}

/** @param {Model} model */
function noteOnCertainty(model) {
  if (!model.is_calibrated) return "This model is not calibrated, so it cannot say how good its box is.";
  if (model.coverage === null) return "";
  return `The outer box (dashed, blue) holds the whole subject in ${percent(model.coverage)} of pictures.`;
}
