"""Checks the labels of a person against their images: what is written into a label file."""

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from onebox.errors import DataError, shorten
from onebox.formats.rows import Row
from onebox.formats.validation import check_row
from onebox.images import Header, read_header
from onebox.labelling.merging import Changes
from onebox.labelling.records import Label
from onebox.structures import KeypointSet, Sample, Split

Samples = Mapping[Path, Sample | None]
"""Image → its new label as a sample; None if its label is taken away."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What labels may say.

    Attributes:
        classes: All class names.
        keypoints: Keypoints that the label file names; None without keypoints.
        splits: Image → its split.
    """

    classes: Sequence[str]
    keypoints: KeypointSet | None
    splits: Mapping[Path, Split]


def make_samples(
    labels: Changes, rules: Rules, headers: MutableMapping[Path, Header]
) -> tuple[dict[Path, Sample | None], dict[Path, str]]:
    """Make a sample of each label; None stays None.

    Args:
        labels: Image → its label.
        rules: What labels may say.
        headers: Headers of images that are known; those that are read are added.

    Returns:
        Image → its sample, and image → why its label is wrong.
    """
    samples: dict[Path, Sample | None] = {}
    refused = {}
    for image, label in labels.items():
        try:
            samples[image] = None if label is None else _sample(image, label, rules, headers)
        except DataError as error:
            refused[image] = str(error)
    return samples, refused


def _sample(
    image: Path, label: Label, rules: Rules, headers: MutableMapping[Path, Header]
) -> Sample:
    if image not in headers:
        headers[image] = read_header(image)
    problem = _class_problem(label, rules) or _keypoint_problem(label, rules)
    if problem:
        raise DataError(f"{image}: {problem}")
    row = Row(str(image), image, label.label, label.box, label.keypoints)
    try:
        checked = check_row(row, headers[image]).row
    except DataError as error:
        raise DataError(f"{image}: {error}") from error
    return Sample(
        image,
        checked.label,
        checked.box,
        rules.splits[image],
        checked.keypoints,
        headers[image].size_wh,
    )


def _class_problem(label: Label, rules: Rules) -> str:
    name = label.label
    if name is None:
        return ""
    if name != name.strip() or not name.isprintable():
        return (
            f"label {name!r} has spaces at its ends or control characters, which label files do "
            "not keep. Correct it."
        )
    if name in rules.classes:
        return ""
    known = shorten(rules.classes)
    return f"label {name!r} is not one of {known}. Correct it, or add the class."


def _keypoint_problem(label: Label, rules: Rules) -> str:
    places = 0 if rules.keypoints is None else len(rules.keypoints.names)
    if label.keypoints is None or len(label.keypoints) == places:
        return ""
    return (
        f"has {len(label.keypoints)} keypoints, but the label file has a place for {places}. "
        "Correct the label."
    )
