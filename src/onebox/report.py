"""A `Report` as one HTML file that needs no network, and its images as one PNG.

The page holds everything it shows: style sheet, charts (inline SVG) and images (JPEG in data
addresses), and forbids itself to fetch anything. Every word that comes from outside, such as the
name of a file, is escaped. A file is written beside its place and then renamed, so that a report
is there whole or not at all.
"""

import base64
import io
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path, PurePath

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from PIL import Image

from onebox.contact_sheets import contact_sheet
from onebox.errors import ImageError
from onebox.evaluation import Report
from onebox.files import write_atomically
from onebox.images import LoadedImage, load
from onebox.metrics import Metrics, Outcome, known, share_at
from onebox.structures import KeypointSet, Rendered
from onebox.visualization import NO_SUBJECT, draw, fit

TILE_SIDE = 320
"""Longer side of an image in the report, in pixels."""

PER_GROUP = 12
"""Most images of each group (worst, middle, best) in the report."""

Load = Callable[[Path | Rendered], LoadedImage]
Paint = Callable[[Outcome, int], Image.Image]

_JPEG_QUALITY = 82
_GREY = 160
_SAMPLES, _SAMPLE_COLUMNS, _SAMPLE_SIDE = 24, 6, 240
_BINS = 20
_STEPS = 100
_LARGEST_MATRIX = 30
_MOST_PAIRS = 20
_load = partial(load, at_least=TILE_SIDE)


@dataclass(frozen=True, slots=True)
class Tile:
    """One image of the gallery.

    Attributes:
        source: The drawn image as a data address.
        name: What its caption calls it.
        full_name: Where it comes from.
        outcome: What it shows.
    """

    source: str
    name: str
    full_name: str
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Curve:
    """The share of boxes that reach each overlap, for the model and for the mean training box.

    Attributes:
        model: Points of an SVG line in a square of 100, y downwards.
        mean_box: The same for the mean training box; empty where it is not known.
    """

    model: str
    mean_box: str


def write_report(
    report: Report,
    path: str | os.PathLike[str],
    *,
    facts: Mapping[str, str] | None = None,
    load_image: Load = _load,
) -> None:
    """Write a report as one HTML file of at most about 2 MB.

    Args:
        report: What to show.
        path: The file to write; its folder exists.
        facts: What to say of the model and its data, in this order (model, recipe, split, ...).
        load_image: How a sample's image is read. One that can no longer be read is grey.

    Raises:
        OneboxError: If the file cannot be written.
    """
    page = _template().render(
        report=report,
        metrics=report.overall,
        facts=dict(facts or {}),
        classes=_classes_worst_first(report),
        histogram=histogram(report),
        curve=_curve(report),
        groups=list(_groups(report, partial(_drawn, report.keypoints, load_image))),
        keypoints=report.per_keypoint(),
        matrix=_matrix(report),
        pairs=most_confused(report, _MOST_PAIRS),
        largest_matrix=_LARGEST_MATRIX,
    )
    write_atomically(Path(path), page.encode("utf-8", errors="replace"))


def write_samples(
    report: Report, path: str | os.PathLike[str], *, load_image: Load = _load
) -> None:
    """Write images spread evenly over a report, with truth and prediction drawn, as one PNG.

    Args:
        report: Of at least one image.
        path: The file to write; its folder exists.
        load_image: How a sample's image is read. One that can no longer be read is grey.

    Raises:
        OneboxError: If the file cannot be written.
    """
    count = min(_SAMPLES, len(report.outcomes))
    places = np.linspace(0, len(report.outcomes) - 1, count).round().astype(int)
    chosen = [report.outcomes[place] for place in places]
    sheet = contact_sheet(
        [_drawn(report.keypoints, load_image, outcome, _SAMPLE_SIDE) for outcome in chosen],
        columns=_SAMPLE_COLUMNS,
        tile_side=_SAMPLE_SIDE,
        captions=[_caption(outcome) for outcome in chosen],
    )
    encoded = io.BytesIO()
    sheet.save(encoded, "PNG", optimize=True)
    write_atomically(Path(path), encoded.getvalue())


def histogram(report: Report) -> list[int]:
    """Images with a box, counted by overlap in 20 bins of equal width from 0 to 1."""
    ious = known(outcome.iou for outcome in report.outcomes)
    return [int(count) for count in np.histogram(ious, bins=_BINS, range=(0, 1))[0]]


