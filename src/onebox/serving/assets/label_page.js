/** The labelling page: connects its parts to the document. */

import { session } from "./api.js";
import { BoxEditor } from "./box_editor.js";
import { ClassList } from "./class_list.js";
import { ConflictDialog } from "./conflict_dialog.js";
import { byId, say, show } from "./dom.js";
import { otherBoxes, showImage } from "./image_panel.js";
import { KeypointList } from "./keypoint_list.js";
import { returnFocusTo, startHelp, startKeys, startSpaceToPan } from "./keys.js";
import { editingKeys, GESTURES, keypointKeys, showZoom, startTools } from "./label_keys.js";
import { Labelling } from "./labelling.js";
import { notify } from "./notices.js";
import { PictureList } from "./picture_list.js";
import { Stage } from "./stage.js";
import { showStatus } from "./status_panel.js";
import { startTheme } from "./theme.js";
import { WaitingKeys } from "./waiting_keys.js";

/** @typedef {import("./api.js").Entry} Entry */

const POLL_MS = { running: 2000, otherwise: 5000 }; // not tuned
const SHARPEN_MS = 150; // after the last change of the zoom; not tuned
const NARROW = matchMedia("(max-width: 44rem)");
const RETRY_MS = 3000; // not tuned

/** @param {any} facts of the session */
function start(facts) {
  let sharpening = 0;
  const editor = new BoxEditor(() => redraw());
  const stage = new Stage(byId("stage"), byId("canvas"), editor, () => {
    showZoom();
    clearTimeout(sharpening);
    sharpening = setTimeout(() => labelling.sharpen(), SHARPEN_MS);
  });
  stage.skeleton = facts.keypoints?.skeleton ?? [];
  const labelling = new Labelling(stage, facts, {
    entryChanged: () => redraw(),
    statusChanged: (status) => { showStatus(status); redraw(); },
    outboxChanged: showOutbox,
    conflicted: (action, entry) => dialog.ask(action, entry),
    labelled: (entry) => list.update(entry),
    moved: (hasArrived) => (hasArrived ? waiting.replay() : waiting.drop()),
  });
  const waiting = new WaitingKeys(() => labelling.isMoving);
  const classes = new ClassList((name) => editor.choose(name), async (name) => {
    labelling.classes = (await session.addClass(name)).classes;
    editor.choose(name);
  });
  const keypoints = new KeypointList(facts.keypoints?.names ?? [], editor, () => byId("stage").focus());
  const list = new PictureList((asked) => {
    labelling.list = list;
    if (NARROW.matches && !byId("list").hidden) toggleList(list); // it covers the picture there
    return labelling.visit(asked);
  });
  const dialog = new ConflictDialog(({ action, entry }, keep) => settleAction(labelling, action, entry, keep));

  function redraw() {
    stage.isProposal = labelling.isProposal;
    stage.others = otherBoxes(labelling.entry);
    stage.redraw();
    showImage(labelling);
    classes.show(labelling.classes, editor.draft.label ?? onlyOf(labelling.classes));
    keypoints.show();
    list.mark(labelling.entry?.id ?? null);
    say(byId("list-source-text"), labelling.list ? list.words : "");
    show(byId("list-source"), labelling.list !== null);
  }

  startTools(stage);
  startButtons(labelling, list);
  startLabellingKeys(labelling, waiting, classes, facts.keypoints !== null);
  startSpaceToPan(byId("stage"), stage.gestures);
  returnFocusTo(byId("stage"));
  say(byId("folder"), facts.folder);
  document.title = `${facts.folder} – onebox`;
  begin(labelling, list, facts.has_suspects);
}

/** @param {string[]} classes */
function onlyOf(classes) {
  return classes.length === 1 ? classes[0] : null;
}

/**
 * @param {Labelling} labelling
 * @param {PictureList} list
 * @param {boolean} hasSuspects
 */
async function begin(labelling, list, hasSuspects) {
  await poll(labelling);
  if (hasSuspects && labelling.status?.suspects) await openList(labelling, list, "suspects");
  else await labelling.goOn();
  byId("stage").focus({ preventScroll: true });
}

/** @param {Labelling} labelling */
async function poll(labelling) {
  if (!document.hidden) await session.status().then((status) => labelling.takeStatus(status)).catch(() => {});
  const isRunning = labelling.status?.training.state === "running";
  setTimeout(() => poll(labelling), isRunning ? POLL_MS.running : POLL_MS.otherwise);
}

/**
 * Show one of the filters in the list, and its first image.
 * @param {Labelling} labelling
 * @param {PictureList} list
 * @param {string} filter
 */
async function openList(labelling, list, filter) {
  list.query.value = "";
  list.filter.value = filter;
  await list.reload();
  labelling.list = list;
  await labelling.goOn();
}

/**
 * @param {Labelling} labelling
 * @param {import("./api.js").Action} action
 * @param {Entry} entry
 * @param {"mine" | "theirs"} keep
 */
