"""The labels of a session and their journal: every change goes to the disk, then into memory."""

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from onebox.errors import DataError
from onebox.labelling.image_folder import ImageFolder
from onebox.labelling.journal import Journal, Record
from onebox.labelling.label_file import Saved
from onebox.labelling.merging import is_same
from onebox.labelling.ordering import is_of_sample
from onebox.labelling.records import Action, Label
from onebox.labelling.state import State, action_record, labels_record
from onebox.structures import Split

_SAMPLE_SPLITS: tuple[Split, ...] = ("cal", "test")
"""What images of the accuracy sample are in the label file, in turn."""


Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Pending:
    """Labels that the file does not have yet; the arguments of `LabelFile.save`.

    Attributes:
        changes: Image file → label; None to take it away.
        known: Of each of these images, the labels that the file may have.
        splits: Split of each of these images.
        through: Number of the newest record that they contain.
    """

    changes: Mapping[Path, Label | None]
    known: Mapping[Path, Sequence[Label | None]]
    splits: Mapping[Path, Split]
    through: int


class Ledger:
    """The labels of a session; safe for threads.

    Attributes:
        lock: Held while labels change; what belongs to them may be guarded by it, too.
        state: The labels.
        images: The images.
        seed: Seed of the accuracy sample.
        missing: Ids of images that have labels in the journal and are not in the folder.
    """

    def __init__(self, journal: Journal, images: ImageFolder) -> None:
        """Replay a journal.

        Raises:
            DataError: If a line of it is damaged.
        """
        self.lock = threading.RLock()
        self.images, self.seed, self.state = images, journal.seed, State()
        self._journal = journal
        self.missing: set[str] = set()
        for number, record in enumerate(journal.records(), start=1):
            self._replay(record, number)
        self.missing |= self.state.revisions.keys() - images.index_of.keys()
        self._left_out = sorted(filter(self.state.leave_out, self.missing))

    def catch_up(self, content: Mapping[Path, Label], *, is_missing: bool) -> None:
        """Compare the journal with the label file as it is at the start.

        Args:
            content: What the file says.
            is_missing: Whether there is no file; the labels of the journal are then written anew.

        Raises:
            OneboxError: If the journal cannot be written.
        """
        state, theirs = self.state, self._by_key(content)
        labels = {key: one for key, one in theirs.items() if one is not None}
        state.start_with({key: one for key, one in labels.items() if key not in state.revisions})
        if is_missing:
            count = self._journal.count
            written = state.labels.keys() - state.conflicts.keys()
            state.unsaved = {key: [(0, None), (count, state.labels[key])] for key in written}
            self._adopt(dict.fromkeys(state.conflicts))
            return
        known = state.revisions.keys() - self.missing
        self._adopt({key: theirs.get(key) for key in known if not self._lags(key, theirs)})

    def act(self, action: Action, label: Label | None) -> None:
        """Keep an action, with its checked label; one that comes twice counts once.

        Raises:
            OneboxError: If the journal cannot be written.
        """
        key = action.image
        is_new = self.is_in_sample(key) and key not in self.state.splits
        split = self._next_split() if is_new and label is not None else None
        checked = Action(
            *(action.id, key, action.revision, label, action.how, action.seconds, action.tab)
        )
        was = self.state.labels.get(key)
        self._write(action_record(checked, self.images.name(key), was, split, time.time()))

    def add_class(self, name: str) -> None:
        """Keep a new class.

        Raises:
            OneboxError: If the journal cannot be written.
        """
        self._write({"do": "class", "name": name})

    def settle(self, key: str, keep: Literal["mine", "theirs"]) -> None:
        """Keep how a conflict was settled.

        Raises:
            OneboxError: If the journal cannot be written.
        """
        self._write({"do": "settle", "image": key, "keep": keep})

    def is_in_sample(self, key: str) -> bool:
        """Whether an image is of the accuracy sample.

        Chance chooses it before it has a label: an image that had one may have been seen with a
        proposal.
        """
        state = self.state
        if key in state.splits:
            return True
        is_new = key not in state.labels and key not in state.revisions
        return is_new and is_of_sample(key, self.seed)

    def pending(self) -> Pending:
        """What is to be written to the label file."""
        with self.lock:
            state, path = self.state, self.images.path
            return Pending(
                {path(key): state.labels.get(key) for key in state.unsaved},
                {path(key): [one for _, one in found] for key, found in state.unsaved.items()},
                {path(key): state.splits.get(key, "train") for key in state.unsaved},
                self._journal.count,
            )

    def saved(self, pending: Pending, answer: Saved) -> None:
        """Take over that the label file was written.

        Raises:
            OneboxError: If the journal cannot be written.
        """
        with self.lock:
            conflicts = self._by_key(answer.conflicts)
            if conflicts:
                self._write(labels_record("conflict", conflicts))
            unwritten = [*self._left_out, *self._by_key(answer.refused)]
            if self.state.unsaved.keys() - set(unwritten):
                left_out = {"except": unwritten} if unwritten else {}
                # Without a flush: if it is lost, the next start compares the labels once more.
                self._write({"do": "saved", "through": pending.through, **left_out}, sync=False)
            self._adopt(self._by_key(answer.theirs))

    def adopt(self, theirs: Mapping[Path, Label | None]) -> None:
        """Take over edits of the label file from outside, or note that they contradict a label.

        Raises:
            OneboxError: If the journal cannot be written.
        """
        with self.lock:
            self._adopt(self._by_key(theirs))

    def _adopt(self, theirs: Mapping[str, Label | None]) -> None:
        state = self.state
        adopted: dict[str, Label | None] = {}
        contradicting: dict[str, Label | None] = {}
        for key, label in theirs.items():
            is_equal = is_same(label, state.labels.get(key))
            is_in_conflict = key in state.conflicts
            if is_same(label, state.conflicts[key]) if is_in_conflict else is_equal:
                continue  # known already
            is_free = is_equal or not (is_in_conflict or key in state.unsaved)
            (adopted if is_free else contradicting)[key] = label
        for do, labels in (("theirs", adopted), ("conflict", contradicting)):
            if labels:
                self._write(labels_record(do, labels))

    def _lags(self, key: str, theirs: Mapping[str, Label | None]) -> bool:
        """Whether the file has an earlier label only because the last ones were not saved."""
        versions = self.state.unsaved.get(key, [])
        return any(is_same(theirs.get(key), label) for _, label in versions)

    def _by_key(self, labels: Mapping[Path, Value]) -> dict[str, Value]:
        keys = ((self.images.key(path), label) for path, label in labels.items())
        return {key: label for key, label in keys if key is not None}

    def _next_split(self) -> Split:
        return _SAMPLE_SPLITS[len(self.state.splits) % len(_SAMPLE_SPLITS)]

    def _write(self, record: Record, *, sync: bool = True) -> None:
        with self.lock:
            number = self._journal.append(record, sync=sync)
            self.state.take(record, number)

    def _replay(self, record: Record, number: int) -> None:
        try:
            self.state.take(record, number)
        except (KeyError, TypeError, ValueError, AttributeError, DataError) as error:
            raise DataError(
                f"{self._journal.path}:{number + 1}: the line is no record of a labelling session "
                f"({error}). Correct or remove it; the label file still has what was saved to it."
            ) from error
