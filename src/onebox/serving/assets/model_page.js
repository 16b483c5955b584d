/** The page that tries a model out: connects its parts to the document. */

import { BoxEditor } from "./box_editor.js";
import { ClassList } from "./class_list.js";
import { byId, say } from "./dom.js";
import { emptyDraft } from "./draft.js";
import { startIncomingFiles } from "./incoming_files.js";
import { KeypointList } from "./keypoint_list.js";
import { returnFocusTo, startHelp, startKeys, startSpaceToPan } from "./keys.js";
import { csvOf, download } from "./label_csv.js";
import { editingKeys, GESTURES, keypointKeys, showZoom, startTools } from "./label_keys.js";
import { readModel } from "./model_api.js";
import { announce, notify } from "./notices.js";
import { PictureStrip } from "./picture_strip.js";
import { outerBoxes, showItem, showModel, stateOf } from "./prediction_panel.js";
import { Stage } from "./stage.js";
import { startTheme } from "./theme.js";
import { TryingOut } from "./trying_out.js";

/** @typedef {import("./trying_out.js").Item} Item */

const RETRY_MS = 3000; // not tuned

class ModelPage {
  /** @type {string[]} classes of the model, and those that the person added */
  classes = [];
  /** Index of the picture that is shown or about to be; -1 before the first. */
  #wanted = -1;
  /** @type {ImageBitmap | null} */
  #picture = null;

  /** @param {import("./model_api.js").Model} model */
  constructor(model) {
    this.classes = model.classes;
    this.trying = new TryingOut(model, (item) => this.#answered(item));
    this.editor = new BoxEditor(() => this.#changed());
    this.stage = new Stage(byId("stage"), byId("canvas"), this.editor, showZoom);
    this.stage.skeleton = model.keypoints?.skeleton ?? [];
    this.strip = new PictureStrip((item) => this.show(this.trying.items.indexOf(item)));
    this.list = new ClassList((name) => this.editor.choose(name), async (name) => this.#addClass(name));
    this.keypoints = new KeypointList(model.keypoints?.names ?? [], this.editor, () => byId("stage").focus());
  }

  /** @param {File[]} files */
  async add(files) {
    const items = this.trying.add(files);
    document.body.classList.remove("is-empty");
    this.strip.add(items);
    this.#showProgress();
    if (this.#wanted < 0) this.show(0);
    // One after another: a decoded picture is large.
    for (const item of items) await this.#drawThumbnail(item);
  }

  /** @param {number} index */
  async show(index) {
    const item = this.trying.items[index];
    this.#wanted = index;
    this.trying.index = -1; // until the picture is there, no change is about any picture
    const picture = await decode(item.file);
    if (this.#wanted !== index) return picture?.close();
    this.trying.index = index;
    this.#open(item, picture);
    this.strip.mark(item);
  }

  /** @param {1 | -1} step */
  move(step) {
    const index = this.#wanted + step;
    if (this.trying.items[index]) this.show(index);
    else notify(step > 0 ? "This is the last picture." : "This is the first picture.");
  }

  markAbsent() {
    const count = this.trying.keypointCount;
    this.editor.change({ ...emptyDraft(count), isAbsent: true });
  }

  /** Return to what the model says. */
  reset() {
    const item = this.trying.current;
    if (item) this.editor.change(this.trying.predictedDraft(item));
  }

  download() {
    const { labels } = this.trying;
    if (!labels.length) return notify("No picture has a label yet.");
    download(csvOf(labels), "labels.csv");
    const left = this.trying.keypointCount ? " Keypoints are not in it: CSV has no place for them." : "";
    notify(`labels.csv has ${pictures(labels.length)}.${left}`);
  }

  /** @param {string} name */
  #addClass(name) {
    const isKnown = this.classes.some((known) => known.toLowerCase() === name.toLowerCase());
    if (isKnown) throw new Error(`The class ${name} exists already.`);
    this.classes = [...this.classes, name];
    this.editor.choose(name);
  }

  /**
   * @param {Item} item
   * @param {ImageBitmap | null} picture
   */
  #open(item, picture) {
    this.stage.close();
    this.#picture?.close();
    this.#picture = picture;
    say(byId("stage-words"), picture ? "" : "This browser cannot show the file.");
    const size = /** @type {[number, number]} */ (picture ? [picture.width, picture.height] : [1, 1]);
    this.editor.isReadOnly = picture === null;
    this.editor.open(size, item.draft ?? emptyDraft(this.trying.keypointCount));
    if (!picture) return;
    this.stage.open(item.id, size);
    this.stage.reveal(picture);
  }

  #changed() {
    const item = this.trying.current;
    if (!item) return;
    if (item.draft || this.editor.isTouched) item.draft = this.editor.draft;
    this.stage.isProposal = item.state === "done" && !this.trying.isCorrected(item);
    this.stage.others = outerBoxes(item, this.trying.model);
    this.stage.redraw();
    showItem(this.trying, this.editor);
    this.list.show(this.classes, this.editor.draft.label);
    this.keypoints.show();
    this.strip.update(item);
  }

  /** @param {Item} item */
  #answered(item) {
    this.strip.update(item);
    this.#showProgress();
    if (item !== this.trying.current) return;
    if (item.draft) this.editor.open(this.editor.size, item.draft);
    announce(item.problem || `${item.name}: ${stateOf(item)}`);
  }

  /** @param {Item} item */
  async #drawThumbnail(item) {
    const picture = await decode(item.file);
    if (!picture) return;
    this.strip.draw(item, picture);
    picture.close();
  }

