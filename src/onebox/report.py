"""A `Report` as one HTML file that works offline, and a sample of its images as one PNG."""

import io
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from onebox.certainty.charts import coverage_chart, reliability_dots, risk_chart
from onebox.contact_sheets import contact_sheet
from onebox.errors import ImageError
from onebox.evaluation import Report
from onebox.files import write_atomically
from onebox.images import LoadedImage, load
from onebox.metrics import Metrics, Outcome, fraction_at_least, known
from onebox.pages import grey_image, image_url, template
from onebox.structures import KeypointSet, PackedImage, Rendered
from onebox.visualization import NO_SUBJECT, draw, resize_longer_side

TILE_SIDE = 320
"""Longer side of an image in the report, in pixels."""

PER_GROUP = 12
"""Maximum number of images in each group (worst, middle, best) of the report."""

Load = Callable[[Path | PackedImage | Rendered], LoadedImage]
Draw = Callable[[Outcome, int], Image.Image]

# Looks only, not tuned; 36 tiles of this size keep the page below about 2 MB.
_SMALL_SIDE = 168  # of the images by sureness, which would make the page too large
_SAMPLES, _SAMPLE_COLUMNS, _SAMPLE_SIDE = 24, 6, 240
_BINS = 20  # of the IoU histogram
_STEPS = 100  # of the IoU curve
_LARGEST_MATRIX = 30  # classes; more do not fit on a screen
_MOST_PAIRS = 20  # confused pairs, listed in place of a larger matrix
_load = partial(load, at_least=TILE_SIDE)


@dataclass(frozen=True, slots=True)
class Tile:
    """One image of the gallery."""

    url: str  # a data URL of the image with its boxes drawn
    name: str  # file name, for the caption
    full_name: str  # whole path, for the tooltip
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Curve:
    """Fraction of boxes over IoU threshold: points of SVG lines, 0 to 100, y downwards."""

    model: str
    mean_box: str  # of the mean training box; empty if it is not known


def write_report(
    report: Report,
    path: str | os.PathLike[str],
    *,
    facts: Mapping[str, str] | None = None,
    load_image: Load = _load,
) -> None:
    """Write a report as one HTML file of at most about 2 MB.

    Args:
        report: The report to show.
        path: The file to write; its folder must exist.
        facts: Names and values about the model and its data (model, recipe, split, ...), in order.
        load_image: Reads the image of a sample. An image that can no longer be read is grey.

    Raises:
        OneboxError: If the file cannot be written.
    """
    draw_one = partial(_draw_outcome, report.keypoints, load_image)
    page = template("report.html.jinja").render(
        report=report,
        metrics=report.overall,
        facts=dict(facts or {}),
        classes=_classes_worst_first(report),
        histogram=histogram(report),
        curve=_curve(report),
        groups=list(_groups(report, draw_one)),
        keypoints=report.per_keypoint(),
        matrix=_matrix(report),
        pairs=most_confused(report, _MOST_PAIRS),
        largest_matrix=_LARGEST_MATRIX,
        **_certainty(report, draw_one),
    )
    write_atomically(Path(path), page.encode("utf-8", errors="replace"))


def write_samples(
    report: Report, path: str | os.PathLike[str], *, load_image: Load = _load
) -> None:
    """Write up to 24 images, evenly spaced over the data set, with their boxes drawn, as one PNG.

    The report has at least one image; the arguments are those of `write_report`.

    Raises:
        OneboxError: If the file cannot be written.
    """
    count = min(_SAMPLES, len(report.outcomes))
    indices = np.linspace(0, len(report.outcomes) - 1, count).round().astype(int)
    chosen = [report.outcomes[index] for index in indices]
    draw_one = partial(_draw_outcome, report.keypoints, load_image)
    sheet = contact_sheet(
        [draw_one(outcome, _SAMPLE_SIDE) for outcome in chosen],
        columns=_SAMPLE_COLUMNS,
        tile_side=_SAMPLE_SIDE,
        captions=[_caption(outcome) for outcome in chosen],
    )
    encoded = io.BytesIO()
    sheet.save(encoded, "PNG", optimize=True)
    write_atomically(Path(path), encoded.getvalue())


def histogram(report: Report) -> list[int]:
    """Number of images with a box in each of 20 equal bins of IoU from 0 to 1."""
    ious = known(outcome.iou for outcome in report.outcomes)
    return [int(count) for count in np.histogram(ious, bins=_BINS, range=(0, 1))[0]]


def most_confused(report: Report, count: int) -> list[tuple[str, str, int]]:
    """True class, predicted class and number of images of the most frequent confusions."""
    wrong = report.confusion * (1 - np.eye(len(report.classes), dtype=np.int64))
    order = np.argsort(-wrong, axis=None, kind="stable")[:count]
    rows, columns = np.unravel_index(order, wrong.shape)
    return [
        (report.classes[row], report.classes[column], int(wrong[row, column]))
        for row, column in zip(rows, columns, strict=True)
        if wrong[row, column]
    ]


