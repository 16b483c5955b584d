"""What to change in label files, and what each touched file contains then.

Editing reads the files of a data set and returns new content for those that change; it writes
nothing. Each new content comes with the old one that it was made from. The caller can so check that
nobody else changed the file before the new content is written.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from onebox.boxes import paired_iou
from onebox.errors import DataError
from onebox.formats.image_lookup import ImageFinder
from onebox.formats.writing import format_path
from onebox.structures import Box, Sample


@dataclass(frozen=True, slots=True)
class Edits:
    """Changes of labels.

    Attributes:
        samples: Image → its new label, as a sample with ``size_wh``; None to take the label away.
            The path is absolute, with links in its folders followed, as reading gives it. The
            split is written for images that the files do not name yet, if the files state splits.
        classes: All class names; those that a file does not declare are appended to it when a
            sample needs one of them.
        origins: Image → `Row.origin` of its rows when the files were last read.
    """

    samples: Mapping[Path, Sample | None]
    classes: Sequence[str] = ()
    origins: Mapping[Path, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Replacement:
    """New content of one file.

    Attributes:
        path: The file.
        old: Content that the new one was made from; None if there was no file.
        new: New content; None if the file is to be removed.
        images: The edited images that need it; none if all do.
    """

    path: Path
    old: bytes | None
    new: bytes | None
    images: frozenset[Path] = frozenset()


@dataclass(frozen=True, slots=True)
class Edited:
    """Files after editing.

    Attributes:
        replacements: The files that change, in the order in which to write them.
        refused: Image → why the format cannot hold its label; the files keep the old one.
    """

    replacements: tuple[Replacement, ...]
    refused: Mapping[Path, str] = field(default_factory=dict)


def read_or_none(path: Path) -> bytes | None:
    """Content of a file; None if there is no file."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def names_of(images: Iterable[Path]) -> frozenset[str]:
    """Last parts of paths, without regard to case: what `may_name` compares with."""
    return frozenset(image.name.casefold() for image in images)


def may_name(name: str, names: frozenset[str]) -> bool:
    """Whether a name in a label file may lead to an image of `names_of`.

    To look for the image of each row takes long; this leaves out nearly all of them.
    """
    return name.replace("\\", "/").rsplit("/", 1)[-1].casefold() in names


def new_name(image: Path, folder: Path, finder: ImageFinder) -> str:
    """The name of an image in a label file of a folder.

    Raises:
        DataError: If reading would not find the image by that name.
    """
    name = format_path(image, folder)
    if name != name.strip() or not name.isprintable() or finder.find(name) != image:
        raise DataError(
            f"{image}: the label file cannot hold this name. Rename the image, without spaces at "
            "the ends and without control characters."
        )
    return name


def closest(found: Sequence[tuple[str | None, Box | None]], sample: Sample) -> int:
    """Index of the label that a sample replaces: of the same class, then of the largest IoU.

    Args:
        found: Class and box of each label of the image, at least one.
        sample: The new label, with its box in the same unit.
    """

    def likeness(index: int) -> tuple[bool, float]:
        label, box = found[index]
        if box is None or sample.box is None:
            return label == sample.label, 0.0
        pair = (np.array([one], dtype=np.float64) for one in (box, sample.box))
        return label == sample.label, float(paired_iou(*pair)[0])

    return max(range(len(found)), key=likeness)
