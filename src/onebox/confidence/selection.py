"""Selective prediction: accept the surest predictions, with a bound on how many are wrong."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import inf

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from onebox.confidence.binomial import beta_quantile, cumulative


@dataclass(frozen=True, slots=True)
class RiskCoverage:
    """The risk-coverage curve: what accepting more predictions costs.

    Attributes:
        coverages: Share of the images that is accepted: 1/n, 2/n, ... 1.
        risks: Mean loss of the accepted images, surest first.
    """

    coverages: Float[ndarray, " n"]
    risks: Float[ndarray, " n"]


def upper_bound(errors: int, images: int, confidence: float = 0.95) -> float:
    """Clopper-Pearson bound: the error rate is at most this, with the confidence.

    Args:
        errors: How many of the images are wrong.
        images: Number of images, drawn independently.
        confidence: Of the bound, which is one-sided.

    Returns:
        The bound; 1 without images.

    References:
        Clopper and Pearson, "The use of confidence or fiducial limits", 1934.
    """
    if errors >= images:
        return 1.0
    return beta_quantile(confidence, errors + 1, images - errors)


def images_for(errors: int, risk: float, confidence: float = 0.95) -> int:
    """The smallest number of images of which so many errors prove a risk.

    Examples:
        >>> images_for(0, 0.05)
        59
    """
    low, high = errors, errors + 1
    while not _proves(errors, high, risk, confidence):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _proves(errors, middle, risk, confidence) else (middle, high)
    return high


@lru_cache
def fixed_sequence(
    images: int, risk: float, confidence: float = 0.95
) -> tuple[tuple[int, int], ...]:
    """The tests of `threshold`, in their order; they depend on no score.

    Returns:
        For each test, how many of the surest images it takes, and how many of these may be wrong.
        Each allows one error more than the test before it, in the smallest number of images
        that then proves the risk. The first takes a third of the images at most, if a third can
        prove the risk, and the last takes all.
    """
    return tuple(_tests(images, risk, confidence))


def _tests(images: int, risk: float, confidence: float) -> Iterator[tuple[int, int]]:
    # The strictest test allows no error: a model that errs once in a hundred fails it half the
    # time, with any number of images, and the sequence would end there.
    errors, count = _most_errors(images // 3, risk, confidence), 0
    while (following := images_for(errors, risk, confidence)) <= images:
        count = following
        yield count, errors
        errors += 1
    if 0 < count < images:
        yield images, errors - 1


def _most_errors(images: int, risk: float, confidence: float) -> int:
    """The largest number of errors with which so many images prove a risk; 0 if none do."""
    low, high = 0, images
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _proves(middle, images, risk, confidence) else (low, middle)
    return low


def is_proved(
    scores: Sequence[float], is_wrong: Sequence[bool], risk: float, confidence: float = 0.95
) -> bool:
    """Whether there is a `threshold`, without looking for it.

    A larger risk may fail where a smaller one is proved: its sequence begins with another test.
    """
    errors = np.cumsum(np.asarray(is_wrong, dtype=np.int64))
    for count, most_errors in _tests(len(scores), risk, confidence):
        if count == len(scores) or scores[count] < scores[count - 1]:
            return bool(errors[count - 1] <= most_errors)
    return False


def threshold(
    scores: Sequence[float], is_wrong: Sequence[bool], risk: float, confidence: float = 0.95
) -> float | None:
    """The lowest score above which at most this share of new predictions is wrong.

    Learn then test: the tests of `fixed_sequence`, from strict to lenient, each at the full
    confidence, until one fails. A test takes the images with the highest scores. Its threshold
    is the next score below them, so these images are like new images above the threshold. The
    confidence is kept if higher scores are wrong no more often than lower ones.

    Args:
        scores: Scores of the calibration images, highest first.
        is_wrong: Whether each of these is wrong.
        risk: The share that may be wrong among those accepted, in (0, 1).
        confidence: Probability, over calibration sets, that the threshold keeps the risk.

    Returns:
        Accept a prediction if its score is above this; minus infinity if all may be accepted;
        None if the images do not prove the risk for any threshold.

    References:
        Angelopoulos and others, "Learn then Test", arXiv:2110.01052.
    """
    found, errors = None, np.cumsum(np.asarray(is_wrong, dtype=np.int64))
    for count, most_errors in fixed_sequence(len(scores), risk, confidence):
        following = scores[count] if count < len(scores) else -inf
        if following == scores[count - 1]:
            continue  # no threshold separates these images
        if errors[count - 1] > most_errors:
            break
        found = following
    return found


def risk_coverage(scores: Float[ndarray, " n"], losses: Float[ndarray, " n"]) -> RiskCoverage:
    """The risk-coverage curve; images with one score share their mean loss.

    Args:
        scores: Confidence of each image, in any order.
        losses: What each costs if accepted: 1 - IoU, or 1 if wrong and else 0.
    """
    _, group, sizes = np.unique(-scores, return_inverse=True, return_counts=True)
    means = np.bincount(group, weights=losses, minlength=len(sizes)) / sizes
    counts = np.arange(1, len(scores) + 1)
    return RiskCoverage(counts / len(scores), np.cumsum(np.repeat(means, sizes)) / counts)


def aurc(scores: Float[ndarray, " n"], losses: Float[ndarray, " n"]) -> float:
    """Area under the risk-coverage curve: the mean of its risks. Lower is better.

    Raises:
        ValueError: If there is no image.

    References:
        Geifman, Uziel and El-Yaniv, "Bias-Reduced Uncertainty Estimation", arXiv:1805.08206.
    """
    if not len(scores):
        raise ValueError("aurc needs at least one image, got none.")
    return float(risk_coverage(scores, losses).risks.mean())


def _proves(errors: int, images: int, risk: float, confidence: float) -> bool:
    """Whether `upper_bound` is at most the risk; the same test, without its search."""
    return images > errors and cumulative(errors, images, risk) <= 1 - confidence
