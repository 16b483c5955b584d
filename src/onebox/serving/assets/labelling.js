/** One person labels the images of a session: what is shown, what is decided, where it goes. */

import { randomId, session, tabId } from "./api.js";
import { draftOfEntry, howOf, suggestionOf, whatIsMissing, withOnlyClass, wordsOfSaved } from "./deciding.js";
import { Decisions } from "./decisions.js";
import { draftOfLabel, isSame, labelOf } from "./draft.js";
import { announce, notify } from "./notices.js";
import { Outbox } from "./outbox.js";
import { PictureOrder } from "./picture_order.js";
import { StagePictures } from "./pictures.js";
import { TimeSpent } from "./time_spent.js";

/** @typedef {import("./api.js").Action} Action */
/** @typedef {import("./api.js").Entry} Entry */
/** @typedef {import("./api.js").How} How */
/** @typedef {import("./api.js").Label} Label */
/**
 * @typedef {object} Page what the page shows of it
 * @property {() => void} entryChanged the image that is shown, or what is known of it
 * @property {(status: any) => void} statusChanged
 * @property {(waiting: number, problem: string) => void} outboxChanged
 * @property {(action: Action, entry: Entry) => void} conflicted
 * @property {(entry: Entry) => void} labelled
 * @property {(hasArrived: boolean) => void} moved no image is on its way any more; whether the last one is shown
 */

export class Labelling {
  tab = tabId();
  /** @type {any} the newest status; null before the first */
  status = null;
  /** The list that is walked down instead of the order of the server. */
  list = /** @type {import("./picture_list.js").PictureList | null} */ (null);
  /** Why the server rejected the label of the image that is shown; empty if it did not. */
  refusal = "";
  #decisions = new Decisions();
  #time = new TimeSpent();
  /** @type {Map<string, import("./draft.js").Draft>} work on images that were left without saving */
  #drafts = new Map();
  #training = "";
  /** Moves to an image that are under way, one inside another. */
  #moves = 0;
  #isAstray = false;

  /**
   * @param {import("./stage.js").Stage} stage
   * @param {any} facts of the session
   * @param {Page} page
   */
  constructor(stage, facts, page) {
    this.stage = stage;
    this.pictures = new StagePictures(stage);
    this.editor = stage.editor;
    this.keypointCount = facts.keypoints?.names.length ?? 0;
    this.classes = /** @type {string[]} */ (facts.classes);
    this.page = page;
    this.outbox = new Outbox(session.apply, {
      saved: (action, reply) => this.#saved(action, reply),
      conflicted: (action, entry) => this.#conflicted(action, entry),
      refused: (action, error) => this.#refused(action, error),
      changed: page.outboxChanged,
    });
    this.order = new PictureOrder(
      (count, skip) => session.next(this.tab, count, skip),
      () => this.outbox.images,
      (entries) => this.pictures.loadAhead(entries),
    );
  }

  /** @returns {Entry | null} the image that is shown */
  get entry() {
    return this.order.entries.get(this.stage.element.dataset.imageId ?? "") ?? null;
  }

  /** Whether a proposal is shown as the model made it. */
  get isProposal() {
    const entry = this.entry;
    return Boolean(entry && !entry.label && entry.proposal && !this.editor.isTouched);
  }

  /** Whether to accept what is shown is to agree with a model or an audit. */
  get isAgreement() {
    const { entry } = this;
    const isAsked = Boolean(this.isProposal || entry?.suspect || entry?.is_in_conflict);
    return isAsked && !this.editor.isTouched;
  }

  /** Whether an image is on its way: what is decided now would be about the image before. */
  get isMoving() {
    return this.#moves > 0;
  }

  /**
   * Show an image that the order stands at.
   * @param {Entry} entry
   */
  async show(entry) {
    await this.#move(() => this.#open(entry));
  }