  #showProgress() {
    const { items } = this.trying;
    const done = items.filter(({ state }) => state !== "waiting").length;
    byId("progress-text").textContent = done < items.length ? `${done} of ${items.length}` : pictures(done);
    /** @type {HTMLButtonElement} */ (byId("download")).disabled = done === 0;
  }
}

/** @param {number} count */
function pictures(count) {
  return count === 1 ? "1 picture" : `${count} pictures`;
}

/**
 * @param {File} file
 * @returns {Promise<ImageBitmap | null>} upright; null if this browser cannot show it
 */
function decode(file) {
  return createImageBitmap(file, { imageOrientation: "from-image" }).catch(() => null);
}

/** @param {ModelPage} page */
function startCommands(page) {
  const { editor } = page;
  const runs = {
    clear: () => editor.clear(),
    absent: () => page.markAbsent(),
    reset: () => page.reset(),
    undo: () => editor.undo() || notify("There is nothing to undo."),
    redo: () => editor.redo() || notify("There is nothing to redo."),
    next: () => page.move(1),
    previous: () => page.move(-1),
    download: () => page.download(),
  };
  for (const [id, run] of Object.entries(runs)) byId(id).addEventListener("click", run);
  const bindings = [
    { keys: ["Enter", "PageDown"], words: "next picture", run: runs.next },
    { keys: ["PageUp"], words: "previous picture", run: runs.previous },
    { keys: ["n"], words: "no subject", run: runs.absent },
    { keys: ["r"], words: "return to the prediction", run: runs.reset },
    { keys: ["Ctrl+z"], words: "undo", run: runs.undo, isRepeated: true },
    { keys: ["Ctrl+Shift+z", "Ctrl+y"], words: "redo", run: runs.redo, isRepeated: true },
    ...editingKeys(page.stage, page.list),
    ...(page.trying.keypointCount ? keypointKeys(editor) : []),
    { keys: ["o"], words: "add pictures", run: () => byId("choose").click() },
    { keys: ["d"], words: "download the labels", run: runs.download },
    { keys: ["Escape"], words: "take the drawing back; leave a field", run: () => escape(page) },
  ];
  startKeys(bindings);
  startHelp(bindings, GESTURES);
}

/** @param {ModelPage} page */
function escape(page) {
  page.stage.gestures.abort();
  byId("stage").focus({ preventScroll: true });
}

async function open() {
  try {
    const model = await readModel();
    showModel(model);
    const page = new ModelPage(model);
    startTools(page.stage);
    startCommands(page);
    startSpaceToPan(byId("stage"), page.stage.gestures);
    returnFocusTo(byId("stage"));
    startIncomingFiles((files) => page.add(files));
    document.body.dataset.state = "ready";
  } catch (error) {
    notify(/** @type {Error} */ (error).message);
    setTimeout(open, RETRY_MS);
  }
}

startTheme();
open();
