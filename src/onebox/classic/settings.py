"""The settings of the HOG localizer, checked once."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=0)]
Natural = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Weight = Annotated[float, Field(ge=0)]


class HogSettings(BaseModel):
    """How windows are described, tried, learned and brought to one box.

    Attributes:
        cell: Side of a cell, in pixels of a level of the pyramid.
        block: Side of a block of cells that are normalised together, in cells.
        orientations: Bins of the gradient's direction in a cell.
        contrast: Gradients much weaker than this, in grey levels a pixel, count little.
        window: Side of a square window, in cells. A class whose boxes are wide or tall has a
            window of about this area with the median aspect of its boxes.
        margin: Cells around the image into which a window may reach.
        scales: Levels of the pyramid an octave. Its ends follow from the sizes of the boxes.
        stride: Cells from a window to the next.
        place: Weight of the window's place in the image among its features; 0 for none.
        svm_c: The support vector machines' ``C``: the price of a window on the wrong side. The
            windows of a class and all others weigh the same together.
        positive_overlap: Least overlap with the true box of a window that is learned as one.
        positives: Such windows an image, at most.
        negative_overlap: Overlap from which on a window is no background.
        negatives: Windows of background an image, drawn at random.
        hard_negatives: Windows of background an image that a first machine took for the subject,
            at most; the second learns from them too.
        refine_overlap: Least overlap of a window from which the true box is learned.
        refined: Such windows an image, at most, drawn at random.
        refine_penalty: Ridge penalty of the step from a window to the true box.
        sharpness: How fast a window's say in the answer falls with its margin.
        images: Training images that are used, at most, drawn at random: their windows are all
            in memory.
        seed: Everything random follows from it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    cell: Annotated[int, Field(ge=4, le=32)] = 8
    block: Annotated[int, Field(ge=1, le=4)] = 2
    orientations: Annotated[int, Field(ge=2, le=36)] = 9
    contrast: Positive = 10.0
    window: Annotated[int, Field(ge=4, le=32)] = 7
    margin: Annotated[int, Field(ge=0, le=8)] = 2
    scales: Annotated[int, Field(ge=1, le=16)] = 2
    stride: Natural = 1
    place: Weight = 1.0
    svm_c: Positive = 0.003
    positive_overlap: Share = 0.55
    positives: Natural = 6
    negative_overlap: Share = 0.3
    negatives: Natural = 20
    hard_negatives: Count = 10
    refine_overlap: Share = 0.5
    refined: Natural = 30
    refine_penalty: Positive = 30.0
    sharpness: Positive = 5.0
    images: Natural = 500
    seed: Count = 0

    @property
    def channels(self) -> int:
        """Numbers that describe a block."""
        return self.block**2 * self.orientations
