"""Where the random numbers of generated pictures come from."""

from dataclasses import dataclass

import numpy as np

from onebox.errors import SettingError
from onebox.structures import SPLITS, Split

SMALLEST = 16
"""Below this side, in pixels, the smallest subjects would fall between the pixels."""


@dataclass(frozen=True, slots=True)
class Stream:
    """An endless row of square pictures of one kind, each with random numbers of its own.

    Attributes:
        kind: What is drawn, for the pictures' names.
        size: Pixels of each side.
        seed: Another seed gives other pictures.
        split: The splits of one seed share no picture, however many are drawn of each.
    """

    kind: str
    size: int
    seed: int
    split: Split

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn.

        Raises:
            SettingError: If the pictures are too small or the seed is negative.
        """
        if self.size < SMALLEST:
            raise SettingError(f"size must be at least {SMALLEST} pixels, got {self.size}.")
        if self.seed < 0:
            raise SettingError(f"seed must be 0 or more, got {self.seed}.")

    def generator(self, index: int) -> np.random.Generator:
        """The random numbers of one picture: the same ones each time."""
        return np.random.default_rng([self.seed, SPLITS.index(self.split), index])

    def name(self, index: int) -> str:
        """What messages and reports call one picture."""
        return f"synth:{self.kind}/{self.seed}/{self.split}#{index}"
