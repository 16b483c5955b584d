"""Counted facts first, metrics after: what one image shows, and what many add up to.

An `Outcome` says how one image went; `metrics` turns any set of outcomes into the field's
metrics. An image without a box counts as an image and, where the model says how probable the
subject is, in the metrics of presence. A figure that no image speaks for is None, never 0 and
never NaN.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TypeVar

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from onebox.boxes import paired_iou
from onebox.structures import Box, KeypointSet, Prediction, Sample

THRESHOLDS = (0.5, 0.75, 0.9)
"""The overlaps at which `Metrics.iou_at` counts boxes."""

NEAR = 0.2
"""A keypoint is found where it lies within this share of the torso from the truth (PCK@0.2)."""

Value = TypeVar("Value")

_TORSO = ("left_hip", "right_shoulder")

_LOCALIZED = 0.5
_V2_THRESHOLDS = (0.3, 0.5, 0.7)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One image: what is true, what was predicted, and how far they agree.

    Attributes:
        sample: The image with its true label and box.
        prediction: The answer for it.
        size_wh: Width and height of the upright image.
        iou: Overlap of the predicted box with the true one; None where there is no true box.
        mean_box_iou: Overlap of the mean training box, stretched to this image, with the true
            box; None where there is no true box or no mean box.
        keypoint_errors: Distance of each keypoint from the truth, in lengths of the torso (of the true
            box's longer side where the keypoints name no torso); None where the keypoint or the torso
            is not labelled. None where keypoints were not predicted.
    """

    sample: Sample
    prediction: Prediction
    size_wh: tuple[int, int]
    iou: float | None
    mean_box_iou: float | None
    keypoint_errors: tuple[float | None, ...] | None = None

    @property
    def is_label_right(self) -> bool | None:
        """Whether the predicted label is the true one; None where the image has no label."""
        return None if self.sample.label is None else self.prediction.label == self.sample.label

    @property
    def is_localized(self) -> bool:
        """Whether the boxes overlap by at least one half, whatever the label."""
        return self.iou is not None and self.iou >= _LOCALIZED


@dataclass(frozen=True, slots=True)
class Metrics:
    """What a set of outcomes adds up to; shares and overlaps lie in [0, 1].

    Attributes:
        images: Images, with a box or without.
        images_with_box: Images with a true box, of which every figure on boxes speaks.
        mean_iou: Mean overlap of predicted and true box.
        iou_at: For each of `THRESHOLDS`, the share of boxes with at least that overlap.
        class_accuracy: Share of right labels among the images that have one.
        top1_loc: Share of boxes with the label right and an overlap of at least 0.5.
        gt_known_loc: Share of boxes with an overlap of at least 0.5, whatever the label.
        max_box_acc_v2: Share of boxes with at least an overlap, averaged over 0.3, 0.5 and 0.7.
            The source also takes the best threshold on a score map and the best of several
            boxes; a predictor of one box has neither, so there is nothing left to choose.
        mean_box_iou: What the mean training box, stretched to each image, scores as
            ``mean_iou``: the floor for a model that looks at its images.
        pck: Share of labelled keypoints within `NEAR` torsos of the truth; None without keypoints.
        keypoint_pck: The same for each keypoint.
        keypoint_error: Mean distance of each keypoint from the truth, in torsos.
        presence_auroc: Area under the ROC curve of presence: see `auroc`.
        false_box_rate: Share of the images without the subject of which the model says that it
            is there.
        missed_rate: Share of the images with the subject of which the model says that it is not.

    The last three are None from a model that says nothing of presence.

    References:
        Choe et al., arXiv:2007.04178, section 4.1 (GT-known localization and MaxBoxAccV2);
        Yang and Ramanan, TPAMI 2013, section 6.2 (PCK), with the torso for the box.
    """

    images: int
    images_with_box: int
    mean_iou: float | None
    iou_at: Mapping[float, float | None]
    class_accuracy: float | None
    top1_loc: float | None
    gt_known_loc: float | None
    max_box_acc_v2: float | None
    mean_box_iou: float | None
    pck: float | None = None
    keypoint_pck: tuple[float | None, ...] = ()
    keypoint_error: tuple[float | None, ...] = ()
    presence_auroc: float | None = None
    false_box_rate: float | None = None
    missed_rate: float | None = None

    def as_json(self) -> dict[str, object]:
        """The metrics under the names of the ``evaluate --json`` contract."""
        keypoints = {"pck_0.2": self.pck} if self.keypoint_pck else {}
        names = ("presence_auroc", "false_box_rate", "missed_rate")
        presence = {name: getattr(self, name) for name in names}
        return {
            "images": self.images,
            "mean_iou": self.mean_iou,
            "iou_at": {f"{threshold:g}": share for threshold, share in self.iou_at.items()},
            "class_accuracy": self.class_accuracy,
            "top1_loc": self.top1_loc,
            "gt_known_loc": self.gt_known_loc,
            "max_box_acc_v2": self.max_box_acc_v2,
            "mean_box_iou": self.mean_box_iou,
            **keypoints,
            **(presence if known(presence.values()) else {}),
        }


