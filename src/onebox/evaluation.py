"""A model and a labelled data set → a `Report` of how well the model localizes.

Each image is predicted as a caller would predict it: one at a time and from its file. All problems
of the data are reported together: unknown labels before the first image is read, unreadable
images after the last.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from onebox.certainty.assessment import Certainty, assess
from onebox.confidence.records import Calibration
from onebox.errors import DataError, ImageError, format_count, shorten, suggest
from onebox.image_sizes import size_of
from onebox.images import Source
from onebox.localizer import Localizer
from onebox.metrics import (
    Metrics,
    Outcome,
    box_spread,
    compare,
    compute_metrics,
    fraction_at_least,
    known,
)
from onebox.structures import SPLITS, Box, Dataset, KeypointSet, Prediction, Sample

SCHEMA_VERSION = 1
"""Version of `Report.as_json`; it grows when a program that reads the JSON would break."""

_WORST_IN_JSON = 10
# Limits of `Report.is_collapsed`, see docs/evaluation.md, "The floor". Not tuned, but low: only a
# model that hardly uses its images is to be reported.
_MIN_TRUE_SPREAD = 0.05
_MIN_SPREAD_RATIO = 0.2
_MIN_GAIN = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """How well a model localizes the subjects of a data set.

    Attributes:
        overall: Metrics over all images.
        per_class: Metrics over the images of each true class that occurs, in the model's order.
        outcomes: One outcome for each image, in the order of the data set.
        classes: The model's class names.
        confusion: Number of images by true class (rows) and predicted class (columns).
        keypoints: The model's keypoints, or None.
        certainty: How far the model's certainty can be trusted; None if no image has a true box.
    """

    overall: Metrics
    per_class: dict[str, Metrics]
    outcomes: tuple[Outcome, ...]
    classes: tuple[str, ...]
    confusion: Int[ndarray, "k k"]
    keypoints: KeypointSet | None = None
    certainty: Certainty | None = None

    @property
    def is_collapsed(self) -> bool:
        """Whether the model is hardly better than one that predicts the same box for all images.

        True if the true boxes differ from each other (their `box_spread` in [0, 1] of their images
        exceeds 0.05) and either the spread of the predicted boxes is less than a fifth of theirs,
        or ``mean_iou`` covers less than 5 % of the way from ``mean_box_iou`` to 1.
        """
        with_box = [outcome for outcome in self.outcomes if outcome.sample.box is not None]
        true_spread = _normalized_spread(with_box, [one.sample.box for one in with_box])
        if true_spread <= _MIN_TRUE_SPREAD:
            return False
        spread = _normalized_spread(with_box, [one.prediction.box for one in with_box])
        is_one_box = spread < _MIN_SPREAD_RATIO * true_spread
        return is_one_box or not _gains_on_mean_box(self.overall)

    def iou_curve(self, thresholds: Iterable[float]) -> tuple[float | None, ...]:
        """Fraction of boxes that reach each IoU threshold; None if no image has a box."""
        ious = known(outcome.iou for outcome in self.outcomes)
        return tuple(fraction_at_least(ious, threshold) for threshold in thresholds)

    def worst(self, count: int) -> tuple[Outcome, ...]:
        """The images with the lowest IoU, lowest first; images without a box are left out."""
        return self.ranked()[:count]

    def best(self, count: int) -> tuple[Outcome, ...]:
        """The images with the highest IoU, highest first; images without a box are left out."""
        return self.ranked()[::-1][:count]

    def middle(self, count: int) -> tuple[Outcome, ...]:
        """The images around the median IoU, lowest first; images without a box are left out."""
        ranked = self.ranked()
        start = max(0, (len(ranked) - count) // 2)
        return ranked[start : start + count]

    def ranked(self) -> tuple[Outcome, ...]:
        """The images with a box, sorted by IoU, lowest first; ties keep their order."""
        pairs = [(one.iou, index) for index, one in enumerate(self.outcomes) if one.iou is not None]
        return tuple(self.outcomes[index] for _, index in sorted(pairs))

    def as_json(self) -> dict[str, object]:
        """The report as ``evaluate --json`` prints it; a number that is not finite is None."""
        return {
            "schema_version": SCHEMA_VERSION,
            **self.overall.as_json(),
            "per_class": {name: part.as_json() for name, part in self.per_class.items()},
            "worst": [_outcome_as_json(outcome) for outcome in self.worst(_WORST_IN_JSON)],
            "is_collapsed": self.is_collapsed,
            "certainty": self.certainty and self.certainty.as_json(),
            **({"per_keypoint": self.per_keypoint()} if self.overall.keypoint_pck else {}),
        }

    def per_keypoint(self) -> dict[str, dict[str, float | None]]:
        """PCK@0.2, mean error in torso lengths and mean confidence of each keypoint, by name.

        Empty if none is labelled.
        """
        numbers = self.overall
        names = self.keypoints.names if self.keypoints and numbers.keypoint_pck else ()
        columns = (numbers.keypoint_pck, numbers.keypoint_error, numbers.keypoint_confidence)
        return {
            name: {"pck_0.2": pck, "mean_error": error, "mean_confidence": confidence}
            for name, pck, error, confidence in zip(names, *columns, strict=True)
        }


def evaluate(
    localizer: Localizer, data: Dataset, *, progress: Callable[[int, int], None] | None = None
) -> Report:
    """Predict every image of a data set and compare the predictions with the ground truth.

    Args:
        localizer: The model.
        data: Images with labels, usually one split: ``data.part("test")``.
        progress: Called after each image with the number done and the total.

    Returns:
        The report.

    Raises:
        DataError: If there is no image, if the keypoints are not the model's, if a label is none
            of the model's classes, or if an image cannot be read; the message lists all of them.
    """
    card = localizer.card
    _check_labels(data, card.classes)
    _check_keypoints(data, card.keypoints)
    compare_one = partial(compare, mean_box=card.mean_box, keypoints=card.keypoints)
    outcomes: list[Outcome] = []
    problems: list[str] = []
    for done, sample in enumerate(data, start=1):
        try:
            prediction, size_wh = _predict(localizer.predict, sample)
        except ImageError as error:
            prefix = f"{sample.origin}: " if sample.origin else ""
            problems += [f"{prefix}{problem}" for problem in error.problems]
        else:
            outcomes.append(compare_one(sample, prediction, size_wh=size_wh))
        if progress is not None:
            progress(done, len(data))
    if problems:
        raise DataError(*problems)
    return summarize(
        outcomes,
        card.classes,
        keypoints=card.keypoints,
        calibration=card.active_calibration,
    )


def summarize(
    outcomes: Sequence[Outcome],
    classes: tuple[str, ...],
    *,
    keypoints: KeypointSet | None = None,
    calibration: Calibration | None = None,
) -> Report:
    """Make the report of outcomes.

    Args:
        outcomes: One for each image.
        classes: The model's class names; all labels are among them.
        keypoints: The model's keypoints, or None.
        calibration: That of the predictions; None for a model that is not calibrated.
    """
    index_of = {name: index for index, name in enumerate(classes)}
    confusion = np.zeros((len(classes), len(classes)), dtype=np.int64)
    of_class: dict[str, list[Outcome]] = {name: [] for name in classes}
    for outcome in outcomes:
        if outcome.sample.label is not None:
            of_class[outcome.sample.label].append(outcome)
            confusion[index_of[outcome.sample.label], index_of[outcome.prediction.label]] += 1
    return Report(
        overall=compute_metrics(outcomes),
        per_class={name: compute_metrics(part) for name, part in of_class.items() if part},
        outcomes=tuple(outcomes),
        classes=classes,
        confusion=confusion,
        keypoints=keypoints,
        certainty=assess(outcomes, calibration),
    )


def _check_labels(data: Dataset, classes: tuple[str, ...]) -> None:
    if not len(data):
        raise DataError(
            f"{data.name or 'data set'}: there is no image to evaluate. Choose a split that has "
            f"images ({', '.join(SPLITS)}), or add some to this one."
        )
    unknown: dict[str, list[Sample]] = {}
    for sample in data:
        if sample.label is not None and sample.label not in classes:
            unknown.setdefault(sample.label, []).append(sample)
    if unknown:
        raise DataError(*(_unknown_label(rows, classes) for rows in unknown.values()))


def _check_keypoints(data: Dataset, keypoints: KeypointSet | None) -> None:
    # A keypoint must have the same index in the model as in the data.
    if keypoints is None or data.keypoints is None or keypoints.names == data.keypoints.names:
        return
    raise DataError(
        f"{data.name or 'data set'}: its keypoints are {', '.join(data.keypoints.names)}, and "
        f"the model's are {', '.join(keypoints.names)}. Use the same names in the same order."
    )


def _unknown_label(samples: Sequence[Sample], classes: tuple[str, ...]) -> str:
    """Say that the model lacks a label that these samples have."""
    label, first = str(samples[0].label), samples[0].origin or samples[0].name
    others = format_count(len(samples) - 1, "other row", "other rows")
    more = f" (and {others})" if len(samples) > 1 else ""
    return (
        f"{first}: label {label!r}{more} is not one of the model's classes {shorten(classes)}."
        f"{suggest(label, classes)} Correct it, or use a model that knows it."
    )


def _predict(
    predict: Callable[[Source], Prediction], sample: Sample
) -> tuple[Prediction, tuple[int, int]]:
    """The prediction for a sample, and the width and height of its upright image."""
    if sample.encoded is not None:
        size_wh = size_of(sample)  # first: an unreadable image is reported once, by its header
        return predict(sample.encoded), size_wh
    # Rendered only once: a second rendering might give another size.
    pixels = np.asarray(sample.image)
    return predict(pixels), (int(pixels.shape[1]), int(pixels.shape[0]))


def _normalized_spread(outcomes: Sequence[Outcome], boxes: Sequence[Box | None]) -> float:
    """Spread of one box for each image, each in [0, 1] of its image; 0 without boxes."""
    if not boxes:
        return 0.0
    sizes = np.array([one.size_wh * 2 for one in outcomes], dtype=np.float64)
    return box_spread(np.array(boxes, dtype=np.float64) / sizes)


def _gains_on_mean_box(overall: Metrics) -> bool:
    if overall.mean_iou is None or overall.mean_box_iou is None:
        return True
    return overall.mean_iou - overall.mean_box_iou >= _MIN_GAIN * (1 - overall.mean_box_iou)


def _outcome_as_json(outcome: Outcome) -> dict[str, object]:
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
