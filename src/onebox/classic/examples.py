"""Training images → pyramids with their truth, and the windows that a bank learns from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int
from numpy import ndarray

from onebox import images
from onebox.boxes import paired_iou
from onebox.classic.pyramid import Pyramid, build_pyramid
from onebox.classic.settings import HogSettings
from onebox.classic.windows import Grid, Shape, describe_windows, make_grid
from onebox.errors import DataError, ImageError
from onebox.structures import Sample

NOTHING = -1
"""The number of the class of an image without a subject, and of a window of background."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """A training image.

    Attributes:
        pyramid: What windows see of it.
        label: The number of its class, or `NOTHING`.
        truth: The true box in shares of the pyramid's extent; None where there is none.
    """

    pyramid: Pyramid
    label: int
    truth: Float[ndarray, " 4"] | None


@dataclass(frozen=True, slots=True, eq=False)
class Tried:
    """All windows of one shape over a training image.

    Attributes:
        example: The image.
        grid: The windows.
        overlaps: Of each with the true box; 0 where there is none.
    """

    example: Example
    grid: Grid
    overlaps: Float[ndarray, " n"]

    def describe(
        self, chosen: Int[ndarray, " m"], settings: HogSettings
    ) -> Float32[ndarray, "m features"]:
        """The features of some of the windows."""
        return describe_windows(self.example.pyramid, self.grid, chosen, settings)


@dataclass(frozen=True, slots=True)
class Reading:
    """How images become examples.

    Attributes:
        settings: Of the localizer.
        sides: The longer side of each level, in pixels.
        least_cells: Rows and columns that each level has at least.
        classes: Names, in the order of their numbers.
    """

    settings: HogSettings
    sides: tuple[int, ...]
    least_cells: tuple[int, int]
    classes: tuple[str, ...]

    def example(self, sample: Sample) -> Example:
        """Read one image.

        Raises:
            ImageError: If it cannot be read.
        """
        image = images.load(sample.image, at_least=self.sides[0])
        pyramid = build_pyramid(image, self.sides, self.settings, least_cells=self.least_cells)
        if sample.label is None or sample.box is None:
            return Example(pyramid, NOTHING, None)
        truth = np.array(sample.box, dtype=np.float64) / np.array(pyramid.extent_wh * 2)
        return Example(pyramid, self.classes.index(sample.label), truth)


def read_examples(
    samples: Sequence[Sample], reading: Reading, progress: Progress
) -> tuple[Example, ...]:
    """Read all images, and call ``progress`` after each with those done and all there are.

    Raises:
        DataError: If some cannot be read; the message lists every one of them.
    """
    examples: list[Example] = []
    problems: list[str] = []
    for done, sample in enumerate(samples, start=1):
        try:
            examples.append(reading.example(sample))
        except ImageError as error:
            place = f"{sample.origin}: " if sample.origin else ""
            problems += [f"{place}{problem}" for problem in error.problems]
        progress(done, len(samples))
    if problems:
        raise DataError(*problems)
    return tuple(examples)


def try_windows(example: Example, shape: Shape, settings: HogSettings) -> Tried:
    """Lay windows of one shape over a training image."""
    grid = make_grid(example.pyramid, shape, settings)
    if example.truth is None:
        return Tried(example, grid, np.zeros(len(grid.boxes)))
    # What a window shows beyond the frame is nobody's: its box is what is inside.
    inside = np.clip(grid.boxes, 0, 1)
    return Tried(example, grid, paired_iou(inside, np.broadcast_to(example.truth, inside.shape)))


def positives(tried: Tried, settings: HogSettings) -> Int[ndarray, " m"]:
    """The windows that show the subject: the best few, or the one best where none is good."""
    best = np.argsort(-tried.overlaps, kind="stable")[: settings.positives]
    good = best[tried.overlaps[best] >= settings.positive_overlap]
    fair = best[:1][tried.overlaps[best[:1]] >= settings.negative_overlap]
    return good if len(good) else fair


def negatives(
    tried: Tried, settings: HogSettings, generator: np.random.Generator
) -> Int[ndarray, " m"]:
    """Some windows of background."""
    background = np.flatnonzero(tried.overlaps < settings.negative_overlap)
    return generator.permutation(background)[: settings.negatives]


def hard_negatives(
    tried: Tried, margins: Float[ndarray, " n"], settings: HogSettings
) -> Int[ndarray, " m"]:
    """The windows of background that a machine most takes for the subject, inside its margin."""
    held = np.where(tried.overlaps < settings.negative_overlap, margins, -np.inf)
    hardest = np.argsort(-held, kind="stable")[: settings.hard_negatives]
    return hardest[held[hardest] > -1]


def near_windows(
    tried: Tried, settings: HogSettings, generator: np.random.Generator
) -> Int[ndarray, " m"]:
    """Some windows near the subject, from which the true box is learned."""
    near = np.flatnonzero(tried.overlaps >= settings.refine_overlap)
    return generator.permutation(near)[: settings.refined]