  /**
   * @param {Entry} entry
   * @returns {Promise<boolean>} whether an image is shown
   */
  async #open(entry) {
    this.leave();
    this.refusal = "";
    this.stage.open(entry.id, entry.size);
    this.editor.open(entry.size, draftOfEntry(entry, this.keypointCount));
    const kept = this.#drafts.get(entry.id);
    if (kept) this.editor.change(kept);
    this.page.entryChanged();
    await this.pictures.open(entry).catch(() => notify(`${entry.name} cannot be shown.`));
    if (this.entry?.id === entry.id) this.#time.start();
    return this.stage.isReady;
  }

  /**
   * @param {() => Promise<boolean>} go resolves to whether it arrived
   */
  async #move(go) {
    this.#moves += 1;
    let hasArrived = false;
    try {
      hasArrived = await go();
    } finally {
      this.#moves -= 1;
      this.#isAstray ||= !hasArrived;
      if (!this.#moves) {
        hasArrived = !this.#isAstray;
        this.#isAstray = false;
        this.page.moved(hasArrived);
      }
    }
  }

  /** Show the image again, as it is known now. */
  async reopen() {
    const entry = this.entry;
    if (!entry) return;
    this.#drafts.delete(entry.id);
    this.editor.open(entry.size, draftOfEntry(entry, this.keypointCount));
    await this.show(entry);
  }

  /** Take back all that was drawn on the image that is shown. */
  startOver() {
    this.stage.gestures.abort();
    if (this.entry && this.editor.isTouched) this.editor.change(draftOfEntry(this.entry, this.keypointCount));
  }

  /** Use what the audit suggests for a suspect. */
  takeSuggestion() {
    if (this.entry?.suspect) this.editor.change(suggestionOf(this.entry.suspect, this.editor.draft));
  }

  /** Keep what was drawn on the image that is shown, for when the person returns to it. */
  leave() {
    const { entry, editor } = this;
    if (!entry) return;
    if (editor.isTouched) this.#drafts.set(entry.id, editor.draft);
    else this.#drafts.delete(entry.id);
  }

  /** Load a sharper picture if the zoom shows more than is loaded. */
  async sharpen() {
    if (this.entry) await this.pictures.sharpen(this.entry).catch(() => {});
  }

  /** Decide for what the stage shows, and go on. */
  accept() {
    const { entry, editor } = this;
    if (!entry || !this.stage.isReady || this.isMoving) return;
    const label = labelOf(withOnlyClass(editor.draft, this.classes));
    const known = labelOf(draftOfLabel(entry.label, this.keypointCount)); // with the keypoints that it lacks
    const missing = whatIsMissing(editor.draft, label, entry, this.classes);
    if (missing) {
      notify(missing);
    } else if (isSame(label, known) && !entry.suspect && !entry.is_in_conflict) {
      this.goOn();
    } else {
      this.#decide(entry, label, howOf(label, entry, this.isProposal));
    }
  }

  /** Decide that the image has no subject, and go on. */
  markAbsent() {
    if (!this.entry || !this.stage.isReady || this.isMoving) return;
    this.#decide(this.entry, { label: null, box: null, keypoints: null }, "absent");
  }

  /** Show the next image, without saving. */
  async goOn() {
    if (this.isMoving) return; // a second click must not pass an image by
    await this.#move(async () => {
      try {
        return this.list ? await this.#goDown(this.list) : await this.#goNext();
      } catch (error) {
        notify(`${/** @type {Error} */ (error).message} Press Page Down to try again.`);
        return false;
      }
    });
  }

  /** Show the image before. */
  async goBack() {
    if (this.list && this.entry) {
      if (!(await this.list.move(-1))) notify("This is the first picture of the list.");
      return;
    }
    const previous = this.entry ? this.order.previous() : this.order.current;
    if (previous) await this.show(previous);
    else notify("This is the first picture.");
  }

  /**
   * Show an image out of turn.
   * @param {Promise<Entry>} asked as it is on the server
   */
  async visit(asked) {
    await this.#move(async () => {
      const entry = await asked;
      const isUnsaved = this.outbox.images.includes(entry.id);
      const newest = (isUnsaved && this.order.entries.get(entry.id)) || entry;
      this.order.keep(newest);
      this.order.goTo(entry.id);
      return this.#open(newest);
    });
  }

  /** Take back the last change of the draft, or else the last decision. */
  async undo() {
    if (this.entry && this.editor.undo()) return;
    const decision = this.#decisions.undo();
    if (decision) await this.#repeat(decision.image, decision.before, "undone");
    else notify("There is nothing to undo.");
  }

  async redo() {
    if (this.entry && this.editor.redo()) return;
    const decision = this.#decisions.redo();
    if (decision) await this.#repeat(decision.image, decision.after, decision.how);
    else notify("There is nothing to redo.");
  }

  /**
   * Send a label of an image, as it is known now.
   * @param {Entry} entry
   * @param {Label | null} label
   * @param {How} how
   * @param {number} seconds
   */
  submit(entry, label, how, seconds) {
    const { id: image, revision } = entry;
    this.outbox.add({ id: randomId(), image, revision, label, how, seconds, tab: this.tab });
    this.#drafts.delete(image);
    this.order.keep({ ...entry, label });
    this.page.labelled({ ...entry, label });
  }

  /** @param {any} status of the session */
  takeStatus(status) {
    this.status = status;
    this.classes = status.classes;
    const training = `${status.training.round} ${status.training.state}`;
    if (this.#training && this.#training !== training) this.order.renew().catch(() => {});
    this.#training = training;
    this.page.statusChanged(status);
  }

  /**
   * @param {Entry} entry
   * @param {Label | null} label
   * @param {How} how
   */
  #decide(entry, label, how) {
    this.#decisions.add({ image: entry.id, before: entry.label, after: label, how });
    this.submit(entry, label, how, this.#time.read());
    this.editor.open(entry.size, this.editor.draft); // what is saved is no longer a draft
    this.goOn();
  }

  /**
   * @param {string} image
   * @param {Label | null} label
   * @param {How} how
   */
  async #repeat(image, label, how) {
    await this.#move(async () => {
      const entry = this.order.entries.get(image) ?? (await session.entry(image));
      this.submit(entry, label, how, 0);
      this.order.revisit(image);
      return this.#open(/** @type {Entry} */ (this.order.current));
    });
  }

  /** @param {import("./picture_list.js").PictureList} list */
  async #goDown(list) {
    const hasNext = await list.move(1);
    if (!hasNext) notify("This was the last picture of the list.");
    return hasNext;
  }

  /** @returns {Promise<boolean>} whether the next image is shown */
  async #goNext() {
    const next = await this.order.next();
    const isLast = this.entry !== null && !this.entry.label;
    if (next) return this.#open(next);
    if (isLast) notify("No other picture is left without a label.");
    else this.#finish();
    return false;
  }

  #finish() {
    this.leave();
    this.stage.close();
    this.page.entryChanged();
    announce("Every picture has a label.");
  }

  /**
   * @param {Action} action
   * @param {{entry: Entry, status: any}} reply
   */
  #saved(action, { entry, status }) {
    const isLast = !this.outbox.images.includes(entry.id);
    this.order.keep(isLast ? entry : { ...entry, label: this.order.entries.get(entry.id)?.label ?? null });
    if (isLast) this.page.labelled(entry);
    if (this.entry?.id === entry.id) this.page.entryChanged();
    announce(wordsOfSaved(action.label, status));
    this.takeStatus(status);
  }

  /**
   * @param {Action} action
   * @param {Entry} entry
   */
  #conflicted(action, entry) {
    this.#decisions.forget(entry.id);
    this.order.keep(entry);
    this.page.conflicted(action, entry);
  }

  /**
   * @param {Action} action
   * @param {Error} error
   */
  async #refused(action, error) {
    this.#decisions.forget(action.image);
    const entry = await session.entry(action.image).catch(() => null);
    if (!entry) return notify(`A label was not saved. ${error.message}`);
    this.order.keep(entry);
    this.order.revisit(entry.id);
    this.#isAstray ||= this.isMoving; // keys that wait are about another image
    await this.show(entry);
    if (this.entry?.id !== entry.id) return notify(`The label of ${entry.name} was not saved. ${error.message}`);
    if (action.label) this.editor.change(draftOfLabel(action.label, this.keypointCount));
    this.refusal = error.message;
    this.page.entryChanged();
  }
}
