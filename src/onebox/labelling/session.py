"""A labelling session: images, their labels, what a model proposes, and how good it is.

Everything here is safe for threads: a web server calls it from a pool of them. One lock guards the
labels and what depends on them; the label file is written and read by a thread of its own, and
models are trained in a process of their own.
"""

from collections.abc import Collection
from contextlib import ExitStack
from typing import Literal

from onebox.errors import ImageError, check_choice, format_count
from onebox.files import remove_abandoned
from onebox.labelling.checking import checked_action, checked_class, checked_label
from onebox.labelling.finding import FILTERS, found
from onebox.labelling.image_folder import ImageFolder
from onebox.labelling.job import Job, Proposals
from onebox.labelling.journal import Journal
from onebox.labelling.label_file import LabelFile
from onebox.labelling.label_source import labels_in
from onebox.labelling.ledger import Ledger
from onebox.labelling.measuring import Measuring, seconds_left
from onebox.labelling.opening import base_classes, check_names, open_proposing, session_folder
from onebox.labelling.options import SessionOptions
from onebox.labelling.preparing import Preparing
from onebox.labelling.records import Action, ConflictError, Entry, Summary
from onebox.labelling.rounds import Rounds
from onebox.labelling.saving import Saver
from onebox.labelling.training import Plan, Trainer


