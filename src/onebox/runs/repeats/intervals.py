"""Means and intervals of metrics: over runs, and over images.

The interval over runs is that of Student's t. The interval over images is the same for a metric
that is a mean over images, and its generalization by the jackknife for the others: each image has a
pseudo-value, ``n`` times the metric less ``n - 1`` times the metric without it.

References:
    Tukey, Annals of Mathematical Statistics 29 (1958), page 614 (the jackknife); Bengio and
    Grandvalet, JMLR 5 (2004), on the variance of cross-validation: no unbiased estimator exists,
    and the spread between folds is not one.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from onebox.confidence.student_t import t_interval
from onebox.metrics import THRESHOLDS, Outcome, auroc, known

_LEAST = 2  # values that have an interval
_V2_THRESHOLDS = (0.3, 0.5, 0.7)  # of MaxBoxAccV2


@dataclass(frozen=True, slots=True)
class Estimate:
    """A metric with its 95 % interval.

    Attributes:
        value: The mean over runs, or the metric over all images.
        low: Lower end, at least 0; None with fewer than two runs or images.
        high: Upper end, at most 1; likewise.
        count: Number of runs, or of images.
    """

    value: float
    low: float | None
    high: float | None
    count: int


def over_runs(values: Iterable[float | None]) -> Estimate | None:
    """The mean over runs with its t interval; None if no run has the metric."""
    numbers = np.array(known(values), np.float64)
    return None if not len(numbers) else _estimate(float(numbers.mean()), numbers)


def over_images(outcomes: Sequence[Outcome]) -> dict[str, Estimate]:
    """Each metric over all images with its interval, by its name in `headlines`."""
    found: dict[str, Estimate] = {}
    for name, share_of in _SHARES.items():
        pairs = np.array(known(map(share_of, outcomes)), np.float64).reshape(-1, 2)
        if pairs[:, 1].sum():
            found[name] = _ratio(pairs[pairs[:, 1] > 0])
    area = _auroc(outcomes)
    return found if area is None else {**found, "presence_auroc": area}


def headlines(metrics: Mapping[str, object]) -> dict[str, float | None]:
    """The metrics that are compared, with dotted names, from `metrics.Metrics.as_json`."""
    flat: dict[str, float | None] = {}
    for name, value in metrics.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}.{key}": part for key, part in value.items()}
        elif name != "images" and (value is None or isinstance(value, float | int)):
            flat[name] = value
    return flat


def _estimate(value: float, values: Float[ndarray, " n"]) -> Estimate:
    """A value with the t interval of the mean of others, moved to it."""
    if len(values) < _LEAST:
        return Estimate(value, None, None, len(values))
    low, high = t_interval(values)
    half = (high - low) / 2
    return Estimate(value, max(value - half, 0.0), min(value + half, 1.0), len(values))


def _ratio(pairs: Float[ndarray, "n 2"]) -> Estimate:
    """The sum of the first column over that of the second."""
    (top, bottom), count = pairs.sum(axis=0), len(pairs)
    value = float(top / bottom)
    if count < _LEAST:
        return Estimate(value, None, None, count)
    without = (top - pairs[:, 0]) / (bottom - pairs[:, 1])
    return _estimate(value, count * value - (count - 1) * without)


def _auroc(outcomes: Sequence[Outcome]) -> Estimate | None:
    """The area under the ROC curve of presence; None if it has none."""
    judged = [one for one in outcomes if one.prediction.present is not None]
    scores = np.array(known(one.prediction.present for one in judged), np.float64)
    is_positive = np.array([one.sample.has_subject for one in judged], bool)
    positive, negative = scores[is_positive], scores[~is_positive]
    area = auroc(positive.tolist(), negative.tolist())
    if area is None:
        return None
    if min(len(positive), len(negative)) < _LEAST:
        return Estimate(area, None, None, len(scores))
    # How often each positive is above a negative, and each negative below a positive.
    above, below = _placements(positive, negative), 1 - _placements(negative, positive)
    without = [(len(each) * area - each) / (len(each) - 1) for each in (above, below)]
    count = len(scores)
    return _estimate(area, count * area - (count - 1) * np.concatenate(without))


def _placements(scores: Float[ndarray, " n"], others: Float[ndarray, " m"]) -> Float[ndarray, " n"]:
    """The fraction of the others that each score is above; a tie counts half."""
    ordered = np.sort(others)
    sides = [np.searchsorted(ordered, scores, side) for side in ("left", "right")]
    return (sides[0] + sides[1]) / (2 * len(others))


Share = tuple[float, float]
"""What an image adds to numerator and denominator of a metric."""


def _iou(one: Outcome) -> Share | None:
    return None if one.iou is None else (one.iou, 1.0)


def _reaches(threshold: float) -> Callable[[Outcome], Share | None]:
    return lambda one: None if one.iou is None else (float(one.iou >= threshold), 1.0)


def _label(one: Outcome) -> Share | None:
    return None if one.is_label_right is None else (float(one.is_label_right), 1.0)


def _top1(one: Outcome) -> Share | None:
    is_found = bool(one.is_label_right) and one.is_localized
    return None if one.iou is None else (float(is_found), 1.0)


def _max_box_acc(one: Outcome) -> Share | None:
    iou = one.iou
    if iou is None:
        return None
    return (sum(iou >= threshold for threshold in _V2_THRESHOLDS) / len(_V2_THRESHOLDS), 1.0)


def _mean_box(one: Outcome) -> Share | None:
    return None if one.mean_box_iou is None else (one.mean_box_iou, 1.0)


def _pck(one: Outcome) -> Share | None:
    is_found = known(one.keypoints_found or ())
    return (float(sum(is_found)), float(len(is_found)))


def _false_box(one: Outcome) -> Share | None:
    if one.prediction.present is None or one.sample.has_subject:
        return None
    return (float(one.prediction.has_subject), 1.0)


def _missed(one: Outcome) -> Share | None:
    if one.prediction.present is None or not one.sample.has_subject:
        return None
    return (float(not one.prediction.has_subject), 1.0)


_SHARES: Mapping[str, Callable[[Outcome], Share | None]] = {
    "mean_iou": _iou,
    **{f"iou_at.{threshold:g}": _reaches(threshold) for threshold in THRESHOLDS},
    "class_accuracy": _label,
    "top1_loc": _top1,
    "gt_known_loc": _reaches(0.5),
    "max_box_acc_v2": _max_box_acc,
    "mean_box_iou": _mean_box,
    "pck_0.2": _pck,
    "false_box_rate": _false_box,
    "missed_rate": _missed,
}
