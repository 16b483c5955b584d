"""The random numbers of generated images."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from onebox.errors import SettingError
from onebox.structures import Split

MIN_SIZE = 16
"""Smallest width and height of an image, in pixels. The smallest disc is then 1.6 pixels wide: any
narrower than 1.42 could miss every pixel centre."""

# Seeds of the splits: another number gives a split other images.
_SEEDS: Mapping[Split, int] = MappingProxyType({"train": 0, "val": 1, "test": 2, "cal": 3})

_PRESENCE = 1  # tells the random number that decides on the subject from those that draw it


@dataclass(frozen=True, slots=True)
class Stream:
    """An endless sequence of square images of one kind, each with its own random numbers.

    Splits of one seed have no image in common.
    """

    kind: str  # for the images' names
    size: int  # width and height in pixels
    seed: int
    split: Split
    absent: float = 0.0  # fraction of the images without the subject

    def __post_init__(self) -> None:
        if self.size < MIN_SIZE:
            raise SettingError(f"size must be at least {MIN_SIZE} pixels, got {self.size}.")
        if self.seed < 0:
            raise SettingError(f"seed must be 0 or more, got {self.seed}.")
        if not 0 <= self.absent <= 1:
            raise SettingError(f"absent must be a fraction from 0 to 1, got {self.absent:g}.")

    def generator(self, index: int) -> np.random.Generator:
        """The random numbers of one image, the same on each call."""
        return np.random.default_rng([self.seed, _SEEDS[self.split], index])

    def has_subject(self, index: int) -> bool:
        """Whether one image shows the subject.

        The decision has its own random number. So ``absent`` changes no image that shows the
        subject, and a larger fraction removes it from more images, not from others.
        """
        seeds = [self.seed, _SEEDS[self.split], index, _PRESENCE]
        return bool(np.random.default_rng(seeds).random() >= self.absent)

    def name(self, index: int) -> str:
        """The name of one image in messages and reports, as ``synth:blobs/7/train#123``."""
        return f"synth:{self.kind}/{self.seed}/{self.split}#{index}"
