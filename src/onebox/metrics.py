"""Localization metrics: first a comparison for each image, then metrics over many.

`compare` makes the `Outcome` of one image; `compute_metrics` turns any number of outcomes into
`Metrics`. An image without a box counts in ``images`` and, if the model predicts presence, in the
presence metrics. A metric to which no image contributes is None, never 0 and never NaN.
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
"""The IoU thresholds of `Metrics.iou_at`."""

PCK_THRESHOLD = 0.2
"""Largest error, in torso lengths, of a keypoint that counts as found (PCK@0.2)."""

Value = TypeVar("Value")

_TORSO = ("left_hip", "right_shoulder")

_LOCALIZED_IOU = 0.5  # of GT-known localization and top-1 localization
_V2_THRESHOLDS = (0.3, 0.5, 0.7)  # of MaxBoxAccV2


@dataclass(frozen=True, slots=True)
class Outcome:
    """One image: its ground truth, its prediction, and how well they agree.

    Attributes:
        sample: The image with its true label, box and keypoints.
        prediction: The model's prediction for it.
        size_wh: Width and height of the upright image.
        iou: IoU of predicted and true box; None without a true box.
        mean_box_iou: IoU of the mean training box, stretched to this image, and the true box;
            None without a true box or a mean box.
        keypoint_errors: Distance of each keypoint from the truth, in torso lengths, or in lengths
            of the true box's longer edge if the keypoints name no torso; None for a keypoint that
            is not labelled or has no such length. None as a whole if the sample or the prediction
            has no keypoints.
    """

    sample: Sample
    prediction: Prediction
    size_wh: tuple[int, int]
    iou: float | None
    mean_box_iou: float | None
    keypoint_errors: tuple[float | None, ...] | None = None

    @property
    def is_label_right(self) -> bool | None:
        """Whether the predicted label is the true one; None if the image has no label."""
        return None if self.sample.label is None else self.prediction.label == self.sample.label

    @property
    def keypoints_found(self) -> tuple[bool | None, ...] | None:
        """Whether the error of each keypoint is at most `PCK_THRESHOLD`; None as for the errors."""
        if self.keypoint_errors is None:
            return None
        return tuple(
            None if error is None else error <= PCK_THRESHOLD for error in self.keypoint_errors
        )

    @property
    def is_localized(self) -> bool:
        """Whether the IoU is at least 0.5, whatever the label."""
        return self.iou is not None and self.iou >= _LOCALIZED_IOU

    @property
    def is_wrong(self) -> bool | None:
        """Whether the IoU is below 0.5 or the label is wrong; None without a true box."""
        return None if self.iou is None else not self.is_localized or self.is_label_right is False


@dataclass(frozen=True, slots=True)
class Metrics:
    """The metrics of a set of images; fractions and IoUs lie in [0, 1].

    Attributes:
        images: Number of images, with a box or without.
        images_with_box: Number of images with a true box; all box metrics are over these.
        mean_iou: Mean IoU of predicted and true box.
        iou_at: Fraction of boxes that reach each of the IoU `THRESHOLDS`.
        class_accuracy: Fraction of correct labels among the images with a label.
        top1_loc: Fraction of boxes with a correct label and an IoU of at least 0.5.
        gt_known_loc: Fraction of boxes with an IoU of at least 0.5, whatever the label.
        max_box_acc_v2: Fraction of boxes that reach an IoU, averaged over 0.3, 0.5 and 0.7. The
            source also picks the best threshold on a score map and the best of several boxes; a
            model that predicts one box has neither, so nothing is picked here.
        mean_box_iou: ``mean_iou`` of the mean training box, stretched to each image: the floor
            for a model that uses its images.
        pck: Fraction of labelled keypoints with an error of at most `PCK_THRESHOLD`; None without
            keypoints.
        keypoint_pck: The same for each keypoint.
        keypoint_error: Mean error of each keypoint, in torso lengths.
        keypoint_confidence: Mean confidence of each keypoint, where it is labelled.
        presence_auroc: Area under the ROC curve of presence, see `auroc`.
        false_box_rate: Fraction of the images without the subject in which the model finds one.
        missed_rate: Fraction of the images with the subject in which the model finds none.

    The last three are None for a model that does not predict presence.

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
    keypoint_confidence: tuple[float | None, ...] = ()
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
            "iou_at": {f"{threshold:g}": value for threshold, value in self.iou_at.items()},
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
    """Compare a prediction with the ground truth of its image.

    Args:
        sample: The image; its box in pixels of the upright image.
        prediction: The model's prediction; its box in the same pixels.
        size_wh: Width and height of the upright image.
        mean_box: Mean training box as ``xyxy`` in [0, 1], or None if it is not known.
        keypoints: The keypoints that both have, or None without keypoints.
    """
    iou = _iou(prediction.box, sample.box)
    mean_box_iou = _iou(None if mean_box is None else stretch(mean_box, size_wh), sample.box)
    errors = None if keypoints is None else _keypoint_errors(sample, prediction, keypoints)
    return Outcome(sample, prediction, size_wh, iou, mean_box_iou, errors)


