"""What the journal says: the labels of a session, rebuilt from its records one by one.

A live session makes a record, writes it to the journal, and then gives it to `State.take`;
replaying the journal gives the same records to the same method. So what is in memory is what a
restart finds.

::

    {"do": "label", "id": ACTION, "image": ID, "name": "a.jpg", "label": {...}, "was": {...},
     "split": "cal", ...}
    {"do": "class", "name": "cat"}
    {"do": "theirs", "labels": {ID: {...}}}       edits of the label file from outside, taken over
    {"do": "conflict", "labels": {ID: {...}}}     those that contradict an unsaved label
    {"do": "settle", "image": ID, "keep": "mine"}
    {"do": "saved", "through": 12}                the file has all records up to this number, but
                                                  not those of the images in "except"
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from onebox.labelling.journal import Record
from onebox.labelling.label_json import label_as_json, label_from_json
from onebox.labelling.records import LONGEST_S, Action, Label
from onebox.structures import Split

Labels = Mapping[str, Label | None]
"""Id → label; None for an image that has none."""


@dataclass(slots=True)
class State:
    """The labels of a session, by the ids of their images.

    Attributes:
        labels: Label of each labelled image.
        revisions: Number of changes of a label, for images whose label changed.
        conflicts: Label in the file, for images whose label contradicts it.
        splits: Split of each image of the accuracy sample that was labelled.
        unsaved: What the file may have, for images that are not saved: record number and label,
            oldest first; the first is what it had at the last save, or when a conflict was
            settled. Any other label in the file is an edit from outside.
        acted_at: Time of the last action on an image, in seconds since 1970.
        actions: Ids of all actions.
        classes: Names of the classes that were added.
        seconds: Time that each action took.
        absent: Number of labels that say that there is no subject.
        sample_version: Number of changes of labels of the accuracy sample.
    """

    labels: dict[str, Label] = field(default_factory=dict)
    revisions: dict[str, int] = field(default_factory=dict)
    conflicts: dict[str, Label | None] = field(default_factory=dict)
    splits: dict[str, Split] = field(default_factory=dict)
    unsaved: dict[str, list[tuple[int, Label | None]]] = field(default_factory=dict)
    acted_at: dict[str, float] = field(default_factory=dict)
    actions: set[str] = field(default_factory=set)
    classes: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    absent: int = 0
    sample_version: int = 0

    def take(self, record: Record, number: int) -> None:
        """Take one record of the journal over; an action that comes twice counts once."""
        takers: dict[str, Callable[[Record, int], None]] = {
            "label": self._take_action,
            "class": self._take_class,
            "theirs": self._take_theirs,
            "conflict": self._take_conflicts,
            "settle": self._take_settlement,
            "saved": self._take_saved,
        }
        takers[record["do"]](record, number)

    def start_with(self, labels: Mapping[str, Label]) -> None:
        """Set labels of the file as they are: no change of this session."""
        for key, label in labels.items():
            self._set(key, label)

    def leave_out(self, key: str) -> bool:
        """Leave out an image that is not there any more; whether it was not saved.

        Its revision stays, since the image may come back.
        """
        self._set(key, None)
        self.conflicts.pop(key, None)
        return self.unsaved.pop(key, None) is not None

    def _take_action(self, record: Record, number: int) -> None:
        if record["id"] in self.actions:
            return
        key, label = record["image"], label_from_json(record["label"])
        self.actions.add(record["id"])
        self.acted_at[key] = record["at"]
        if 0 < record["seconds"] <= LONGEST_S:  # an undone action takes none
            self.seconds.append(record["seconds"])
        if record.get("split"):
            self.splits.setdefault(key, record["split"])
        self._change(key, label, number, label_from_json(record["was"]))

    def _take_class(self, record: Record, number: int) -> None:  # noqa: ARG002 - one of a table
        name = record["name"]
        if not isinstance(name, str):
            raise TypeError(f"the class {name!r} is no text")
        if name not in self.classes:
            self.classes.append(name)

    def _take_theirs(self, record: Record, number: int) -> None:  # noqa: ARG002
        for key, value in record["labels"].items():
            self._set(key, label_from_json(value))
            self._count_change(key)
            self.unsaved.pop(key, None)
            self.conflicts.pop(key, None)

    def _take_conflicts(self, record: Record, number: int) -> None:  # noqa: ARG002
        for key, value in record["labels"].items():
            self.conflicts[key] = label_from_json(value)
            self.unsaved.pop(key, None)

    def _take_settlement(self, record: Record, number: int) -> None:
        key = record["image"]
        if key not in self.conflicts:
            return
        theirs = self.conflicts.pop(key)
        self._count_change(key)
        if record["keep"] == "theirs":
            self._set(key, theirs)
        else:
            self.unsaved[key] = [(0, theirs), (number, self.labels.get(key))]

    def _take_saved(self, record: Record, number: int) -> None:  # noqa: ARG002
        through, left_out = record["through"], set(record.get("except", ()))
        for key, versions in list(self.unsaved.items()):
            if key in left_out:
                continue
            saved = [version for version in versions if version[0] <= through]
            later = [version for version in versions if version[0] > through]
            if not later:
                del self.unsaved[key]
            elif saved:
                self.unsaved[key] = [saved[-1], *later]

    def _change(self, key: str, label: Label | None, number: int, was: Label | None) -> None:
        self._set(key, label)
        self._count_change(key)
        if key not in self.conflicts:
            self.unsaved.setdefault(key, [(0, was)]).append((number, label))

    def _count_change(self, key: str) -> None:
        self.revisions[key] = self.revisions.get(key, 0) + 1

    def _set(self, key: str, label: Label | None) -> None:
        before = self.labels.pop(key, None)
        self.absent += _is_absent(label) - _is_absent(before)
        if label is not None:
            self.labels[key] = label
        self.sample_version += key in self.splits


def action_record(
    action: Action, name: str, was: Label | None, split: Split | None, at: float
) -> Record:
    """The record of an action.

    Args:
        action: The action.
        name: Name of the image, for people who read the journal.
        was: The label before it.
        split: Split of an image of the accuracy sample that was not labelled before; None for
            others.
        at: Time in seconds since 1970.
    """
    return {
        "do": "label",
        "id": action.id,
        "image": action.image,
        "name": name,
        "revision": action.revision,
        "label": label_as_json(action.label),
        "was": label_as_json(was),
        "how": action.how,
        "seconds": action.seconds,
        "tab": action.tab,
        "at": at,
        **({} if split is None else {"split": split}),
    }


def labels_record(do: str, labels: Labels) -> Record:
    """The record of labels from outside: ``theirs`` or ``conflict``."""
    return {"do": do, "labels": {key: label_as_json(label) for key, label in labels.items()}}


def _is_absent(label: Label | None) -> bool:
    return label is not None and label.label is None and label.box is None
