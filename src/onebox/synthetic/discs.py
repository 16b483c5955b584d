"""White discs on black, or nothing on black.

The edge is hard: a pixel is white where its centre lies in the disc, else black. So the box is
the extent of the white pixels, and no threshold has a say in it.
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
"""Smallest and largest diameter, as shares of the image's side."""


@dataclass(frozen=True, slots=True)
class Disc:
    """An image of a disc, or of its empty ground, drawn when it is asked for."""

    stream: Stream
    index: int

    def __str__(self) -> str:
        """Its name, as ``synth:blobs/7/train#123``."""
        return self.stream.name(self.index)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> ndarray:  # noqa: ANN401, FBT001
        """Draw it: uint8 of shape (size, size, 3), of 0 and 255 only."""
        (across, down), limit = self._squares()
        pixels = np.zeros((self.stream.size, self.stream.size, 3), dtype=np.uint8)
        if self.stream.has_subject(self.index):
            pixels[down[:, None] + across <= limit] = 255
        return np.array(pixels, dtype=dtype, copy=copy)

    def box(self) -> Box:
        """The ``xyxy`` extent of the disc's pixels, found without drawing them."""
        (across, down), limit = self._squares()
        columns = np.flatnonzero(across + down.min() <= limit)
        rows = np.flatnonzero(down + across.min() <= limit)
        return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)

    def _squares(self) -> tuple[Float[ndarray, "2 size"], float]:
        """Squared distances of pixel centres from the disc's, along x and along y, and radius²."""
        random, size = self.stream.generator(self.index), self.stream.size
        radius = size * random.uniform(*DIAMETERS) / 2
        centre_xy = random.uniform(radius, size - radius, size=(2, 1))
        return (np.arange(size) + 0.5 - centre_xy) ** 2, radius**2


def blobs(
    *, size: int = 224, seed: int = 0, split: Split = "train", absent: float = 0.0
) -> Iterator[Sample]:
    """Draw white discs of random size and place on black, without end.

    Args:
        size: Pixels of each side of the images.
        seed: Another seed gives other discs.
        split: What the samples are for; each split has discs of its own.
        absent: Share of the images without a disc; the others are the same for each share.

    Returns:
        Samples labelled ``disc``, whose boxes are the extent of the white pixels; without a disc
        they have neither.

    Raises:
        SettingError: If the size is too small, the seed negative, or the share none.
    """
    stream = Stream("blobs", size, seed, split, absent)
    return (_sample(Disc(stream, index)) for index in itertools.count())


def _sample(disc: Disc) -> Sample:
    split, size_wh = disc.stream.split, (disc.stream.size, disc.stream.size)
    if not disc.stream.has_subject(disc.index):
        return Sample(disc, split=split, size_wh=size_wh)
    return Sample(disc, "disc", disc.box(), split, size_wh=size_wh)
