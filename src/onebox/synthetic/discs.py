"""White discs on black, or black alone.

The edge is hard: a pixel is white if its centre lies in the disc, otherwise black. So the box is
the extent of the white pixels, without a threshold.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from onebox.structures import Box, Sample, Split
from onebox.synthetic.streams import Stream

DIAMETERS = (0.1, 0.7)
"""Smallest and largest diameter, as fractions of the image width. Not tuned."""


@dataclass(frozen=True, slots=True)
class Disc:
    """An image of a disc, or of black alone, drawn on request."""

    stream: Stream
    index: int

    def __str__(self) -> str:
        return self.stream.name(self.index)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> ndarray:  # noqa: ANN401, FBT001
        """Draw the image: uint8 of shape (size, size, 3), with values 0 and 255."""
        (x, y), limit = self._squared_distances()
        pixels = np.zeros((self.stream.size, self.stream.size, 3), dtype=np.uint8)
        if self.stream.has_subject(self.index):
            pixels[y[:, None] + x <= limit] = 255
        return np.array(pixels, dtype=dtype, copy=copy)

    def box(self) -> Box:
        """The ``xyxy`` extent of the disc's pixels, computed without drawing them."""
        (x, y), limit = self._squared_distances()
        columns = np.flatnonzero(x + y.min() <= limit)
        rows = np.flatnonzero(y + x.min() <= limit)
        return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)

    def _squared_distances(self) -> tuple[Float[ndarray, "2 size"], float]:
        """Squared distances of pixel centres from the disc's centre in x and y, and radius²."""
        random, size = self.stream.generator(self.index), self.stream.size
        radius = size * random.uniform(*DIAMETERS) / 2
        centre_xy = random.uniform(radius, size - radius, size=(2, 1))
        return (np.arange(size) + 0.5 - centre_xy) ** 2, radius**2


def blobs(
    *, size: int = 224, seed: int = 0, split: Split = "train", absent: float = 0.0
) -> Iterator[Sample]:
    """Draw white discs of random size and position on black, without end.

    Args:
        size: Width and height of the images, in pixels.
        seed: Another seed gives other discs.
        split: Split of the samples; each split has its own discs.
        absent: Fraction of the images without a disc; it does not change the other images.

    Returns:
        Samples labelled ``disc``, with its box; those without a disc have neither.

    Raises:
        SettingError: If a number is out of range.
    """
    stream = Stream("blobs", size, seed, split, absent)
    return (_sample(Disc(stream, index)) for index in itertools.count())


def _sample(disc: Disc) -> Sample:
    split, size_wh = disc.stream.split, (disc.stream.size, disc.stream.size)
    if not disc.stream.has_subject(disc.index):
        return Sample(disc, split=split, size_wh=size_wh)
    return Sample(disc, "disc", disc.box(), split, size_wh=size_wh)
