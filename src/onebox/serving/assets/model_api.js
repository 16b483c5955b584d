/** The model on the server: what it is, and what it says of a picture. */

import { request, RequestError } from "./api.js";

/** @typedef {import("./geometry.js").Box} Box */
/**
 * @typedef {object} Model
 * @property {string} name
 * @property {string[]} classes
 * @property {import("./api.js").KeypointSet | null} keypoints
 * @property {boolean} is_calibrated
 * @property {number | null} coverage a coverage of outer boxes that the calibration allows
 * @property {{bytes: number, pixels: number}} limits
 */
/**
 * @typedef {object} Prediction
 * @property {string} label
 * @property {number} score
 * @property {Box} box
 * @property {Record<string, number>} probabilities
 * @property {number} [present]
 * @property {number} [expected_iou]
 * @property {number} [p_iou75]
 * @property {boolean} [is_familiar]
 * @property {Box | null} [outer_box]
 * @property {Record<string, [number, number, number]>} [keypoints]
 */

const BUSY = [429, 503];
const TRIES = 5; // of a busy server; not tuned
const PAUSE_S = 1; // where the server does not say how long to wait; not tuned

/** @returns {Promise<Model>} */
export function readModel() {
  return request("model");
}

/**
 * @param {File} file
 * @param {Model} model
 * @returns {Promise<Prediction>}
 * @throws {RequestError}
 */
export async function predict(file, model) {
  if (file.size > model.limits.bytes) {
    const [size, limit] = [file.size, model.limits.bytes].map(megabytes);
    throw new RequestError(413, `The file has ${size} MB; this server takes at most ${limit} MB.`);
  }
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await send(file, model);
    } catch (error) {
      const isBusy = BUSY.includes(/** @type {RequestError} */ (error).status);
      if (!isBusy || attempt === TRIES) throw error;
      await new Promise((resolve) => { setTimeout(resolve, PAUSE_S * 1000 * attempt); });
    }
  }
}

/**
 * @param {File} file
 * @param {Model} model
 */
function send(file, model) {
  const type = file.type.startsWith("image/") ? file.type : "application/octet-stream";
  const query = model.coverage === null ? "" : `?coverage=${model.coverage}`;
  return request(`predict${query}`, { method: "POST", headers: { "Content-Type": type }, body: file });
}

/** @param {number} bytes */
function megabytes(bytes) {
  return (bytes / 1e6).toFixed(1);
}