async function settleAction(labelling, action, entry, keep) {
  if (keep === "mine") labelling.submit(entry, action.label, action.how, action.seconds);
  else labelling.page.labelled(entry);
  const isShown = labelling.entry?.id === entry.id;
  if (isShown) await labelling.reopen();
  byId("stage").focus({ preventScroll: true });
}

/**
 * @param {Labelling} labelling
 * @param {"mine" | "theirs"} keep
 */
async function settleFile(labelling, keep) {
  if (!labelling.entry) return;
  try {
    const { entry, status } = await session.settle(labelling.entry.id, keep);
    labelling.order.keep(entry);
    labelling.page.labelled(entry);
    labelling.takeStatus(status);
    await labelling.reopen();
  } catch (error) {
    notify(/** @type {Error} */ (error).message);
  }
}

/**
 * @param {number} waiting
 * @param {string} problem
 */
function showOutbox(waiting, problem) {
  const labels = waiting === 1 ? "1 label is" : `${waiting} labels are`;
  byId("unsaved-text").textContent = problem && `${labels} not saved. ${problem} The page tries again.`;
  show(byId("unsaved"), Boolean(problem && waiting));
  byId("save-state").textContent = waiting ? "Saving" : "Saved";
  byId("save-state").dataset.waiting = String(waiting);
}

/**
 * @param {Labelling} labelling
 * @param {PictureList} list
 */
function startButtons(labelling, list) {
  /** @type {Record<string, () => void>} */
  const runs = {
    accept: () => labelling.accept(),
    absent: () => labelling.markAbsent(),
    clear: () => labelling.editor.clear(),
    next: () => labelling.goOn(),
    previous: () => labelling.goBack(),
    undo: () => labelling.undo(),
    redo: () => labelling.redo(),
    retry: () => labelling.outbox.retry(),
    "list-toggle": () => toggleList(list),
    "list-close": () => toggleList(list),
    "list-leave": () => { labelling.list = null; labelling.goOn(); },
    "conflicts-show": () => openList(labelling, list, "conflicts"),
    review: () => openList(labelling, list, "labelled"),
    "use-suggestion": () => labelling.takeSuggestion(),
    "settle-mine": () => settleFile(labelling, "mine"),
    "settle-theirs": () => settleFile(labelling, "theirs"),
    "train-now": () => session.train().then((status) => labelling.takeStatus(status), (error) => notify(error.message)),
  };
  for (const [id, run] of Object.entries(runs)) byId(id).addEventListener("click", run);
}

/** @param {PictureList} list */
function toggleList(list) {
  const panel = byId("list");
  show(panel, panel.hidden);
  byId("list-toggle").setAttribute("aria-expanded", String(!panel.hidden));
  if (!panel.hidden && !list.entries.length) list.reload();
}

/**
 * @param {Labelling} labelling
 * @param {WaitingKeys} waiting
 * @param {ClassList} classes
 * @param {boolean} hasKeypoints
 */
function startLabellingKeys(labelling, waiting, classes, hasKeypoints) {
  const { stage, editor } = labelling;
  const bindings = [
    { keys: ["Enter"], words: "accept and go on", run: () => accept(labelling, waiting) },
    { keys: ["n"], words: "no subject, and go on", run: () => labelling.markAbsent() },
    { keys: ["Ctrl+z"], words: "undo", run: () => labelling.undo(), isRepeated: true },
    { keys: ["Ctrl+Shift+z", "Ctrl+y"], words: "redo", run: () => labelling.redo(), isRepeated: true },
    { keys: ["PageDown"], words: "next picture, without saving", run: () => labelling.goOn() },
    { keys: ["PageUp"], words: "previous picture", run: () => labelling.goBack() },
    ...editingKeys(stage, classes),
    ...(hasKeypoints ? keypointKeys(editor) : []),
    { keys: ["u"], words: "use the suggestion for a suspect", run: () => labelling.takeSuggestion() },
    { keys: ["l"], words: "open or close the list of pictures", run: () => byId("list-toggle").click(), isAtOnce: true },
    { keys: ["/"], words: "search for a picture", run: search, isAtOnce: true },
    { keys: ["Escape"], words: "take the drawing back; leave a field", run: () => escape(labelling, waiting), isAtOnce: true },
  ];
  startKeys(bindings, waiting);
  startHelp(bindings, GESTURES);
}

/**
 * @param {Labelling} labelling
 * @param {WaitingKeys} waiting
 */
function accept(labelling, waiting) {
  // What a model or an audit says of a picture is not accepted before the picture was seen.
  if (waiting.isReplaying && labelling.isAgreement) waiting.drop();
  else labelling.accept();
}

function search() {
  if (byId("list").hidden) byId("list-toggle").click();
  byId("search").focus();
}

/**
 * @param {Labelling} labelling
 * @param {WaitingKeys} waiting
 */
function escape(labelling, waiting) {
  waiting.drop();
  if (document.activeElement?.matches("input, select")) byId("stage").focus({ preventScroll: true });
  else labelling.startOver();
}

async function open() {
  try {
    start(await session.read());
  } catch (error) {
    notify(/** @type {Error} */ (error).message);
    setTimeout(open, RETRY_MS);
  }
}

startTheme();
open();