def compare(
    sample: Sample,
    prediction: Prediction,
    *,
    size_wh: tuple[int, int],
    mean_box: Box | None,
    keypoints: KeypointSet | None = None,
) -> Outcome:
    """Hold a prediction against what is known of its image.

    Args:
        sample: The image; its box in pixels of the upright image.
        prediction: The answer; its box in the same pixels.
        size_wh: Width and height of the upright image.
        mean_box: Mean training box as ``xyxy`` in [0, 1], or None if it is not known.
        keypoints: What the keypoints of both are called, or None without keypoints.

    Returns:
        The outcome of this image.
    """
    stretched = None if mean_box is None else stretch(mean_box, size_wh)
    return Outcome(
        sample=sample,
        prediction=prediction,
        size_wh=size_wh,
        iou=_overlap(prediction.box, sample.box),
        mean_box_iou=_overlap(stretched, sample.box),
        keypoint_errors=None
        if keypoints is None
        else _keypoint_errors(sample, prediction, keypoints),
    )


def compute_metrics(outcomes: Iterable[Outcome]) -> Metrics:
    """Add up outcomes.

    Args:
        outcomes: Any number of them, none included.

    Returns:
        Their metrics; those without an image to speak for them are None.
    """
    everyone = tuple(outcomes)
    located = [outcome for outcome in everyone if outcome.iou is not None]
    ious = known(outcome.iou for outcome in located)
    by_keypoint = _by_keypoint(known(outcome.keypoint_errors for outcome in everyone))
    asked = [outcome for outcome in everyone if outcome.prediction.present is not None]
    there = [outcome.prediction for outcome in asked if outcome.sample.has_subject]
    absent = [outcome.prediction for outcome in asked if not outcome.sample.has_subject]
    return Metrics(
        images=len(everyone),
        images_with_box=len(located),
        mean_iou=_mean(ious),
        iou_at={threshold: share_at(ious, threshold) for threshold in THRESHOLDS},
        class_accuracy=_mean(known(outcome.is_label_right for outcome in everyone)),
        top1_loc=_mean([bool(one.is_label_right) and one.is_localized for one in located]),
        gt_known_loc=_mean([outcome.is_localized for outcome in located]),
        max_box_acc_v2=_mean(known(share_at(ious, threshold) for threshold in _V2_THRESHOLDS)),
        mean_box_iou=_mean(known(outcome.mean_box_iou for outcome in located)),
        pck=_mean([error <= NEAR for errors in by_keypoint for error in errors]),
        keypoint_pck=tuple(_mean([error <= NEAR for error in errors]) for errors in by_keypoint),
        keypoint_error=tuple(_mean(errors) for errors in by_keypoint),
        presence_auroc=auroc(_presences(there), _presences(absent)),
        false_box_rate=_mean([prediction.has_subject for prediction in absent]),
        missed_rate=_mean([not prediction.has_subject for prediction in there]),
    )


