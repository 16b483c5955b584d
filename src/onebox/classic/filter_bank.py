"""Machines over a pyramid → candidate boxes → one box.

A `Bank` holds the linear machines of all classes whose windows have one shape, and the step from a
window to the box that it means. The candidates of all banks vote for one box.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int
from numpy import ndarray

from onebox.boxes import paired_iou
from onebox.classic.pyramid import Pyramid
from onebox.classic.settings import HogSettings
from onebox.classic.windows import (
    Grid,
    Shape,
    describe_windows,
    feature_count,
    make_grid,
    score_windows,
)

_CANDIDATES = 100  # of each bank
_LONGEST_STEP = 0.4  # of a window's side: its edges cannot pass each other
_AGREEING = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Bank:
    """What was learned for windows of one shape.

    Attributes:
        shape: Of the windows, in cells.
        members: The classes, by their number; one machine each.
        weights: Of each machine.
        bias: Of each machine.
        refine: Features → what to add to the window's edges, as shares of its sides.
        refine_bias: The same for no features.
    """

    shape: Shape
    members: tuple[int, ...]
    weights: Float32[ndarray, "features machines"]
    bias: Float32[ndarray, " machines"]
    refine: Float32[ndarray, "features 4"]
    refine_bias: Float32[ndarray, " 4"]

    def check(self, settings: HogSettings) -> None:
        """See that the arrays fit the shape and each other.

        Raises:
            ValueError: If they do not, or hold what is no finite number.
        """
        features, machines = feature_count(self.shape, settings), len(self.members)
        shapes = [array.shape for array in self.arrays().values()]
        if shapes != [(features, machines), (machines,), (features, 4), (4,)]:
            raise ValueError(f"it holds machines of the wrong shapes {shapes}")
        if not all(np.isfinite(array).all() for array in self.arrays().values()):
            raise ValueError("it holds weights that are no finite numbers")

    def arrays(self) -> dict[str, ndarray]:
        """The learned numbers, by name."""
        names = ("weights", "bias", "refine", "refine_bias")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """The best windows of an image.

    Attributes:
        margins: The largest margin of any machine, for each window.
        boxes: Refined ``xyxy`` boxes in shares of the image's sides, inside the frame.
        best: The largest margin of any window, for each machine.
    """

    margins: Float[ndarray, " n"]
    boxes: Float[ndarray, "n 4"]
    best: Float[ndarray, " machines"]


@dataclass(frozen=True, slots=True, eq=False)
class Vote:
    """What candidates agree on.

    Attributes:
        box: ``xyxy`` in shares of the image's sides.
        agreement: Mean overlap of the candidates with it, each by its say.
    """

    box: Float[ndarray, " 4"]
    agreement: float


def find_candidates(pyramid: Pyramid, bank: Bank, settings: HogSettings) -> Candidates:
    """Score every window of a bank's shape, and refine the best of them."""
    grid = make_grid(pyramid, bank.shape, settings)
    scores = score_windows(pyramid, grid, bank.weights, settings) + bank.bias
    margins = scores.max(axis=1)
    chosen = np.argsort(-margins, kind="stable")[:_CANDIDATES]
    boxes = _refined(pyramid, grid, chosen, bank, settings)
    return Candidates(margins[chosen], boxes, scores.max(axis=0))


def vote(margins: Float[ndarray, " n"], boxes: Float[ndarray, "n 4"], sharpness: float) -> Vote:
    """The box that candidates agree on.

    Each candidate has a say in proportion to ``exp(sharpness * margin)``. The one that overlaps all
    others most, weighted so, is the centre: were the says probabilities, none would have a larger
    expected overlap. The answer is the weighted mean of those that overlap the centre by at least
    half.

    References:
        Gidaris and Komodakis, arXiv:1505.01749, section 5 (box voting).
    """
    say = np.exp(sharpness * (margins - margins.max()))
    say /= say.sum()
    overlaps = np.stack([_overlaps(box, boxes) for box in boxes])
    near = overlaps[(overlaps @ say).argmax()] >= _AGREEING
    box = say[near] @ boxes[near] / say[near].sum()
    return Vote(box, float(say @ _overlaps(box, boxes)))


def steps_to(truth: Float[ndarray, " 4"], windows: Float[ndarray, "n 4"]) -> Float[ndarray, "n 4"]:
    """What to add to each window's edges to reach a box, as shares of the window's sides."""
    return (truth - windows) / _sides(windows)


def _refined(
    pyramid: Pyramid, grid: Grid, chosen: Int[ndarray, " m"], bank: Bank, settings: HogSettings
) -> Float[ndarray, "m 4"]:
    features = describe_windows(pyramid, grid, chosen, settings)
    steps = np.clip(features @ bank.refine + bank.refine_bias, -_LONGEST_STEP, _LONGEST_STEP)
    windows = grid.boxes[chosen]
    return np.clip(windows + steps * _sides(windows), 0, 1)


def _sides(boxes: Float[ndarray, "n 4"]) -> Float[ndarray, "n 4"]:
    return np.tile(boxes[:, 2:] - boxes[:, :2], 2)


def _overlaps(box: Float[ndarray, " 4"], boxes: Float[ndarray, "n 4"]) -> Float[ndarray, " n"]:
    return paired_iou(boxes, np.broadcast_to(box, boxes.shape))