def _classes_worst_first(report: Report) -> list[tuple[str, Metrics]]:
    """Classes by mean IoU, lowest first; classes without a box come last."""
    ious = {name: metrics.mean_iou for name, metrics in report.per_class.items()}
    order = sorted(ious, key=lambda name: (ious[name] is None, ious[name]))
    return [(name, report.per_class[name]) for name in order]


def _matrix(report: Report) -> list[tuple[str, list[tuple[int, float]]]]:
    """Each true class with its cells: number of images and fraction of the class's images."""
    totals = report.confusion.sum(axis=1)
    return [
        (name, [(int(count), float(count / max(total, 1))) for count in row])
        for name, row, total in zip(report.classes, report.confusion, totals, strict=True)
    ]


def _curve(report: Report) -> Curve:
    thresholds = [step / _STEPS for step in range(_STEPS + 1)]
    ious = known(outcome.mean_box_iou for outcome in report.outcomes)
    return Curve(
        model=_points(thresholds, known(report.iou_curve(thresholds))),
        mean_box=_points(thresholds, known(fraction_at_least(ious, least) for least in thresholds)),
    )


def _points(thresholds: Sequence[float], fractions: Sequence[float]) -> str:
    """Points of an SVG line; empty if there are no fractions, since no image has a box."""
    pairs = zip(thresholds, fractions, strict=False)
    return " ".join(f"{100 * x:g},{100 - 100 * y:.2f}" for x, y in pairs)


def _groups(report: Report, draw_one: Draw) -> Iterator[tuple[str, list[Tile]]]:
    """Titles and tiles of the gallery; a small data set is one group, so that none is repeated."""
    ranked = report.ranked()
    if len(ranked) <= 3 * PER_GROUP:
        groups = {"All images, worst first": ranked}
    else:
        groups = {
            "Worst": report.worst(PER_GROUP),
            "Middle": report.middle(PER_GROUP),
            "Best": report.best(PER_GROUP),
        }
    for title, outcomes in groups.items():
        yield title, [_tile(outcome, draw_one) for outcome in outcomes]


def _certainty(report: Report, draw_one: Draw) -> dict[str, object]:
    """What the section on certainty shows, by its names in the template."""
    certainty = report.certainty
    if certainty is None:
        return {"certainty": None}
    found = {
        "IoU ≥ 0.5": certainty.p_iou50,
        "IoU ≥ 0.75": certainty.p_iou75,
        "keypoint found": certainty.keypoints,
    }
    return {
        "certainty": certainty,
        "reliability": {name: reliability_dots(one) for name, one in found.items() if one},
        "coverage": coverage_chart(certainty.outer_boxes),
        "risk": risk_chart(certainty),
        "by_sureness": list(_by_sureness(report, draw_one)),
    }


def _by_sureness(report: Report, draw_one: Draw) -> Iterator[tuple[str, list[Tile]]]:
    """Titles and tiles of the images with the lowest and the highest score; none is in both.

    A small data set is shown already; if its model is calibrated, its order is worth a second look.
    """
    rising = sorted(report.ranked(), key=lambda outcome: outcome.prediction.score)
    is_calibrated = report.certainty is not None and report.certainty.p_iou50 is not None
    if len(rising) <= 3 * PER_GROUP and not is_calibrated:
        return
    count = min(PER_GROUP, len(rising) // 2)
    groups = {"Least sure": rising[:count], "Surest": rising[::-1][:count]}
    for title, outcomes in groups.items():
        if outcomes:
            yield title, [_tile(outcome, draw_one, _SMALL_SIDE) for outcome in outcomes]


def _tile(outcome: Outcome, draw_one: Draw, side: int = TILE_SIDE) -> Tile:
    url = image_url(draw_one(outcome, side))
    return Tile(url, outcome.sample.file_name, outcome.sample.name, outcome)


def _draw_outcome(
    keypoints: KeypointSet | None, load_image: Load, outcome: Outcome, side: int
) -> Image.Image:
    try:
        image = load_image(outcome.sample.image)
    except ImageError:
        # It was readable when it was predicted; an image that moved since must not fail the report.
        image = grey_image(outcome.size_wh, side)
    small = resize_longer_side(image, side)
    return draw(
        small.pixels,
        prediction=outcome.prediction,
        truth=outcome.sample,
        keypoints=keypoints,
        scale_xy=small.scale_xy,
    )


def _caption(outcome: Outcome) -> str:
    result = NO_SUBJECT if outcome.iou is None else f"IoU {outcome.iou:.2f}"
    return f"{result}  {outcome.sample.file_name}"