def compute_metrics(outcomes: Iterable[Outcome]) -> Metrics:
    """Compute the metrics of any number of outcomes, even none."""
    images = tuple(outcomes)
    with_box = [outcome for outcome in images if outcome.iou is not None]
    ious = known(outcome.iou for outcome in with_box)
    errors_of_images = known(outcome.keypoint_errors for outcome in images)
    errors = [known(of_keypoint) for of_keypoint in zip(*errors_of_images, strict=True)]
    found_in_images = known(outcome.keypoints_found for outcome in images)
    is_found = [known(of_keypoint) for of_keypoint in zip(*found_in_images, strict=True)]
    judged = [outcome for outcome in images if outcome.prediction.present is not None]
    present = [outcome.prediction for outcome in judged if outcome.sample.has_subject]
    absent = [outcome.prediction for outcome in judged if not outcome.sample.has_subject]
    return Metrics(
        images=len(images),
        images_with_box=len(with_box),
        mean_iou=_mean(ious),
        iou_at={threshold: fraction_at_least(ious, threshold) for threshold in THRESHOLDS},
        class_accuracy=_mean(known(outcome.is_label_right for outcome in images)),
        top1_loc=_mean([bool(one.is_label_right) and one.is_localized for one in with_box]),
        gt_known_loc=_mean([outcome.is_localized for outcome in with_box]),
        max_box_acc_v2=_mean(known(fraction_at_least(ious, least) for least in _V2_THRESHOLDS)),
        mean_box_iou=_mean(known(outcome.mean_box_iou for outcome in with_box)),
        pck=_mean([one for column in is_found for one in column]),
        keypoint_pck=tuple(_mean(column) for column in is_found),
        keypoint_error=tuple(_mean(column) for column in errors),
        keypoint_confidence=tuple(map(_mean, _confidences(images))),
        presence_auroc=auroc(_presences(present), _presences(absent)),
        false_box_rate=_mean([prediction.has_subject for prediction in absent]),
        missed_rate=_mean([not prediction.has_subject for prediction in present]),
    )


def auroc(positive: Sequence[float], negative: Sequence[float]) -> float | None:
    """Probability that a random positive scores above a random negative; a tie counts half.

    Returns:
        The area under the ROC curve, in [0, 1]; None without positives or without negatives.

    References:
        Hanley and McNeil, Radiology 143 (1982): the area is the Wilcoxon statistic.
    """
    if not positive or not negative:
        return None
    ordered = np.sort(negative)
    below, not_above = (np.searchsorted(ordered, positive, side) for side in ("left", "right"))
    return float((below + not_above).mean() / (2 * len(ordered)))


def known(values: Iterable[Value | None]) -> list[Value]:
    """The values that are not None, in order."""
    return [value for value in values if value is not None]


def fraction_at_least(ious: Sequence[float], threshold: float) -> float | None:
    """Fraction of IoUs that reach a threshold; None if there are none."""
    return _mean([iou >= threshold for iou in ious])


def stretch(box: Box, size_wh: tuple[int, int]) -> Box:
    """Scale a box in [0, 1] to the pixels of an image of ``(width, height)``."""
    (x_min, y_min, x_max, y_max), (width, height) = box, size_wh
    return (x_min * width, y_min * height, x_max * width, y_max * height)


def box_spread(boxes: Float[ndarray, "n 4"]) -> float:
    """Measure how much boxes differ: 1 minus the mean IoU of each box with their mean box.

    There is at least one ``xyxy`` box, and all are in the same coordinates.
    """
    mean = np.broadcast_to(boxes.mean(axis=0), boxes.shape)
    return float(1 - paired_iou(boxes, mean).mean())


def _iou(predicted: Box | None, true: Box | None) -> float | None:
    if predicted is None or true is None:
        return None
    return float(paired_iou(np.array([predicted], float), np.array([true], float))[0])


def _presences(predictions: Sequence[Prediction]) -> list[float]:
    return known(prediction.present for prediction in predictions)


def _keypoint_errors(
    sample: Sample, prediction: Prediction, keypoints: KeypointSet
) -> tuple[float | None, ...] | None:
    if prediction.keypoints is None or sample.keypoints is None:
        return None
    unit = _torso_length(sample, keypoints)
    predicted = np.array(prediction.keypoints)[:, :2]
    true = np.array(sample.keypoints, dtype=np.float64)
    distances = np.hypot(*(predicted - true[:, :2]).T)
    return tuple(
        float(distance) / unit if unit and visibility > 0 else None
        for distance, visibility in zip(distances, true[:, 2], strict=True)
    )


def _confidences(outcomes: Sequence[Outcome]) -> list[list[float]]:
    """For each keypoint, its confidences in the images in which it is labelled."""
    rows = [
        [
            None if error is None else confidence
            for (_, _, confidence), error in zip(
                outcome.prediction.keypoints or (), outcome.keypoint_errors, strict=True
            )
        ]
        for outcome in outcomes
        if outcome.keypoint_errors is not None
    ]
    return [known(of_keypoint) for of_keypoint in zip(*rows, strict=True)]


def _torso_length(sample: Sample, keypoints: KeypointSet) -> float | None:
    """Length in pixels of the torso, or of the box's longer edge if the keypoints name no torso."""
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
