"""A predictor and a data set → a `Report`: how well the one finds what the other shows.

Every image is predicted as a caller would have it predicted, one by one and from its file.
Everything that is wrong with the data is said at once: labels the model does not know before the
first image is read, images that cannot be read after the last.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from onebox.errors import DataError, ImageError, shorten, suggest
from onebox.image_sizes import size_of
from onebox.metrics import Metrics, Outcome, compare, compute_metrics, known, share_at, spread
from onebox.structures import SPLITS, Box, Dataset, KeypointSet, Prediction, Sample

SCHEMA_VERSION = 1
"""Counts changes of `Report.as_json` that a reader of it would notice."""

_WORST_IN_JSON = 10
_LEAST_TRUE_SPREAD = 0.05
_LEAST_SHARE_OF_SPREAD = 0.2
_LEAST_GAIN = 0.05


@runtime_checkable
class Predictor(Protocol):
    """What `evaluate` asks of a model."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The names that its labels are taken from, in its own order."""
        ...

    @property
    def mean_box(self) -> Box | None:
        """The mean training box as ``xyxy`` in [0, 1], or None if it is not known."""
        ...

    @property
    def keypoints(self) -> KeypointSet | None:
        """What its predictions' keypoints are called, or None if it finds no keypoints."""
        ...

    def predict(self, source: Path | ndarray, /) -> Prediction:
        """Answer for one image: a file, or uint8 pixels of shape (height, width, 3)."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """How a model did on a data set.

    Attributes:
        overall: Metrics of all images.
        per_class: Metrics of the images of each true label that occurs, in the model's order.
        outcomes: One for each image, in the order of the data set.
        classes: The model's names.
        confusion: Images counted by true class (rows) and predicted class (columns).
        keypoints: The model's keypoints, or None.
    """

    overall: Metrics
    per_class: dict[str, Metrics]
    outcomes: tuple[Outcome, ...]
    classes: tuple[str, ...]
    confusion: Int[ndarray, "k k"]
    keypoints: KeypointSet | None = None

    @property
    def is_collapsed(self) -> bool:
        """Whether the model answers hardly better than with one box for all images.

        Said where the true boxes differ from each other (a `spread` in [0, 1] of their images
        above 0.05) and either the predicted boxes spread less than a fifth as much, or the model
        gains less than 5 % of what lies between the mean training box and a perfect overlap.
        """
        located = [outcome for outcome in self.outcomes if outcome.sample.box is not None]
        true_spread = _spread(located, [one.sample.box for one in located])
        if true_spread <= _LEAST_TRUE_SPREAD:
            return False
        predicted_spread = _spread(located, [one.prediction.box for one in located])
        is_one_box = predicted_spread < _LEAST_SHARE_OF_SPREAD * true_spread
        return is_one_box or not _gains_on_mean_box(self.overall)

    def iou_curve(self, thresholds: Iterable[float]) -> tuple[float | None, ...]:
        """The share of boxes that reach each overlap; None where no image has a box."""
        ious = known(outcome.iou for outcome in self.outcomes)
        return tuple(share_at(ious, threshold) for threshold in thresholds)

    def worst(self, count: int) -> tuple[Outcome, ...]:
        """The images of least overlap, the least first; those without a box are left out."""
        return self.ranked()[:count]

    def best(self, count: int) -> tuple[Outcome, ...]:
        """The images of most overlap, the most first; those without a box are left out."""
        return self.ranked()[::-1][:count]

    def middle(self, count: int) -> tuple[Outcome, ...]:
        """The images around the median overlap, the least first."""
        ranked = self.ranked()
        start = max(0, (len(ranked) - count) // 2)
        return ranked[start : start + count]

    def ranked(self) -> tuple[Outcome, ...]:
        """The images that have a box by their overlap, the least first."""
        pairs = [(one.iou, place) for place, one in enumerate(self.outcomes) if one.iou is not None]
        return tuple(self.outcomes[place] for _, place in sorted(pairs))

    def as_json(self) -> dict[str, object]:
        """What ``evaluate --json`` prints: numbers, words and None, with no NaN among them."""
        return {
            "schema_version": SCHEMA_VERSION,
            **self.overall.as_json(),
            "per_class": {name: part.as_json() for name, part in self.per_class.items()},
            "worst": [_row(outcome) for outcome in self.worst(_WORST_IN_JSON)],
            "is_collapsed": self.is_collapsed,
            **({"per_keypoint": self.per_keypoint()} if self.overall.keypoint_pck else {}),
        }

    def per_keypoint(self) -> dict[str, dict[str, float | None]]:
        """PCK@0.2 and mean error, in torsos, of each keypoint; empty where none was labelled."""
        names = self.keypoints.names if self.keypoints and self.overall.keypoint_pck else ()
        rows = zip(names, self.overall.keypoint_pck, self.overall.keypoint_error, strict=True)
        return {name: {"pck_0.2": pck, "mean_error": error} for name, pck, error in rows}


def evaluate(
    localizer: Predictor, data: Dataset, *, progress: Callable[[int, int], None] | None = None
) -> Report:
    """Predict every image of a data set and hold the answers against its labels.

    Args:
        localizer: The model.
        data: Images with labels, mostly one split: ``data.part("test")``.
        progress: Called after each image with those done and all there are.

    Returns:
        The report.

    Raises:
        DataError: If there is no image, if a label is none of the model's classes, or if an
            image cannot be read; the message lists every one of them.
    """
    _check_labels(data, localizer.classes)
    _check_keypoints(data, localizer.keypoints)
    outcomes: list[Outcome] = []
    problems: list[str] = []
    for done, sample in enumerate(data, start=1):
        try:
            outcomes.append(_outcome(localizer, sample))
        except ImageError as error:
            problems += [_at_origin(sample, problem) for problem in error.problems]
        if progress is not None:
            progress(done, len(data))
    if problems:
        raise DataError(*problems)
    return summarize(outcomes, localizer.classes, keypoints=localizer.keypoints)


def summarize(
    outcomes: Sequence[Outcome], classes: tuple[str, ...], *, keypoints: KeypointSet | None = None
) -> Report:
    """Make the report of outcomes whose labels are all among ``classes``."""
    number = {name: index for index, name in enumerate(classes)}
    confusion = np.zeros((len(classes), len(classes)), dtype=np.int64)
    of_class: dict[str, list[Outcome]] = {name: [] for name in classes}
    for outcome in outcomes:
        if outcome.sample.label is not None:
            of_class[outcome.sample.label].append(outcome)
            confusion[number[outcome.sample.label], number[outcome.prediction.label]] += 1
    return Report(
        overall=compute_metrics(outcomes),
        per_class={name: compute_metrics(part) for name, part in of_class.items() if part},
        outcomes=tuple(outcomes),
        classes=classes,
        confusion=confusion,
        keypoints=keypoints,
    )


def _check_labels(data: Dataset, classes: tuple[str, ...]) -> None:
    """Refuse what cannot be evaluated, before any image is read.

    Raises:
        DataError: If there is no image, or if a label is none of the model's classes.
    """
    if not len(data):
        raise DataError(
            f"{data.name or 'data set'}: there is no image to evaluate. Choose a split that has "
            f"images ({', '.join(SPLITS)}), or put some into this one."
        )
    usable = {None, *classes}
    unknown = [sample for sample in data if sample.label not in usable]
    if unknown:
        raise DataError(*(_unknown_label(sample, classes) for sample in unknown))


def _check_keypoints(data: Dataset, keypoints: KeypointSet | None) -> None:
    """Refuse keypoints of another order, which would be held against each other by mistake.

    Raises:
        DataError: If both have keypoints, and not the same.
    """
    if (
        keypoints is not None
        and data.keypoints is not None
        and keypoints.names != data.keypoints.names
    ):
        raise DataError(
            f"{data.name or 'data set'}: its keypoints are {', '.join(data.keypoints.names)}, and the "
            f"model's are {', '.join(keypoints.names)}. Order and name them alike."
        )


def _unknown_label(sample: Sample, classes: tuple[str, ...]) -> str:
    label = str(sample.label)
    return (
        f"{sample.origin or sample.name}: label {label!r} is not one of the model's classes "
        f"{shorten(classes)}.{suggest(label, classes)}"
    )


def _at_origin(sample: Sample, problem: str) -> str:
    return f"{sample.origin}: {problem}" if sample.origin else problem


def _outcome(localizer: Predictor, sample: Sample) -> Outcome:
    if isinstance(sample.image, Path):
        size_wh = size_of(sample)
        prediction = localizer.predict(sample.image)
    else:
        # Drawn once, so that what is measured is what was predicted.
        pixels = np.asarray(sample.image)
        size_wh = (int(pixels.shape[1]), int(pixels.shape[0]))
        prediction = localizer.predict(pixels)
    return compare(
        sample,
        prediction,
        size_wh=size_wh,
        mean_box=localizer.mean_box,
        keypoints=localizer.keypoints,
    )


def _spread(outcomes: Sequence[Outcome], boxes: Sequence[Box | None]) -> float:
    """Spread of one box an image, each in [0, 1] of its image; 0 where there is none."""
    if not boxes:
        return 0.0
    sizes = np.array([one.size_wh * 2 for one in outcomes], dtype=np.float64)
    return spread(np.array(boxes, dtype=np.float64) / sizes)


def _gains_on_mean_box(overall: Metrics) -> bool:
    if overall.mean_iou is None or overall.mean_box_iou is None:
        return True
    room = 1 - overall.mean_box_iou
    return overall.mean_iou - overall.mean_box_iou >= _LEAST_GAIN * room


def _row(outcome: Outcome) -> dict[str, object]:
    sample, prediction = outcome.sample, outcome.prediction
    return {
        "image": sample.name,
        "label": prediction.label,
        "score": _finite(prediction.score),
        "box": [_finite(edge) for edge in prediction.box],
        "true_label": sample.label,
        "truth": [_finite(edge) for edge in sample.box or ()],
        "iou": outcome.iou,
    }


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
