"""Labels of this session beside those of the file: what is written, and what is a conflict.

A label of the session replaces a label of the file that the session knows. Any other label of the
file came from outside; where the session changed the label too, a person settles the conflict.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from onebox.formats.validation import ROUNDING_PX
from onebox.labelling.records import Label

Changes = Mapping[Path, Label | None]
"""Image → its new label; None if its label is taken away."""

Known = Mapping[Path, Sequence[Label | None]]
"""Image → labels that this session knows the file to have had; None for no label."""


@dataclass(frozen=True, slots=True)
class Merged:
    """Changes of this session beside the labels of the file.

    Attributes:
        to_write: Changes to write into the file.
        conflicts: Labels of the file that the session does not know, of images that it changed.
    """

    to_write: Changes
    conflicts: Changes


def merge(ours: Changes, known: Known, theirs: Mapping[Path, Label]) -> Merged:
    """Tell the changes to write from those that contradict an edit from outside.

    Args:
        ours: Changes of this session.
        known: Of each of these images, the labels that the change may replace.
        theirs: The labels of the file.
    """
    conflicts = {
        image: theirs.get(image)
        for image, label in ours.items()
        if not any(is_same(theirs.get(image), one) for one in (label, *known[image]))
    }
    to_write = {image: label for image, label in ours.items() if image not in conflicts}
    return Merged(to_write, conflicts)


def differences(old: Mapping[Path, Label], new: Mapping[Path, Label]) -> Changes:
    """The labels that differ: as they are in ``new``, None where they are missing."""
    gone = dict.fromkeys(image for image in old if image not in new)
    changed = {image: label for image, label in new.items() if not is_same(old.get(image), label)}
    return gone | changed


def is_same(one: Label | None, other: Label | None) -> bool:
    """Whether two labels say the same, but for the rounding of numbers in label files."""
    if one is None or other is None:
        return one is other
    if one == other:
        return True
    points = zip(one.keypoints or (), other.keypoints or (), strict=False)
    return (
        one.label == other.label
        and _is_close(one.box, other.box)
        and len(one.keypoints or ()) == len(other.keypoints or ())
        and all(_is_close(left, right) for left, right in points)
    )


def _is_close(one: Sequence[float | int] | None, other: Sequence[float | int] | None) -> bool:
    if one is None or other is None:
        return one is other
    return all(abs(left - right) <= ROUNDING_PX for left, right in zip(one, other, strict=True))