def auroc(positive: Sequence[float], negative: Sequence[float]) -> float | None:
    """The chance that a positive scores above a negative, both drawn at random; a tie is half.

    Args:
        positive: Scores of the ones, in any order.
        negative: Scores of the others.

    Returns:
        The area under the ROC curve, in [0, 1]; None where either has no score.

    References:
        Hanley and McNeil, Radiology 143 (1982), the area as the statistic of Wilcoxon.
    """
    if not positive or not negative:
        return None
    ordered = np.sort(negative)
    below, not_above = (np.searchsorted(ordered, positive, side) for side in ("left", "right"))
    return float((below + not_above).mean() / (2 * len(ordered)))


def known(values: Iterable[Value | None]) -> list[Value]:
    """The values that are not None, in order."""
    return [value for value in values if value is not None]


def share_at(ious: Sequence[float], threshold: float) -> float | None:
    """Share of overlaps that reach a threshold; None where there are none."""
    return _mean([iou >= threshold for iou in ious])


def stretch(box: Box, size_wh: tuple[int, int]) -> Box:
    """A box in [0, 1] as pixels of an image of ``(width, height)``."""
    (x_min, y_min, x_max, y_max), (width, height) = box, size_wh
    return (x_min * width, y_min * height, x_max * width, y_max * height)


def spread(boxes: Float[ndarray, "n 4"]) -> float:
    """How much boxes differ: one less the mean overlap of each with their mean.

    Args:
        boxes: At least one ``xyxy`` box, all in one frame, as in [0, 1] of their images.

    Returns:
        0 where all are the same box, towards 1 the more they differ.
    """
    mean = np.broadcast_to(boxes.mean(axis=0), boxes.shape)
    return float(1 - paired_iou(boxes, mean).mean())


def _overlap(predicted: Box | None, true: Box | None) -> float | None:
    if predicted is None or true is None:
        return None
    return float(paired_iou(np.array([predicted], float), np.array([true], float))[0])


def _presences(predictions: Sequence[Prediction]) -> list[float]:
    return known(prediction.present for prediction in predictions)


def _by_keypoint(rows: Sequence[Sequence[float | None]]) -> list[list[float]]:
    """The known errors of each keypoint over images."""
    return [known(column) for column in zip(*rows, strict=True)]


def _keypoint_errors(
    sample: Sample, prediction: Prediction, keypoints: KeypointSet
) -> tuple[float | None, ...] | None:
    if prediction.keypoints is None or sample.keypoints is None:
        return None
    unit = _torso(sample, keypoints)
    found = np.array(prediction.keypoints)[:, :2]
    true = np.array(sample.keypoints, dtype=np.float64)
    distances = np.hypot(*(found - true[:, :2]).T)
    return tuple(
        float(distance) / unit if unit and visibility > 0 else None
        for distance, visibility in zip(distances, true[:, 2], strict=True)
    )


def _torso(sample: Sample, keypoints: KeypointSet) -> float | None:
    """Length of the torso in pixels, or of the box's longer side where keypoints name no torso."""
    if sample.keypoints is None or not set(_TORSO) <= set(keypoints.names):
        box = sample.box
        return None if box is None else max(box[2] - box[0], box[3] - box[1])
    ends = [sample.keypoints[keypoints.names.index(name)] for name in _TORSO]
    if any(visibility == 0 for _, _, visibility in ends):
        return None
    (x_left, y_left, _), (x_right, y_right, _) = ends
    return float(np.hypot(x_left - x_right, y_left - y_right))


def _mean(values: Sequence[float | bool]) -> float | None:
    return fmean(values) if values else None
