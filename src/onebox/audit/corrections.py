"""What an audit suggests, as corrections of a data set, and the data set with them.

A correction is a finding that is listed and suggests a box or a class. Where several suggest
something for one image, checks come before lists (a rule knows what was meant, a network guesses
it), and of two suggestions of a box, or of a class, the first is taken.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from onebox import formats
from onebox.audit.records import Audit, ListName
from onebox.errors import SettingError
from onebox.formats.discovery import find_sources
from onebox.formats.writing import image_file
from onebox.structures import Box, Dataset, Sample, as_box

DECIMALS = 2
"""Decimals of a suggested edge, in pixels: a network does not know more."""

_FORMATS: dict[str, str] = {".csv": "csv", ".json": "coco"}
_FOLDERS = ("voc", "coco", "yolo")


@dataclass(frozen=True, slots=True)
class Correction:
    """What to write in place of one label.

    Attributes:
        row: Index of the sample in the data set.
        list: The list that suggests it.
        box: The new box, ``xyxy`` in pixels; None to keep the old one.
        label: The new class; None to keep the old one.
    """

    row: int
    list: ListName
    box: Box | None = None
    label: str | None = None


def corrections_of(audit: Audit) -> list[Correction]:
    """The corrections that an audit suggests: those of what it lists."""
    findings = chain(audit.checks, audit.boxes, audit.classes)
    return [
        Correction(one.row, one.list, None if one.box is None else rounded(one.box), one.label)
        for one in findings
        if one.is_listed and (one.box is not None or one.label is not None)
    ]


def rounded(box: Box) -> Box:
    """A suggested box as it is written."""
    return as_box(round(edge, DECIMALS) for edge in box)


def corrected(data: Dataset, corrections: Iterable[Correction]) -> Dataset:
    """A data set with corrections; images without one stay as they are."""
    samples = list(data.samples)
    taken = _one_per_image(corrections)
    for row, one in taken.items():
        samples[row] = _corrected(samples[row], one)
    return replace(data, samples=tuple(samples))


def count_changed(before: Dataset, after: Dataset) -> int:
    """Number of images whose labels differ."""
    return sum(old != new for old, new in zip(before, after, strict=True))


def new_format(path: Path, data_name: str, data_format: str | None) -> str:
    """The format of a new label file: by its suffix; of a folder, that of the old labels.

    Args:
        path: The file or folder to write.
        data_name: Where the old labels were read from.
        data_format: Their format, if it was given.

    Raises:
        SettingError: If neither tells one.
    """
    if path.suffix.lower() in _FORMATS:
        return _FORMATS[path.suffix.lower()]
    if path.suffix:
        raise SettingError(
            f"--apply {path}: '{path.suffix}' is not the suffix of a label file that can be "
            "written. Name a .csv or .json file, or a folder."
        )
    old = find_sources(Path(data_name), data_format)[0].format
    if old in _FOLDERS:
        return old
    raise SettingError(
        f"--apply {path}: is a folder, and the labels of {data_name} are one {old} file. Name a "
        f"file, such as {path}.csv."
    )


def check_new_labels(path: Path, data: Dataset, format_name: str) -> None:
    """Check that a data set can be written to a new place, before the work that leads there.

    Raises:
        SettingError: If something is there, its images are not files, or the format has no place
            for its keypoints.
    """
    check_absent(path)
    for sample in data:
        image_file(sample)
    if data.keypoints is not None and not formats.FORMATS[format_name].keeps_keypoints:
        raise SettingError(
            f"--apply {path}: {format_name} has no place for keypoints, and this data set has "
            f"{len(data.keypoints.names)}. Name a .json file."
        )


def check_absent(path: Path) -> None:
    """Check that nothing is at the place of the new labels.

    Raises:
        SettingError: If something is, even an empty file or a broken link.
    """
    if path.exists() or path.is_symlink():
        raise SettingError(
            f"--apply {path}: exists already, and corrected labels never replace a file. Choose "
            "another name."
        )


def write_corrected(data: Dataset, path: Path, format_name: str) -> None:
    """Write corrected labels to a new place.

    Raises:
        SettingError: If something is there.
        OneboxError: If the disk refuses.
    """
    check_absent(path)
    formats.write(data, path, format_name)


def _one_per_image(corrections: Iterable[Correction]) -> dict[int, Correction]:
    """One correction for each image; the first box and the first class count, of checks first."""
    taken: dict[int, Correction] = {}
    for one in sorted(corrections, key=lambda each: each.list != "checks"):
        first = taken.setdefault(one.row, one)
        box = one.box if first.box is None else first.box
        taken[one.row] = replace(first, box=box, label=first.label or one.label)
    return taken


def _corrected(sample: Sample, one: Correction) -> Sample:
    box = sample.box if one.box is None else one.box
    return replace(sample, box=box, label=one.label or sample.label)
