"""Training images → pyramids with their true boxes, and the windows that SVMs learn from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int
from numpy import ndarray

from onebox import images
from onebox.boxes import paired_iou
from onebox.classic.pyramid import Pyramid, build_pyramid
from onebox.classic.settings import HogSettings
from onebox.classic.windows import Grid, WindowShape, describe_windows, make_grid
from onebox.errors import DataError, ImageError
from onebox.structures import Sample

BACKGROUND = -1
"""The class index of a background window, and of an image without a subject."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """A training image.

    Attributes:
        pyramid: The described image.
        class_index: Index of its class, or `BACKGROUND`.
        truth: The true box as fractions of the pyramid's extent; None without a subject.
    """

    pyramid: Pyramid
    class_index: int
    truth: Float[ndarray, " 4"] | None


@dataclass(frozen=True, slots=True, eq=False)
class TrainingWindows:
    """All windows of one shape over a training image, with their IoU; 0 without a true box."""

    example: Example
    grid: Grid
    ious: Float[ndarray, " n"]

    def describe(
        self, chosen: Int[ndarray, " m"], settings: HogSettings
    ) -> Float32[ndarray, "m features"]:
        """The features of some of the windows."""
        return describe_windows(self.example.pyramid, self.grid, chosen, settings)


@dataclass(frozen=True, slots=True)
class ExampleReader:
    """Reads images as examples.

    Attributes:
        settings: Settings of the localizer.
        level_lengths: Width or height of each level, whichever is longer, in pixels.
        min_cells: Minimum rows and columns of each level.
        classes: Class names, in the order of their indices.
    """

    settings: HogSettings
    level_lengths: tuple[int, ...]
    min_cells: tuple[int, int]
    classes: tuple[str, ...]

    def read(self, sample: Sample) -> Example:
        """Read one image.

        Raises:
            ImageError: If the image cannot be read.
        """
        image = images.load(sample.image, at_least=self.level_lengths[0])
        pyramid = build_pyramid(image, self.level_lengths, self.settings, min_cells=self.min_cells)
        if sample.label is None or sample.box is None:
            return Example(pyramid, BACKGROUND, None)
        truth = np.array(sample.box, dtype=np.float64) / np.array(pyramid.extent_wh * 2)
        return Example(pyramid, self.classes.index(sample.label), truth)


def read_examples(
    samples: Sequence[Sample], reader: ExampleReader, progress: Progress | None
) -> tuple[Example, ...]:
    """Read all images; after each, call ``progress`` with the number done and the total.

    Raises:
        DataError: If some images cannot be read; the message lists all of them.
    """
    examples: list[Example] = []
    problems: list[str] = []
    for done, sample in enumerate(samples, start=1):
        try:
            examples.append(reader.read(sample))
        except ImageError as error:
            origin = f"{sample.origin}: " if sample.origin else ""
            problems += [f"{origin}{problem}" for problem in error.problems]
        if progress is not None:
            progress(done, len(samples))
    if problems:
        raise DataError(*problems)
    return tuple(examples)


def lay_windows(example: Example, shape: WindowShape, settings: HogSettings) -> TrainingWindows:
    """Lay windows of one shape over a training image."""
    grid = make_grid(example.pyramid, shape, settings)
    if example.truth is None:
        return TrainingWindows(example, grid, np.zeros(len(grid.boxes)))
    # No true box reaches beyond the frame, so only the part of a window inside it is compared.
    inside = np.clip(grid.boxes, 0, 1)
    ious = paired_iou(inside, np.broadcast_to(example.truth, inside.shape))
    return TrainingWindows(example, grid, ious)


def positives(windows: TrainingWindows, settings: HogSettings) -> Int[ndarray, " m"]:
    """The windows that show the subject: the best few, or the best one if none is good."""
    best = np.argsort(-windows.ious, kind="stable")[: settings.positives]
    good = best[windows.ious[best] >= settings.positive_iou]
    fair = best[:1][windows.ious[best[:1]] >= settings.negative_iou]
    return good if len(good) else fair


def negatives(
    windows: TrainingWindows, settings: HogSettings, generator: np.random.Generator
) -> Int[ndarray, " m"]:
    """Random background windows."""
    background = np.flatnonzero(windows.ious < settings.negative_iou)
    return generator.permutation(background)[: settings.negatives]


def hard_negatives(
    windows: TrainingWindows, decision_values: Float[ndarray, " n"], settings: HogSettings
) -> Int[ndarray, " m"]:
    """The background windows with the largest decision values above -1, the SVM's margin."""
    is_background = windows.ious < settings.negative_iou
    hardness = np.where(is_background, decision_values, -np.inf)
    hardest = np.argsort(-hardness, kind="stable")[: settings.hard_negatives]
    return hardest[hardness[hardest] > -1]


def regression_windows(
    windows: TrainingWindows, settings: HogSettings, generator: np.random.Generator
) -> Int[ndarray, " m"]:
    """Random windows near the subject, for the box regression."""
    near = np.flatnonzero(windows.ious >= settings.regression_iou)
    return generator.permutation(near)[: settings.regression_windows]
