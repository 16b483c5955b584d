"""Three versions of the labels become one: those last read, those of this session, those outside.

A label that only one side changed is taken from that side. A label that both sides changed
differently is a conflict, which a person settles.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from onebox.formats.validation import ROUNDING_PX
from onebox.labelling.records import Label

Changes = Mapping[Path, Label | None]
"""Image → its new label; None if its label is taken away."""


@dataclass(frozen=True, slots=True)
class Merged:
    """Changes of this session beside changes from outside.

    Attributes:
        to_write: Changes to write into the file.
        theirs: Changes that were made outside only.
        conflicts: Labels outside of the images that both sides changed differently.
    """

    to_write: Changes
    theirs: Changes
    conflicts: Changes


def merge(ours: Changes, outside: Changes, forced: Collection[Path] = ()) -> Merged:
    """Combine changes of this session with those from outside.

    Args:
        ours: Changes since the labels were last read or written.
        outside: Changes that others made since then.
        forced: Images whose label of this session is written whatever others did.
    """
    conflicts = {
        image: label
        for image, label in outside.items()
        if image in ours and image not in forced and not is_same(ours[image], label)
    }
    return Merged(
        to_write={image: label for image, label in ours.items() if image not in conflicts},
        theirs={image: label for image, label in outside.items() if image not in ours},
        conflicts=conflicts,
    )


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
