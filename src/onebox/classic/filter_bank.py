"""Linear SVMs over a pyramid → candidate boxes → one box.

A `FilterBank` holds the linear SVMs of all classes whose windows have one shape, and their box
regression. The candidates of all filter banks vote for one box.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32
from numpy import ndarray

from onebox.boxes import box_sizes, paired_iou
from onebox.classic.pyramid import Pyramid
from onebox.classic.settings import HogSettings
from onebox.classic.windows import (
    WindowShape,
    describe_windows,
    feature_count,
    make_grid,
    score_windows,
)

_CANDIDATES = 100  # of each filter bank; bounds the time per image, not tuned
_MAX_OFFSET = 0.4  # of a window's width or height: two edges that move so far cannot cross
_AGREEING_IOU = 0.5  # the usual threshold for "the same object"; not tuned

ARRAYS = ("weights", "bias", "regression_weights", "regression_bias")
"""The learned arrays of a `FilterBank`."""


@dataclass(frozen=True, slots=True, eq=False)
class FilterBank:
    """Linear SVMs and box regression for windows of one shape.

    Attributes:
        shape: Shape of the windows, in cells.
        class_indices: Classes that have windows of this shape, one SVM each.
        weights: Weights of each SVM.
        bias: Bias of each SVM.
        regression_weights: Features → offsets of a window's edges, as fractions of its width and
            height.
        regression_bias: Bias of each offset.
    """

    shape: WindowShape
    class_indices: tuple[int, ...]
    weights: Float32[ndarray, "features svms"]
    bias: Float32[ndarray, " svms"]
    regression_weights: Float32[ndarray, "features 4"]
    regression_bias: Float32[ndarray, " 4"]

    def check(self, settings: HogSettings) -> None:
        """Check that the arrays fit the shape and each other.

        Raises:
            ValueError: If an array has the wrong shape, or a number is not finite.
        """
        features, svms = feature_count(self.shape, settings), len(self.class_indices)
        shapes = [array.shape for array in self.arrays().values()]
        if shapes != [(features, svms), (svms,), (features, 4), (4,)]:
            raise ValueError(f"its SVMs have the wrong shapes {shapes}")
        if not all(np.isfinite(array).all() for array in self.arrays().values()):
            raise ValueError("it holds weights that are not finite")

    def arrays(self) -> dict[str, ndarray]:
        """The learned arrays, by name."""
        return {name: getattr(self, name) for name in ARRAYS}


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """The best windows of an image.

    Attributes:
        decision_values: Largest decision value of any SVM, for each window.
        boxes: Regressed ``xyxy`` boxes as fractions of image width and height, inside the frame.
        svm_maxima: Largest decision value of any window, for each SVM.
    """

    decision_values: Float[ndarray, " n"]
    boxes: Float[ndarray, "n 4"]
    svm_maxima: Float[ndarray, " svms"]


@dataclass(frozen=True, slots=True, eq=False)
class Vote:
    """The box that candidates agree on.

    Attributes:
        box: ``xyxy`` as fractions of image width and height.
        agreement: Mean IoU of the candidates with the box, by their vote weights.
    """

    box: Float[ndarray, " 4"]
    agreement: float


def find_candidates(pyramid: Pyramid, bank: FilterBank, settings: HogSettings) -> Candidates:
    """Score every window of a filter bank, and regress a box from each of the best."""
    grid = make_grid(pyramid, bank.shape, settings)
    by_svm = score_windows(pyramid, grid, bank.weights, settings) + bank.bias
    decision_values = by_svm.max(axis=1)
    chosen = np.argsort(-decision_values, kind="stable")[:_CANDIDATES]
    features = describe_windows(pyramid, grid, chosen, settings)
    offsets = features @ bank.regression_weights + bank.regression_bias
    windows = grid.boxes[chosen]
    boxes = windows + np.clip(offsets, -_MAX_OFFSET, _MAX_OFFSET) * _edge_units(windows)
    return Candidates(decision_values[chosen], np.clip(boxes, 0, 1), by_svm.max(axis=0))


def vote(
    decision_values: Float[ndarray, " n"], boxes: Float[ndarray, "n 4"], sharpness: float
) -> Vote:
    """The box that candidates agree on.

    A candidate's vote weight is proportional to ``exp(sharpness * decision_value)``. The candidate
    with the largest weighted mean IoU with all others is the centre: if the weights were
    probabilities, no other candidate would have a larger expected IoU. The result is the weighted
    mean of the candidates whose IoU with the centre is at least a half.

    References:
        Gidaris and Komodakis, arXiv:1505.01749, section 5 (box voting).
    """
    weights = np.exp(sharpness * (decision_values - decision_values.max()))
    weights /= weights.sum()
    ious = np.stack([_ious(box, boxes) for box in boxes])
    near = ious[(ious @ weights).argmax()] >= _AGREEING_IOU
    box = weights[near] @ boxes[near] / weights[near].sum()
    return Vote(box, float(weights @ _ious(box, boxes)))


def regression_targets(
    truth: Float[ndarray, " 4"], windows: Float[ndarray, "n 4"]
) -> Float[ndarray, "n 4"]:
    """Offsets from each window's edges to a box, as fractions of the window's width and height."""
    return (truth - windows) / _edge_units(windows)


def _edge_units(boxes: Float[ndarray, "n 4"]) -> Float[ndarray, "n 4"]:
    """The unit of each edge's offset: width, height, width, height."""
    return np.tile(box_sizes(boxes), 2)


def _ious(box: Float[ndarray, " 4"], boxes: Float[ndarray, "n 4"]) -> Float[ndarray, " n"]:
    return paired_iou(boxes, np.broadcast_to(box, boxes.shape))
