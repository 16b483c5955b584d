"""Label files → `Dataset`, and back: CSV, Pascal VOC, COCO and YOLO, read and written as twins.

Each format has a module that parses it into rows and writes it; what follows is the same for all:
rows are checked against their images, several boxes become one, images get their splits.
"""

import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from onebox.errors import DataError, SettingError, suggest
from onebox.formats import coco, csv, voc, yolo, yolo_writing
from onebox.formats.assembly import assemble
from onebox.formats.discovery import Source, find_sources
from onebox.formats.multiple_boxes import policy_of
from onebox.formats.rows import Labels, merged
from onebox.formats.writing import image_of
from onebox.structures import Dataset

__all__ = ["FORMATS", "ON_BAD", "Format", "read", "write"]

ON_BAD = ("error", "skip")
"""What may become of a row that is wrong."""


@dataclass(frozen=True, slots=True)
class Format:
    """How label files of one kind are read and written.

    Attributes:
        parse: A file or folder → what it says.
        write: A data set → the file or folder.
        keeps_keypoints: Whether it has a place for keypoints.
    """

    parse: Callable[[Path], Labels]
    write: Callable[[Dataset, Path], None]
    keeps_keypoints: bool = False


FORMATS: dict[str, Format] = {
    "csv": Format(csv.parse, csv.write),
    "voc": Format(voc.parse, voc.write),
    "coco": Format(coco.parse, coco.write, keeps_keypoints=True),
    "yolo": Format(yolo.parse, yolo_writing.write, keeps_keypoints=True),
}


def read(
    path: str | os.PathLike[str],
    format: str | None = None,  # noqa: A002  (the word users know)
    *,
    on_multiple: str = "error",
    on_bad: str = "error",
    classes: Sequence[str] | None = None,
    meant: Collection[str] = (),
) -> Dataset:
    """Read label files and check them against their images.

    Args:
        path: A label file, or a folder of them; a folder with ``train``, ``val`` and ``test`` files
            of one format is one data set with those splits.
        format: ``csv``, ``voc``, ``coco`` or ``yolo``; found by content where it is None.
        on_multiple: What becomes of an image with several boxes: ``error``, ``largest`` (keep the
            largest) or ``skip`` (leave the image out).
        on_bad: What becomes of a row that is wrong: ``error``, or ``skip`` (leave it out, with a
            note that says how many and names the first).
        classes: The names that labels may have, in the order a model numbers them; those that the
            format declares, or else those in use, where it is None.
        meant: Names that are no slips of the pen, as those of a model; others are searched for
            slips where nothing declares the classes.

    Returns:
        One sample for each image, with its box in pixels of the upright image. Where the files
        state no split, each image's bytes choose it: 80 of 100 train, 10 val, 10 test.

    Raises:
        DataError: If anything is to be repaired; ``problems`` lists all of it, with file and line.
        SettingError: If there is no such format or policy.
        TypeError: If the classes are one string.
    """
    if isinstance(classes, str):
        raise TypeError("classes must be a sequence of names, not one string.")
    policy = policy_of(on_multiple)
    if on_bad not in ON_BAD:
        raise SettingError(
            f"on_bad must be one of {', '.join(ON_BAD)}, got {on_bad!r}.{suggest(on_bad, ON_BAD)}"
        )
    wanted = format if format is None else _known(format)
    try:
        labels = merged([_parsed(source) for source in find_sources(Path(path), wanted)])
    except OSError as error:
        raise DataError(
            f"{error.filename or path}: cannot be read ({error.strerror}). Check its permissions."
        ) from error
    skips_bad = on_bad == "skip"
    return assemble(
        labels, policy, classes=classes, meant=meant, skips_bad=skips_bad, name=str(path)
    )


def write(
    dataset: Dataset,
    path: str | os.PathLike[str],
    format: str,  # noqa: A002
) -> None:
    """Write a data set as label files, whole or not at all.

    Args:
        dataset: Of image files.
        path: What to make: a file (``csv``; ``coco`` where it ends in ``.json``) or a folder.
        format: ``csv``, ``voc``, ``coco`` or ``yolo``.

    Raises:
        OneboxError: If the disk refuses.
        SettingError: If there is no such format, it cannot hold the data set, or something is at
            ``path`` already.
        ValueError: If a sample has a label that is not among the data set's classes.
    """
    chosen = FORMATS[_known(format)]
    if dataset.keypoints is not None and not chosen.keeps_keypoints:
        keepers = [name for name, one in FORMATS.items() if one.keeps_keypoints]
        raise SettingError(
            f"{format} has no place for keypoints, and this data set has {len(dataset.keypoints.names)}. "
            f"Write it as {' or '.join(keepers)}."
        )
    for sample in dataset:
        image_of(sample)
        if sample.label is not None and sample.label not in dataset.classes:
            raise ValueError(f"label {sample.label!r} is not among the classes {dataset.classes}.")
    chosen.write(dataset, Path(path))


def _known(name: str) -> str:
    if name not in FORMATS:
        raise SettingError(
            f"format must be one of {', '.join(FORMATS)}, got {name!r}.{suggest(name, FORMATS)}"
        )
    return name


def _parsed(source: Source) -> Labels:
    """Parse one file; what makes it useless is one problem more, so that the others are read."""
    try:
        labels = FORMATS[source.format].parse(source.path)
    except DataError as error:
        labels = Labels((), problems=error.problems)
    rows = [
        replace(row, split=row.split or source.split, origin=f"{source.place}{row.origin}")
        for row in labels.rows
    ]
    notes = (source.note, *(f"{source.place}{note}" for note in labels.notes))
    problems = tuple(f"{source.place}{problem}" for problem in labels.problems)
    return replace(labels, rows=tuple(rows), notes=tuple(filter(None, notes)), problems=problems)
