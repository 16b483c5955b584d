"""What calibration found, as a model card keeps it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

MOST_SCORES = 1000
"""Most numbers that a sorted list of this record keeps: quantiles of more change nothing."""


@dataclass(frozen=True, slots=True)
class IouModel:
    """The distribution of the IoU of a box, given its spread.

    ``log(1 - IoU + 0.003)`` is normal, with the mean ``intercept + slope * log(spread + 1e-4)``
    and the standard deviation ``deviation``.
    """

    intercept: float
    slope: float
    deviation: float


@dataclass(frozen=True, slots=True)
class SideScores:
    """Conformal scores of calibration images, sorted; see `conformal`.

    Attributes:
        outer: One for each image: how many sigmas its box must grow to contain the true box.
        inner: How many sigmas it must shrink to lie within the true box.
    """

    outer: tuple[float, ...]
    inner: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class NoveltyModel:
    """Three signs of a novel image, made comparable; see `novelty`.

    Attributes:
        means: Of each sign, over the calibration images.
        weights: 1 over its standard deviation, at most 10; 0 for a sign that is the same for all.
    """

    means: tuple[float, float, float]
    weights: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class KeypointModel:
    """The probability that a keypoint is found, given its confidence; see `keypoint_model`.

    Attributes:
        slope: Multiplies the log-odds of every confidence; not negative.
        intercepts: Added to the product; one for each keypoint.
    """

    slope: float
    intercepts: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Calibration:
    """What calibration images, which chose nothing else, say about a model's predictions.

    Attributes:
        images: Number of calibration images with a box.
        temperature: Divides the logarithms of the class probabilities.
        iou: The distribution of the IoU given the spread.
        sides: Conformal scores of all images.
        sides_by_label: Those of the images with this predicted label, for labels with enough
            images.
        scores: The score of each image, highest first.
        is_wrong: Whether the IoU of that image is below 0.5 or its label is wrong.
        spreads: The spread of each image, sorted; see `Prediction.spread`.
        novelty: How the novelty of an image is computed; None for a model without it.
        novelties: The novelty of each image, sorted; empty for a model without it.
        keypoints: How the confidences of keypoints become probabilities; None for a model without
            keypoints, or if no calibration image has any labelled.
    """

    images: int
    temperature: float
    iou: IouModel
    sides: SideScores
    sides_by_label: Mapping[str, SideScores] = field(default_factory=dict)
    scores: tuple[float, ...] = ()
    is_wrong: tuple[bool, ...] = ()
    spreads: tuple[float, ...] = ()
    novelty: NoveltyModel | None = None
    novelties: tuple[float, ...] = ()
    keypoints: KeypointModel | None = None
