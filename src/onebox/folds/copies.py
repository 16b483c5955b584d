"""Copies of one image in a data set: equal files, and images that look the same.

A re-encoded or resized copy has other bytes and nearly the same picture. Pictures are compared as
small grey thumbnails, each standardized: their correlation does not change with brightness and
contrast. (A difference hash compares neighbouring pixels, which is noise on plain backgrounds.)
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from onebox.images import Pixels

SIDE = 32
"""Width and height of a thumbnail, in pixels."""

LEAST_CORRELATION = 0.995
"""Of the thumbnails of a copy and its original."""

_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, section 2.5.1
_LEAST_CONTRAST = 1.0  # standard deviation, of 255: all plain images look the same
_CHUNK = 512  # rows of the matrix of correlations at a time: 0.1 GB for 50,000 images


@dataclass(frozen=True, slots=True, order=True)
class Pair:
    """Two images, by their rows, and the correlation of their thumbnails (1 for equal files)."""

    first: int
    second: int
    correlation: float


def thumbnail(square: Pixels) -> Float[ndarray, " pixels"]:
    """A grey thumbnail of a square image, with mean 0 and length 1; zeros for a plain image."""
    grey = square.astype(np.float32) @ np.array(_LUMA, np.float32)
    small = _averaged(_averaged(grey).T).T
    centred = (small - small.mean()).ravel()
    if centred.std() < _LEAST_CONTRAST:
        return np.zeros_like(centred)
    return centred / np.linalg.norm(centred)


def find_copies(
    thumbnails: Float[ndarray, "n pixels"], contents: Sequence[bytes]
) -> tuple[Pair, ...]:
    """Pairs of copies, the first row before the second.

    Args:
        thumbnails: See `thumbnail`.
        contents: A digest of each image file.
    """
    seen: dict[bytes, int] = {}
    equal = [
        Pair(seen[content], row, 1.0)
        for row, content in enumerate(contents)
        if seen.setdefault(content, row) != row
    ]
    known = {(pair.first, pair.second) for pair in equal}
    alike = [
        pair
        for pair in _correlated(thumbnails)
        if (pair.first, pair.second) not in known and contents[pair.first] != contents[pair.second]
    ]
    return tuple(sorted([*equal, *alike]))


def group_copies(pairs: Sequence[Pair], count: int) -> Int[ndarray, " n"]:
    """A number for each of ``count`` images; copies, and copies of copies, have the same one."""
    groups = np.arange(count)
    for pair in pairs:
        first, second = groups[pair.first], groups[pair.second]
        groups[groups == max(first, second)] = min(first, second)
    return groups


def _correlated(thumbnails: Float[ndarray, "n pixels"]) -> Iterator[Pair]:
    for start in range(0, len(thumbnails), _CHUNK):
        part = thumbnails[start : start + _CHUNK]
        correlations = part @ thumbnails[start:].T
        firsts, seconds = np.nonzero(correlations >= LEAST_CORRELATION)
        for first, second in zip(firsts.tolist(), seconds.tolist(), strict=True):
            if first < second:
                yield Pair(start + first, start + second, float(correlations[first, second]))


def _averaged(lines: Float[ndarray, "rows columns"]) -> Float[ndarray, "side columns"]:
    """The mean of each of ``SIDE`` equal runs of rows; a row may belong to two runs in part."""
    ends = np.linspace(0, len(lines), SIDE + 1)
    sums = np.concatenate([np.zeros_like(lines[:1]), lines.cumsum(axis=0)])
    whole = np.minimum(ends.astype(int), len(lines) - 1)
    at_ends = sums[whole] + (ends - whole)[:, None] * lines[whole]
    return np.diff(at_ends, axis=0) / (len(lines) / SIDE)
