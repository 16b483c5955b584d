"""The order in which images are labelled: pure functions, the same for the same seed.

Of ten images in a row, two are of the accuracy sample, four those that the model doubts most, two
those most different from what it was trained on, and two random. The shares are not tuned.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from jaxtyping import Float
from numpy import ndarray

Kind = Literal["sample", "doubtful", "different", "random"]

PATTERN: tuple[Kind, ...] = (
    *("doubtful", "random", "different", "doubtful", "sample"),
    *("doubtful", "different", "random", "doubtful", "sample"),
)
"""The kinds of ten images in a row."""

_SAMPLE_SHARE = 0.2  # as in the pattern
_HASH_BITS = 64


@dataclass(frozen=True, slots=True)
class Rank:
    """What the newest model says of its prediction for an image, as far as order depends on it.

    Attributes:
        expected_iou: As in `Prediction`; None from a model that is not calibrated.
        spread: Likewise; None from an older model.
        novelty: Likewise, or the distance from the training images; None if it has neither.
    """

    expected_iou: float | None = None
    spread: float | None = None
    novelty: float | None = None


def chance(key: str, seed: int, purpose: str) -> float:
    """A number in [0, 1) that depends on nothing but an image's id, the seed and the purpose.

    Examples:
        >>> chance("a", 0, "order") == chance("a", 0, "order") != chance("a", 1, "order")
        True
    """
    text = f"{purpose}:{seed}:{key}".encode()
    digest = hashlib.blake2b(text, digest_size=_HASH_BITS // 8).digest()
    return (int.from_bytes(digest, "big") >> 11) / 2**53  # a float has 53 bits


def is_of_sample(key: str, seed: int) -> bool:
    """Whether chance puts an image into the accuracy sample; it does with one in five."""
    return chance(key, seed, "sample") < _SAMPLE_SHARE


def shuffled(keys: Iterable[str], seed: int) -> list[str]:
    """The images in random order."""
    return sorted(keys, key=lambda key: chance(key, seed, "order"))


def most_doubtful(ranks: Mapping[str, Rank]) -> list[str]:
    """The images by expected IoU, lowest first; without a calibration by spread, largest first.

    Images of which a model says neither are left out.
    """
    calibrated = {key: rank.expected_iou for key, rank in ranks.items()}
    known = {key: iou for key, iou in calibrated.items() if iou is not None}
    if not known:
        spreads = {key: rank.spread for key, rank in ranks.items()}
        known = {key: -spread for key, spread in spreads.items() if spread is not None}
    return sorted(known, key=lambda key: (known[key], key))


def most_different(ranks: Mapping[str, Rank]) -> list[str]:
    """The images by novelty, largest first; those of which it is not known are left out."""
    known = {key: rank.novelty for key, rank in ranks.items() if rank.novelty is not None}
    return sorted(known, key=lambda key: (-known[key], key))


def without_copies(
    order: Sequence[str], thumbnails: Float[ndarray, "n pixels"], least_correlation: float
) -> list[str]:
    """The images in the same order, with near copies of earlier ones at the end.

    Args:
        order: Ids.
        thumbnails: Of each image in this order; see `onebox.folds.copies.thumbnail`.
        least_correlation: Of the thumbnails of near copies.
    """
    kept: list[int] = []
    copies: list[int] = []
    for row in range(len(order)):
        alike = thumbnails[kept] @ thumbnails[row]
        is_copy = bool(alike.size) and float(alike.max()) >= least_correlation
        (copies if is_copy else kept).append(row)
    return [order[row] for row in (*kept, *copies)]
