"""Where the random numbers of generated images come from."""

from dataclasses import dataclass

import numpy as np

from onebox.errors import SettingError
from onebox.structures import SPLITS, Split

SMALLEST = 16
"""Below this side, in pixels, the smallest subjects would fall between the pixels."""


_PRESENCE = 1


@dataclass(frozen=True, slots=True)
class Stream:
    """An endless row of square images of one kind, each with random numbers of its own.

    Attributes:
        kind: What is drawn, for the images' names.
        size: Pixels of each side.
        seed: Another seed gives other images.
        split: The splits of one seed share no image, however many are drawn of each.
        absent: Share of the images in which the subject is left out.
    """

    kind: str
    size: int
    seed: int
    split: Split
    absent: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn.

        Raises:
            SettingError: If the images are too small, the seed is negative, or the share is
                none.
        """
        if self.size < SMALLEST:
            raise SettingError(f"size must be at least {SMALLEST} pixels, got {self.size}.")
        if self.seed < 0:
            raise SettingError(f"seed must be 0 or more, got {self.seed}.")
        if not 0 <= self.absent <= 1:
            raise SettingError(f"absent must be a share from 0 to 1, got {self.absent:g}.")

    def generator(self, index: int) -> np.random.Generator:
        """The random numbers of one image: the same ones each time."""
        return np.random.default_rng([self.seed, SPLITS.index(self.split), index])

    def has_subject(self, index: int) -> bool:
        """Whether one image shows the subject.

        This has random numbers of its own: the share changes no image that shows it, and a
        larger one leaves out those that a smaller one does, and more.
        """
        seeds = [self.seed, SPLITS.index(self.split), index, _PRESENCE]
        return bool(np.random.default_rng(seeds).random() >= self.absent)

    def name(self, index: int) -> str:
        """What messages and reports call one image."""
        return f"synth:{self.kind}/{self.seed}/{self.split}#{index}"
