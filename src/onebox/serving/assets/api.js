/** Requests to the server that sent this page. */

/** @typedef {import("./geometry.js").Box} Box */
/** @typedef {import("./geometry.js").Size} Size */
/** @typedef {[number, number, number]} Keypoint x, y, and 2 visible, 1 hidden, 0 not labelled */
/** @typedef {{names: string[], skeleton: [number, number][]}} KeypointSet */
/** @typedef {{label: string | null, box: Box | null, keypoints: Keypoint[] | null}} Label */
/**
 * @typedef {object} Proposal
 * @property {string} label
 * @property {Box} box
 * @property {number} score
 * @property {[number, number, number][] | null} keypoints
 * @property {number | null} present
 * @property {number | null} expected_iou
 * @property {boolean | null} is_familiar
 */
/**
 * @typedef {object} Entry one image of the session
 * @property {string} id
 * @property {string} name
 * @property {Size} size
 * @property {number} revision
 * @property {Label | null} label
 * @property {Proposal | null} proposal
 * @property {boolean} in_sample
 * @property {{kind: string, why: string, box: Box | null, label: string | null} | null} suspect
 * @property {Label | null} theirs
 * @property {boolean} is_in_conflict
 */
/** @typedef {"drawn" | "accepted" | "corrected" | "absent" | "cleared" | "undone"} How */
/**
 * @typedef {object} Action
 * @property {string} id
 * @property {string} image
 * @property {number} revision
 * @property {Label | null} label
 * @property {How} how
 * @property {number} seconds
 * @property {string} tab
 */

const TAB_KEY = "onebox-tab"; // in the storage of the tab

/** A request that was not answered with success; `status` is 0 if no answer came. */
export class RequestError extends Error {
  /**
   * @param {number} status
   * @param {string} message
   * @param {any} [problem] the body of the answer
   */
  constructor(status, message, problem = {}) {
    super(message);
    this.status = status;
    this.problem = problem;
  }
}

/**
 * Send a request and read its JSON.
 * @param {string} path relative to the page, so that a proxy may serve the page below a prefix
 * @param {RequestInit} [options]
 * @returns {Promise<any>}
 * @throws {RequestError}
 */
export async function request(path, options = {}) {
  const headers = { "X-Onebox": "1", ...options.headers };
  let response;
  try {
    response = await fetch(path, { ...options, headers });
  } catch {
    throw new RequestError(0, "The server does not answer.");
  }
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new RequestError(response.status, wordsOf(response, body), body);
  return body;
}

/**
 * @param {string} path
 * @param {object} body
 */
export function post(path, body) {
  const headers = { "Content-Type": "application/json" };
  return request(path, { method: "POST", headers, body: JSON.stringify(body) });
}

/**
 * @param {Response} response
 * @param {any} body
 */
function wordsOf(response, body) {
  return body.detail || body.title || `The server answers with status ${response.status}.`;
}

/** The labelling session on the server. */
export const session = {
  read: () => request("api/session"),
  status: () => request("api/status"),
  /** @param {string} tab @param {number} count @param {string[]} skip */
  next: (tab, count, skip) =>
    request(`api/next?${new URLSearchParams({ tab, count: String(count), skip: skip.join(",") })}`),
  /** @param {Record<string, string>} query */
  find: (query) => request(`api/images?${new URLSearchParams(query)}`),
  /** @param {string} id */
  entry: (id) => request(`api/images/${id}`),
  /** @param {Action} action */
  apply: (action) => post("api/actions", action),
  /** @param {string} name */
  addClass: (name) => post("api/classes", { name }),
  /** @param {string} id @param {"mine" | "theirs"} keep */
  settle: (id, keep) => post(`api/conflicts/${id}`, { keep }),
  train: () => post("api/train", {}),
};

/**
 * @param {string} id
 * @param {number} side longer side in pixels, at most
 */
export function previewUrl(id, side) {
  return `api/images/${id}/preview?side=${side}`;
}

/** @returns {string} 32 random hexadecimal digits; unlike randomUUID also without HTTPS */
export function randomId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @returns {string} the id of this tab, the same after the page was loaded again */
export function tabId() {
  const known = sessionStorage.getItem(TAB_KEY) ?? randomId();
  sessionStorage.setItem(TAB_KEY, known);
  return known;
}
