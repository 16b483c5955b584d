"""How much an image differs from those that a model was trained on.

Three signs are added up, each in standard deviations over the calibration images: the distance of
the features inside the box from those of training images, the spread of the box, and the
probability that the label is wrong, all as logarithms.
"""

from math import log

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from onebox.confidence.iou_model import SPREAD_OFFSET
from onebox.confidence.records import NoveltyModel

LEAST_DISTANCE = 1e-6
"""A smaller distance, as of a training image from itself, counts as this one."""

LABEL_OFFSET = 1e-2
"""Added to the probability that the label is wrong: a smaller one says no more. Not tuned."""

# A sign that differs by less between images is the same for all, and has no weight.
_SAME = 1e-6
# A sign that hardly differs, such as probabilities that all are near 1, must not drown the others.
# Not tuned: on the data of docs/trust.md, 0.2 and no floor give the same.
_LEAST_DEVIATION = 0.1
_SIGNS = 3


def signs(distance: float, spread: float, probability: float) -> tuple[float, float, float]:
    """The three signs of an image.

    Args:
        distance: `Prediction.distance`.
        spread: `Prediction.spread`.
        probability: Probability of the predicted label.
    """
    return (
        log(max(distance, LEAST_DISTANCE)),
        log(spread + SPREAD_OFFSET),
        log(max(1 - probability, 0.0) + LABEL_OFFSET),
    )


def fit(images: Float[ndarray, "n 3"]) -> NoveltyModel:
    """Make the signs of calibration images comparable.

    Raises:
        ValueError: If there is no image.
    """
    if not len(images):
        raise ValueError("fit needs at least one image, got none.")
    deviations = images.std(axis=0)
    floored = np.maximum(deviations, _LEAST_DEVIATION)
    weights = np.divide(1.0, floored, out=np.zeros(_SIGNS), where=deviations > _SAME)
    return NoveltyModel(tuple(images.mean(axis=0).tolist()), tuple(weights.tolist()))


def novelty(model: NoveltyModel, of_image: tuple[float, float, float]) -> float:
    """The sum of an image's signs, in standard deviations; 0 for an average calibration image."""
    rows = zip(of_image, model.means, model.weights, strict=True)
    return sum((sign - mean) * weight for sign, mean, weight in rows)
