/** The state of the session in words: progress, accuracy, advice, training, the label file. */

import { byId, make, say, show } from "./dom.js";

/** @param {any} status of the session */
export function showStatus(status) {
  showProgress(status);
  showAccuracy(status.accuracy);
  byId("advice").textContent = status.advice?.text ?? "";
  showTraining(status.training);
  showFile(status.file);
  const { length } = status.conflicts;
  const many = length === 1 ? "One picture has" : `${length} pictures have`;
  byId("conflicts-text").textContent = `${many} another label in the file, by an edit from outside.`;
  show(byId("conflicts"), length > 0);
}

/** @param {number} seconds */
export function wordsOfTime(seconds) {
  if (seconds < 90) return "about 1 min";
  if (seconds < 5400) return `about ${Math.round(seconds / 60)} min`;
  return `about ${Math.round(seconds / 3600)} h`;
}

/** @param {number | null | undefined} fraction */
export function percent(fraction) {
  return typeof fraction === "number" ? `${Math.round(100 * fraction)} %` : "–";
}

/**
 * @param {HTMLElement} meter
 * @param {number} fraction
 */
function fill(meter, fraction) {
  const share = Math.round(100 * fraction);
  meter.setAttribute("aria-valuenow", String(share));
  /** @type {HTMLElement} */ (meter.firstElementChild).style.width = `${share}%`;
}

/** @param {any} status */
function showProgress({ images, labelled, seconds_left }) {
  fill(byId("progress-bar"), images ? labelled / images : 0);
  const left = seconds_left === null || labelled === images ? "" : ` · ${wordsOfTime(seconds_left)} left`;
  byId("progress-text").textContent = `${labelled} of ${images}${left}`;
}

/** @param {any} accuracy */
function showAccuracy(accuracy) {
  const facts = accuracy ? factsOf(accuracy) : [];
  byId("accuracy").replaceChildren(...facts.map(([term, words]) =>
    make("div", {}, make("dt", {}, term), make("dd", {}, words))));
  show(byId("accuracy"), facts.length > 0);
}

/**
 * @param {any} accuracy
 * @returns {[string, string][]}
 */
function factsOf({ images, mean_iou, low, high, class_accuracy }) {
  /** @type {[string, string][]} */
  const facts = [
    ["Mean IoU", `${mean_iou.toFixed(2)} (95 %: ${low.toFixed(2)} to ${high.toFixed(2)})`],
    ["Measured on", `${images} pictures`],
  ];
  if (class_accuracy !== null) facts.push(["Right class", percent(class_accuracy)]);
  return facts;
}

/** @param {any} training */
function showTraining({ state, round, labels, stage, done, message }) {
  const isRunning = state === "running";
  show(byId("training"), state !== "off");
  show(byId("training-bar"), isRunning);
  show(byId("train-now"), !isRunning);
  fill(byId("training-bar"), done);
  // Without labels, a model that the user named predicts the pictures.
  const running = labels ? `Round ${round} trains on ${labels} labels. ${stage}` : stage;
  const ended = round ? `Round ${round} trained on ${labels} labels.` : "";
  const words = { running, failed: `Training failed: ${message}`, waiting: [ended, message].join(" ") };
  byId("training-text").textContent = (words[state] ?? "").trim();
  byId("training").classList.toggle("failed", state === "failed");
}

/** @param {any} file */
function showFile({ state, message }) {
  say(byId("file-state"), state === "refused" ? `The label file is not up to date. ${message}` : "");
  byId("save-state").dataset.file = state;
}
