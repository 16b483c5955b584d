"""``audit.html``: the lists with images, as one page that works offline."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePath

import numpy as np

from onebox.audit.records import Audit, Finding, OutOfFold
from onebox.files import write_atomically
from onebox.image_sizes import size_of
from onebox.images import load
from onebox.pages import Load, data_url, load_or_grey, template
from onebox.structures import Dataset, Prediction, Sample, as_box
from onebox.visualization import draw, resize_longer_side

MOST_LISTED = 60
"""Most images of a list on the page: some 3 MB. The table has all."""

NEXT = 8
"""Images that follow those of a list, for comparison."""

_SIDE = 320
_load = partial(load, at_least=_SIDE)


@dataclass(frozen=True, slots=True)
class Tile:
    """One image of the page, with the given and the suggested box drawn."""

    url: str
    name: str
    full_name: str
    finding: Finding


@dataclass(frozen=True, slots=True, eq=False)
class Section:
    """A list on the page.

    Attributes:
        title: Its heading.
        noun: What is listed, in the plural.
        total: Number of labels that were judged.
        listed: Number of those in the list.
        tiles: Images of the list.
        next_tiles: Images that follow.
    """

    title: str
    noun: str
    total: int
    listed: int
    tiles: Sequence[Tile]
    next_tiles: Sequence[Tile]


def write_page(
    audit: Audit,
    data: Dataset,
    found: OutOfFold,
    path: Path,
    *,
    facts: Mapping[str, str],
    load_image: Load = _load,
) -> None:
    """Write an audit as one HTML file.

    Args:
        audit: What the audit found.
        data: The data set.
        found: Predictions for its samples, row by row.
        path: The file to write; its folder must exist.
        facts: Names and values about the audit, in order.
        load_image: Reads the image of a sample. An image that can no longer be read is grey.

    Raises:
        OneboxError: If the file cannot be written.
    """
    make = partial(_tile, data=data, found=found, load_image=load_image)
    page = template("audit.html.jinja").render(
        facts=dict(facts),
        rate=audit.rate,
        notes=audit.notes,
        error_rate=audit.class_error_rate,
        sections=[
            _section("Boxes", "boxes", audit.boxes, make),
            _section("Classes", "class labels", audit.classes, make),
        ],
        checks=[make(finding) for finding in audit.checks[:MOST_LISTED]],
        all_checks=[(_short_name(data.samples[finding.row]), finding) for finding in audit.checks],
    )
    write_atomically(path, page.encode("utf-8", errors="replace"))


def _section(title: str, noun: str, findings: Sequence[Finding], make: "partial[Tile]") -> Section:
    listed = [finding for finding in findings if finding.is_listed]
    others = [finding for finding in findings if not finding.is_listed]
    return Section(
        title,
        noun,
        len(findings),
        len(listed),
        [make(finding) for finding in listed[:MOST_LISTED]],
        [make(finding) for finding in others[:NEXT]],
    )


def _tile(finding: Finding, *, data: Dataset, found: OutOfFold, load_image: Load) -> Tile:
    sample = data.samples[finding.row]
    size_wh = size_of(sample)
    image = resize_longer_side(load_or_grey(load_image, sample.image, size_wh, _SIDE), _SIDE)
    drawn = draw(
        image.pixels,
        prediction=_suggestion(finding, data, found, size_wh),
        truth=sample,
        keypoints=data.keypoints if finding.swaps_keypoints else None,
        scale_xy=image.scale_xy,
    )
    return Tile(data_url(drawn), _short_name(sample), sample.name, finding)


def _suggestion(
    finding: Finding, data: Dataset, found: OutOfFold, size_wh: tuple[int, int]
) -> Prediction:
    """What is drawn as the prediction: the suggestion, where there is one."""
    probabilities = found.probabilities[finding.row]
    best = data.classes[int(np.argmax(probabilities))]
    label = finding.label if finding.label is not None else best
    width, height = size_wh
    predicted = found.boxes[finding.row] * np.array([width, height, width, height])
    return Prediction(
        label=label,
        score=float(probabilities[data.classes.index(label)]),
        box=finding.box or as_box(predicted.tolist()),
        probabilities=tuple(probabilities.tolist()),
    )


def _short_name(sample: Sample) -> str:
    return sample.image.name if isinstance(sample.image, PurePath) else sample.name
