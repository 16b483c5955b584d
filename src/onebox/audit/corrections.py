"""Corrected labels: a new label file with suggestions in place of labels, the old one untouched."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from onebox import formats
from onebox.audit.keypoint_swaps import exchange
from onebox.audit.records import Audit
from onebox.boxes import clip_boxes
from onebox.errors import DataError, SettingError, suggest
from onebox.image_sizes import size_of
from onebox.structures import Box, Dataset, KeypointSet, Sample, as_box, box_problem

EXCHANGED = "left and right exchanged"
"""The suggestion for keypoints, in words."""

_FORMAT_OF = {".csv": "csv", ".json": "coco"}


@dataclass(frozen=True, slots=True)
class Correction:
    """What to change in one label.

    Attributes:
        row: Index of the sample.
        box: The new box, ``xyxy`` in pixels; None to keep the old one.
        label: The new class; None to keep the old one.
        swaps_keypoints: Whether to exchange left and right keypoints.
    """

    row: int
    box: Box | None = None
    label: str | None = None
    swaps_keypoints: bool = False


def listed_corrections(audit: Audit) -> list[Correction]:
    """The suggestions of everything that is listed."""
    return [
        Correction(finding.row, finding.box, finding.label, finding.swaps_keypoints)
        for finding in audit.findings()
        if finding.is_listed and finding.suggested
    ]


def corrected(data: Dataset, corrections: Iterable[Correction]) -> Dataset:
    """The data set with corrections applied, in their order.

    Raises:
        DataError: If a box lies outside its image.
    """
    samples = list(data.samples)
    for correction in corrections:
        row = correction.row
        samples[row] = _corrected(samples[row], correction, data.keypoints)
    return replace(data, samples=tuple(samples))


def check_new_file(option: str, path: Path) -> str:
    """Check that a label file can be made, and return its format.

    Raises:
        SettingError: If it exists, or its name tells no format.
    """
    if path.exists():
        raise SettingError(
            f"{option} {path}: exists already, and labels are never overwritten. Name a new file."
        )
    suffix = path.suffix.lower()
    if suffix not in _FORMAT_OF:
        raise SettingError(
            f"{option} {path}: ends in neither .csv nor .json (COCO).{suggest(suffix, _FORMAT_OF)} "
            "Name it so; onebox convert writes other formats."
        )
    return _FORMAT_OF[suffix]


def write_corrected(data: Dataset, corrections: Iterable[Correction], path: Path) -> int:
    """Write a new label file with corrections, and return how many labels differ.

    Raises:
        OneboxError: If the disk refuses.
        DataError: If a box lies outside its image.
        SettingError: If the file exists, or its format cannot hold the data set.
    """
    name = check_new_file("--apply", path)
    changed = corrected(data, corrections)
    formats.write(changed, path, name)
    return sum(old != new for old, new in zip(data, changed, strict=True))


def _corrected(sample: Sample, correction: Correction, keypoints: KeypointSet | None) -> Sample:
    if correction.box is not None:
        sample = replace(sample, box=_inside(correction.box, sample))
    if correction.label is not None:
        sample = replace(sample, label=correction.label)
    if correction.swaps_keypoints and keypoints is not None and sample.keypoints is not None:
        points = exchange(np.array(sample.keypoints, np.float64), keypoints.flip_pairs)
        exchanged = tuple((float(x), float(y), int(seen)) for x, y, seen in points)
        sample = replace(sample, keypoints=exchanged)
    return sample


def _inside(box: Box, sample: Sample) -> Box:
    clipped = as_box(clip_boxes(np.array([box], np.float64), size_of(sample))[0].tolist())
    if problem := box_problem(clipped):
        raise DataError(f"{sample.name}: the suggested box, cut at the frame: {problem}")
    return clipped