def most_confused(report: Report, count: int) -> list[tuple[str, str, int]]:
    """Pairs of true and predicted class that differ, with their images, the most first."""
    wrong = report.confusion * (1 - np.eye(len(report.classes), dtype=np.int64))
    order = np.argsort(-wrong, axis=None, kind="stable")[:count]
    rows, columns = np.unravel_index(order, wrong.shape)
    return [
        (report.classes[row], report.classes[column], int(wrong[row, column]))
        for row, column in zip(rows, columns, strict=True)
        if wrong[row, column]
    ]


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("onebox"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": _number, "percent": _percent}
    return environment.get_template("report.html.jinja")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"


def _classes_worst_first(report: Report) -> list[tuple[str, Metrics]]:
    """Classes by mean overlap, those without a box last."""

    def place(item: tuple[str, Metrics]) -> float:
        return 2.0 if item[1].mean_iou is None else item[1].mean_iou

    return sorted(report.per_class.items(), key=place)


def _matrix(report: Report) -> list[tuple[str, list[tuple[int, float]]]]:
    """For each true class its name, and for each predicted one the images and their share."""
    totals = report.confusion.sum(axis=1)
    return [
        (name, [(int(count), float(count / max(total, 1))) for count in row])
        for name, row, total in zip(report.classes, report.confusion, totals, strict=True)
    ]


def _curve(report: Report) -> Curve:
    thresholds = [step / _STEPS for step in range(_STEPS + 1)]
    floor = known(outcome.mean_box_iou for outcome in report.outcomes)
    return Curve(
        model=_points(thresholds, known(report.iou_curve(thresholds))),
        mean_box=_points(thresholds, known(share_at(floor, step) for step in thresholds)),
    )


def _points(thresholds: Sequence[float], shares: Sequence[float]) -> str:
    """Points of an SVG line; empty where no image has a box."""
    pairs = zip(thresholds, shares, strict=False)
    return " ".join(f"{100 * x:g},{100 - 100 * y:.2f}" for x, y in pairs)


def _groups(report: Report, paint: Paint) -> Iterator[tuple[str, list[Tile]]]:
    """Titles with their images; the few images of a small data set are shown once, as one."""
    ranked = report.ranked()
    if len(ranked) <= 3 * PER_GROUP:
        groups = {"All images, the worst first": ranked}
    else:
        groups = {
            "Worst": report.worst(PER_GROUP),
            "Middle": report.middle(PER_GROUP),
            "Best": report.best(PER_GROUP),
        }
    for title, outcomes in groups.items():
        yield title, [_tile(outcome, paint) for outcome in outcomes]


def _tile(outcome: Outcome, paint: Paint) -> Tile:
    encoded = io.BytesIO()
    paint(outcome, TILE_SIDE).save(encoded, "JPEG", quality=_JPEG_QUALITY)
    address = "data:image/jpeg;base64," + base64.b64encode(encoded.getvalue()).decode("ascii")
    return Tile(address, _name(outcome), outcome.sample.name, outcome)


def _drawn(
    keypoints: KeypointSet | None, load_image: Load, outcome: Outcome, side: int
) -> Image.Image:
    try:
        image = load_image(outcome.sample.image)
    except ImageError:
        # It could be read when it was predicted; an image that moved since costs no report.
        image = _grey(outcome.size_wh, side)
    small = fit(image, side)
    return draw(
        small.pixels,
        prediction=outcome.prediction,
        truth=outcome.sample,
        keypoints=keypoints,
        scale_xy=small.scale_xy,
    )


def _grey(size_wh: tuple[int, int], side: int) -> LoadedImage:
    scale = max(size_wh) / side
    width, height = (max(1, round(length / scale)) for length in size_wh)
    scale_xy = (size_wh[0] / width, size_wh[1] / height)
    return LoadedImage(np.full((height, width, 3), _GREY, dtype=np.uint8), size_wh, scale_xy)


def _name(outcome: Outcome) -> str:
    image = outcome.sample.image
    return image.name if isinstance(image, PurePath) else outcome.sample.name


def _caption(outcome: Outcome) -> str:
    overlap = NO_SUBJECT if outcome.iou is None else f"IoU {outcome.iou:.2f}"
    return f"{overlap}  {_name(outcome)}"
