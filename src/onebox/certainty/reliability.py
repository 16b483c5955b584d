"""Whether probabilities are what they say: calibration error, Brier score, reliability bins."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

Probabilities = Float[ndarray, " n"]

MOST_BINS = 15
LEAST_IMAGES = 10  # per bin, while there are as many


@dataclass(frozen=True, slots=True)
class Bin:
    """Images with similar probabilities.

    Attributes:
        predicted: Their mean probability.
        observed: The fraction of them for which it came true.
        images: Their number.
    """

    predicted: float
    observed: float
    images: int


@dataclass(frozen=True, slots=True)
class Reliability:
    """How far probabilities are from what happens.

    Attributes:
        ece: Expected calibration error: the mean over images of ``|observed - predicted|`` of
            their bin, in [0, 1].
        ece_by_chance: The ``ece`` that is expected on so many images if every probability is
            right; above 0 since a fraction of few images scatters.
        brier: Mean squared difference of the probability and what happened (1 or 0).
        bins: Bins of nearly equal numbers of images, by rising probability; at most `MOST_BINS`.
    """

    ece: float
    ece_by_chance: float
    brier: float
    bins: tuple[Bin, ...]


def reliability(probabilities: Probabilities, happened: Bool[ndarray, " n"]) -> Reliability | None:
    """Compare probabilities with what happened; None without images.

    References:
        Nguyen and O'Connor, EMNLP 2015, section 3 (bins of equal numbers); Brier, Monthly Weather
        Review 78 (1950).
    """
    if not len(probabilities):
        return None
    order = np.argsort(probabilities, kind="stable")
    p, y = probabilities[order], happened[order].astype(np.float64)
    slices = list(_bins(p))
    shares = np.array([len(p[one]) for one in slices]) / len(p)
    gaps = np.array([abs(y[one].mean() - p[one].mean()) for one in slices])
    chance = np.array([_gap_by_chance(p[one]) for one in slices])
    return Reliability(
        ece=float(shares @ gaps),
        ece_by_chance=float(shares @ chance),
        brier=float(np.square(p - y).mean()),
        bins=tuple(Bin(float(p[s].mean()), float(y[s].mean()), len(p[s])) for s in slices),
    )


def _bins(rising: Probabilities) -> Iterator[slice]:
    """Parts of sorted probabilities of nearly equal length; equal ones are never parted."""
    count = min(MOST_BINS, max(1, len(rising) // LEAST_IMAGES))
    even = np.arange(1, count) * len(rising) // count
    starts = np.unique([0, *np.searchsorted(rising, rising[even]), len(rising)])
    for start, end in pairwise(starts):
        yield slice(int(start), int(end))


def _gap_by_chance(probabilities: Probabilities) -> float:
    """Mean ``|observed - predicted|`` of a bin whose images come true with these probabilities."""
    distribution = np.ones(1)  # of the number that came true: a sum of independent coins
    for p in probabilities:
        distribution = np.convolve(distribution, [1 - p, p])
    fractions = np.arange(len(distribution)) / len(probabilities)
    return float(distribution @ abs(fractions - probabilities.mean()))
