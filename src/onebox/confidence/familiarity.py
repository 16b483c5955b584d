"""How familiar an image is: the rank of its novelty among the calibration images."""

from bisect import bisect_left
from collections.abc import Sequence

LEAST_IMAGES = 19
"""Calibration images that a verdict takes: with fewer, no rank is as low as `LEAST_RANK`."""

LEAST_RANK = 0.05
"""An image is familiar if its rank exceeds this."""


def rank(sorted_novelties: Sequence[float], novelty: float) -> float:
    """Fraction of the calibration images and this image that are at least as novel as it is.

    It is a conformal p-value: if the image is like the calibration images, the rank is at most r
    with at most the probability r.

    Args:
        sorted_novelties: Novelties of the calibration images, lowest first.
        novelty: That of the image.

    Returns:
        A fraction in (0, 1].

    References:
        Bates and others, "Testing for Outliers with Conformal p-values", arXiv:2104.08279.

    Examples:
        >>> rank((1.0, 2.0, 3.0), 2.5)  # itself and 3.0, of four
        0.5
    """
    images = len(sorted_novelties)
    return (1 + images - bisect_left(sorted_novelties, novelty)) / (images + 1)


def is_familiar(sorted_novelties: Sequence[float], novelty: float) -> bool | None:
    """Whether the `rank` exceeds `LEAST_RANK`; None for fewer images than `LEAST_IMAGES`."""
    if len(sorted_novelties) < LEAST_IMAGES:
        return None
    return rank(sorted_novelties, novelty) > LEAST_RANK
