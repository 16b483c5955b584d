"""The settings of the HOG localizer, checked once."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=0)]
Natural = Annotated[int, Field(ge=1)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Weight = Annotated[float, Field(ge=0)]


class HogSettings(BaseModel):
    """How windows are described, sampled, learned from, and combined into one box.

    The defaults of ``cell``, ``block`` and ``orientations`` are Dalal and Triggs'. No trial of the
    other defaults is on record; docs/recipes.md gives the accuracy of all of them together.

    Attributes:
        cell: Edge of a cell, in pixels of a pyramid level.
        block: Edge of a block of cells that are normalized together, in cells.
        orientations: Bins of a cell's histogram of gradient directions.
        contrast: Gradients much weaker than this, in grey levels per pixel, count little.
        window: Edge of a square window, in cells. A class of wide or tall boxes gets a window of
            about this area, with the median aspect ratio of its boxes.
        padding: Cells around the image that windows may reach into.
        scales: Pyramid levels per octave. The sizes of the boxes set the first and last level.
        stride: Cells from one window to the next.
        position_prior: Weight of the features of a window's position and size; 0 turns them off.
        svm_c: ``C`` of the linear SVMs, the penalty for a window on the wrong side. The windows of
            a class weigh as much in total as all other windows.
        positive_iou: Minimum IoU of a positive window with the true box.
        positives: Maximum number of positive windows per image.
        negative_iou: IoU with the true box below which a window is background.
        negatives: Number of background windows per image, drawn at random.
        hard_negatives: Maximum number of background windows per image that the first SVMs took
            for the subject; the second SVMs learn from them too.
        regression_iou: Minimum IoU of a window that the box regression learns from.
        regression_windows: Maximum number of such windows per image, drawn at random.
        regression_penalty: Ridge penalty of the box regression.
        sharpness: How fast a window's vote weight grows with its decision value.
        images: Maximum number of training images, drawn at random; all their windows are in memory.
        seed: Seed of everything random.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    cell: Annotated[int, Field(ge=4, le=32)] = 8
    block: Annotated[int, Field(ge=1, le=4)] = 2
    orientations: Annotated[int, Field(ge=2, le=36)] = 9
    contrast: Positive = 10.0
    window: Annotated[int, Field(ge=4, le=32)] = 7
    padding: Annotated[int, Field(ge=0, le=8)] = 2
    scales: Annotated[int, Field(ge=1, le=16)] = 2
    stride: Natural = 1
    position_prior: Weight = 1.0
    svm_c: Positive = 0.003
    positive_iou: Fraction = 0.55
    positives: Natural = 6
    negative_iou: Fraction = 0.3
    negatives: Natural = 20
    hard_negatives: Count = 10
    regression_iou: Fraction = 0.5
    regression_windows: Natural = 30
    regression_penalty: Positive = 30.0
    sharpness: Positive = 5.0
    images: Natural = 500
    seed: Count = 0

    @property
    def channels(self) -> int:
        """Features per block."""
        return self.block**2 * self.orientations