class Session:
    """A labelling session; a context that ends its threads and saves the label file.

    Attributes:
        folder: The folder of the images.
        label_file_path: The label file.
        session_folder: The folder with the journal and the models.
        classes: Class names, in the order of the model's outputs.
        keypoints: Keypoints of the labels; None without.
    """

    def __init__(
        self, options: SessionOptions, ledger: Ledger, file: LabelFile, opened: ExitStack
    ) -> None:
        """Put the parts together; `open` does that and more."""
        self.folder, self.label_file_path = ledger.images.folder, file.path
        self.session_folder = session_folder(file.path)
        self.keypoints = file.keypoints
        self._ledger, self._file, self._opened = ledger, file, opened
        self._is_closed = False
        self._lock, self._images, self._state = ledger.lock, ledger.images, ledger.state
        self._base_classes = base_classes(options, file)
        self.classes = self._all_classes()
        self._rounds = Rounds(self.session_folder)
        if options.model is not None:
            self._rounds.forget(0)  # it may be of another model
        self._proposing = open_proposing(options, ledger, self.classes, self.keypoints)
        self._preparing = Preparing(ledger, self._proposing, file)
        self._measuring = Measuring(ledger, self._rounds, options.target, lambda: len(self.classes))
        self._saver = Saver(ledger, file, lambda: self.classes, self._edited)
        plan = Plan(options.training, options.model)
        self._trainer = Trainer(
            plan, self._rounds, self._preparing.need, self._make_job, self._take_over
        )

    @classmethod
    def open(cls, options: SessionOptions) -> "Session":
        """Open the folder, the label file and the journal, and start the threads.

        Args:
            options: What to open.

        Raises:
            SettingError: If the folder holds no image, an option is wrong, or a name is not UTF-8.
            DataError: If the label file, the journal or the list of suspects is wrong.
            ModelError: If the model is none.
            OneboxError: If another process has the session open, or the disk refuses.
        """
        images = ImageFolder(options.folder)
        path = options.labels or labels_in(options.folder, options.format)
        check_names(f"{images.folder}", f"{path}", *options.classes)
        is_missing = not path.exists()
        file = LabelFile.open(path, options.format, images.folder)
        remove_abandoned(file.path.parent)
        with ExitStack() as opened:
            journal = session_folder(file.path) / "journal.jsonl"
            ledger = Ledger(opened.enter_context(Journal(journal, seed=options.seed)), images)
            ledger.catch_up(file.content.labels, is_missing=is_missing)
            session = cls(options, ledger, file, opened)
            session._opened = opened.pop_all()
        session._start()
        return session

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *error: object) -> None:
        """Close the session."""
        self.close()

    def close(self) -> None:
        """Stop the training, save the label file, and unlock the journal; once."""
        if self._is_closed:
            return
        self._is_closed = True
        with self._opened:
            self._trainer.close()
            self._saver.close()

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know, one sentence each."""
        unreadable, missing = list(self._images.unreadable.values()), self._ledger.missing
        notes = [*self._file.content.notes]
        if unreadable:
            count = format_count(len(unreadable), "image", "images")
            notes.append(f"{count} cannot be read and left out. The first: {unreadable[0]}")
        if missing:
            count = format_count(len(missing), "image", "images")
            notes.append(
                f"{count} with labels in the journal not found in {self.folder}. Their labels stay "
                "in the journal."
            )
        return tuple(notes)

    def next_entries(self, tab: str, count: int, skip: Collection[str] = ()) -> list[Entry]:
        """The next images to label, in order; none if nothing is left.

        Args:
            tab: The tab that asks. It keeps what it gets for two minutes, or as long as it names
                it in ``skip``; other tabs get other images.
            count: Number of images at most.
            skip: Ids of images that the tab has and does not need again.
        """
        # A tab that was open before a restart may name images that are gone.
        held = [key for key in skip if key in self._images.index_of]
        with self._lock:
            while True:
                try:
                    keys = self._proposing.next(tab, count, held)
                    return [self._entry(key) for key in keys]
                except ImageError:  # it is known as unreadable from now on
                    continue

    def entry(self, id: str) -> Entry:  # noqa: A002 - as the page calls it
        """One image.

        Raises:
            KeyError: If there is no image of that id.
            ImageError: If it cannot be read.
        """
        with self._lock:
            return self._entry(id)

    def find(self, query: str, filter: str, offset: int, count: int) -> tuple[int, list[Entry]]:  # noqa: A002
        """Search the images.

        Args:
            query: Words that the name contains, whatever their case; empty for all.
            filter: One of `FILTERS`; ``doubtful`` is sorted by doubt, others by name.
            offset: Number of images to pass over.
            count: Number of images to return at most.

        Returns:
            The number of all images found, and those asked for.

        Raises:
            SettingError: If there is no such filter.
        """
        check_choice("filter", filter, FILTERS)
        with self._lock:
            while True:
                keys = found(filter, query, self._ledger, self._proposing)
                try:
                    return len(keys), [self._entry(key) for key in keys[offset : offset + count]]
                except ImageError:  # it is known as unreadable from now on
                    continue

    def apply(self, action: Action) -> Entry:
        """Change a label; the change is on the disk when this returns.

        An action that is sent twice counts once, and both answers are the image as it is.

        Raises:
            KeyError: If there is no such image.
            ConflictError: If the label was changed since the revision of the action.
            DataError: If the label does not fit the image, the classes or the keypoints.
            OneboxError: If the disk refuses; the label is then as it was.
        """
        with self._lock:
            before = self._entry(action.image)
            if checked_action(action).id in self._state.actions:
                return before
            if action.revision != before.revision:
                raise ConflictError(before)
            label = action.label
            if label is not None:
                label = checked_label(label, before.size_wh, self.classes, self.keypoints)
            self._ledger.act(action, label)
            self._proposing.done(action.image)
            after = self._entry(action.image)
        self._saver.notify()
        self._trainer.notify()
        return after

    def add_class(self, name: str) -> tuple[str, ...]:
        """Add a class; the new classes.

        Raises:
            DataError: If the name is empty, or there is such a class, whatever its case.
            OneboxError: If the disk refuses.
        """
        with self._lock:
            self._ledger.add_class(checked_class(name, self.classes))
            self.classes = self._all_classes()
            return self.classes

    def settle(self, id: str, keep: Literal["mine", "theirs"]) -> Entry:  # noqa: A002
        """Settle whether the label of this session or that of the file holds.

        Raises:
            KeyError: If there is no such image.
            SettingError: If ``keep`` is another word.
            OneboxError: If the disk refuses.
        """
        check_choice("keep", keep, ("mine", "theirs"))
        with self._lock:
            if id in self._state.conflicts:
                self._ledger.settle(id, keep)
                self._proposing.reorder()
            entry = self._entry(id)
        self._saver.notify()
        return entry

    def train_now(self) -> None:
        """Start a training round as soon as none runs."""
        self._trainer.train_now()

    def summary(self) -> Summary:
        """The state of the session in numbers."""
        with self._lock:
            state, unreadable = self._state, self._images.unreadable
            images, labelled = len(self._images) - len(unreadable), len(state.labels)
            labelled -= sum(key in state.labels for key in unreadable)
            accuracy, advice = self._measuring.measure(images - labelled)
            return Summary(
                images=images,
                labelled=labelled,
                absent=state.absent,
                suspects=sum(1 for _ in self._proposing.suspects()),
                conflicts=tuple(state.conflicts),
                seconds_left=seconds_left(state.seconds, images - labelled),
                accuracy=accuracy,
                advice=advice,
                training=self._trainer.status(),
                file=self._saver.status(),
            )

    def _start(self) -> None:
        newest = self._rounds.newest
        proposals = None if newest is None else self._rounds.finish(newest)
        if proposals is not None:
            self._take_over(proposals)
        self._saver.start()
        self._saver.notify()
        self._trainer.start()

    def _entry(self, key: str) -> Entry:
        state, images = self._state, self._images
        return Entry(
            id=key,
            path=images.path(key),
            name=images.name(key),
            size_wh=images.size_wh(key),
            revision=state.revisions.get(key, 0),
            label=state.labels.get(key),
            proposal=self._proposing.shown(key),
            in_sample=self._ledger.is_in_sample(key),
            suspect=self._proposing.suspect(key),
            theirs=state.conflicts.get(key),
            is_in_conflict=key in state.conflicts,
        )

    def _edited(self) -> None:
        """The label file was edited from outside."""
        with self._lock:
            self.classes = self._all_classes()
            self._proposing.reorder()
        self._trainer.notify()

    def _make_job(self, job: Job) -> Job:
        return self._preparing.fill_in(job, self.classes, self.keypoints)

    def _take_over(self, proposals: Proposals) -> None:
        with self._lock:
            self._images.unreadable.update(proposals.unreadable)
            self._proposing.take(proposals)

    def _all_classes(self) -> tuple[str, ...]:
        """The classes of the file, those that the user named or added, and any others in use."""
        used = sorted({one.label for one in self._state.labels.values() if one.label is not None})
        named = (*self._file.content.classes, *self._base_classes, *self._state.classes)
        return tuple(dict.fromkeys((*named, *used)))
