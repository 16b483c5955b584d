"""Reads label files into a `Dataset`, and writes them, in the formats of `FORMATS`.

Each format has a module that parses it into rows and writes it. The steps after parsing are shared:
rows are checked against their images, several boxes become one, images get their splits.
"""

import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from onebox import stores
from onebox.errors import DataError, SettingError, check_choice, encoding_problem
from onebox.formats import (
    coco,
    createml,
    csv,
    fiftyone,
    imagefolder,
    label_studio,
    label_studio_writing,
    parquet,
    voc,
    webdataset,
    yolo,
    yolo_writing,
)
from onebox.formats.assembly import assemble
from onebox.formats.discovery import LabelSource, find_sources
from onebox.formats.multiple_boxes import POLICIES
from onebox.formats.rows import ParsedLabels, merge_labels
from onebox.formats.shard_formats import SHARD_FORMATS, check_place, parse_uri
from onebox.formats.writing import image_file
from onebox.structures import Dataset

__all__ = ["FORMATS", "ON_BAD", "Format", "read", "write"]

ON_BAD = ("error", "skip")
"""What to do with a row that is wrong: raise an error, or leave it out."""


@dataclass(frozen=True, slots=True)
class Format:
    """Reader and writer of one label format, of a file or a folder."""

    parse: Callable[[Path], ParsedLabels]
    write: Callable[[Dataset, Path], None]
    keeps_keypoints: bool = False


FORMATS: dict[str, Format] = {
    "csv": Format(csv.parse, csv.write),
    "voc": Format(voc.parse, voc.write),
    "coco": Format(coco.parse, coco.write, keeps_keypoints=True),
    "yolo": Format(yolo.parse, yolo_writing.write, keeps_keypoints=True),
    "labelstudio": Format(label_studio.parse, label_studio_writing.write, keeps_keypoints=True),
    "createml": Format(createml.parse, createml.write),
    "fiftyone": Format(fiftyone.parse, fiftyone.write, keeps_keypoints=True),
    "imagefolder": Format(imagefolder.parse, imagefolder.write),
    "parquet": Format(parquet.parse, parquet.write, keeps_keypoints=True),
    "webdataset": Format(webdataset.parse, webdataset.write, keeps_keypoints=True),
}


def read(
    path: str | os.PathLike[str],
    format: str | None = None,  # noqa: A002  (the word users know)
    *,
    on_multiple: str = "error",
    on_bad: str = "error",
    classes: Sequence[str] | None = None,
    known_labels: Collection[str] = (),
) -> Dataset:
    """Read label files and check them against their images; see `onebox.reading.read`.

    Args:
        path: A label file, or a folder of them; a folder with ``train``, ``val``, ``cal`` and
            ``test`` files of one format is one data set with those splits. Shards may lie in an
            object store, and the path may be a URI then.
        format: A key of `FORMATS`; None to find it by content.
        on_multiple: A key of `POLICIES`.
        on_bad: One of `ON_BAD`; a note says how many rows were skipped and names the first.
        classes: The class names, in the order in which a model numbers them; None for those that
            the format declares, or else the labels in use.
        known_labels: Used if nothing declares the classes.

    Returns:
        One sample for each image, with its box in pixels of the upright image. If the files state
        no split, a hash of each image's bytes chooses it: 75 of 100 train, 5 val, 10 cal, 10 test.

    Raises:
        DataError: If rows or images are wrong; ``problems`` lists all of them, with file and line.
        SettingError: If there is no such format or policy.
        TypeError: If ``classes`` is one string.
    """
    if isinstance(classes, str):
        raise TypeError("classes must be a sequence of names, not one string.")
    policy = POLICIES[check_choice("on_multiple", on_multiple, POLICIES)]
    check_choice("on_bad", on_bad, ON_BAD)
    if format is not None:
        check_choice("format", format, FORMATS)
    try:
        return assemble(
            _parse_all(os.fspath(path), format),
            policy,
            classes=classes,
            known_labels=known_labels,
            skips_bad=on_bad == "skip",
            name=str(path),
        )
    except OSError as error:
        raise DataError(
            f"{error.filename or path}: cannot be read ({error.strerror}). Check its permissions."
        ) from error


def write(
    dataset: Dataset,
    path: str | os.PathLike[str],
    format: str,  # noqa: A002
) -> None:
    """Write a data set as label files, whole or not at all.

    Args:
        dataset: The data set; its images must be files, or in shards to write shards.
        path: The file (``csv``, ``labelstudio``; others if it has their suffix) or folder to make;
            for shards, it may be a URI.
        format: A key of `FORMATS`.

    Raises:
        OneboxError: If the disk refuses.
        DataError: If an image of unknown size cannot be read, or has a name that is not UTF-8.
        SettingError: If there is no such format, it cannot hold the data set, or ``path`` exists
            and is not empty.
        ValueError: If a sample's label is not among the data set's classes.
    """
    chosen = FORMATS[check_choice("format", format, FORMATS)]
    if dataset.keypoints is not None and not chosen.keeps_keypoints:
        keepers = [name for name, one in FORMATS.items() if one.keeps_keypoints]
        raise SettingError(
            f"{format} has no place for keypoints, and this data set has "
            f"{len(dataset.keypoints.names)}. Write it as {' or '.join(keepers)}."
        )
    if stores.is_uri(os.fspath(path)):
        check_place(format, os.fspath(path))
    for sample in dataset:
        if format not in SHARD_FORMATS:
            image_file(sample)
        if problem := encoding_problem(sample.name):
            raise DataError(problem)
        if sample.label is not None and sample.label not in dataset.classes:
            raise ValueError(f"label {sample.label!r} is not among the classes {dataset.classes}.")
    if format in SHARD_FORMATS:
        SHARD_FORMATS[format].write(dataset, os.fspath(path))
    else:
        chosen.write(dataset, Path(path))


def _parse_all(path: str, wanted: str | None) -> ParsedLabels:
    if stores.is_uri(path):
        return parse_uri(path, wanted)
    return merge_labels([_parse(source) for source in find_sources(Path(path), wanted)])


def _parse(source: LabelSource) -> ParsedLabels:
    """Parse one file; an error that makes it useless is one more problem, so all files are read."""
    try:
        labels = FORMATS[source.format].parse(source.path)
    except DataError as error:
        labels = ParsedLabels((), faults=error.problems)
    rows = [
        replace(row, split=row.split or source.split, origin=f"{source.prefix}{row.origin}")
        for row in labels.rows
    ]
    notes = (source.note, *(f"{source.prefix}{note}" for note in labels.notes))
    problems, faults = (
        tuple(f"{source.prefix}{sentence}" for sentence in sentences)
        for sentences in (labels.problems, labels.faults)
    )
    return replace(
        labels,
        rows=tuple(rows),
        notes=tuple(filter(None, notes)),
        problems=problems,
        faults=faults,
    )
