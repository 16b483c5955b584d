"""The features inside a predicted box: what novelty compares with those of training images."""

import torch
from jaxtyping import Float
from torch import Tensor

_EVERYWHERE = 1e-4  # weight of the cells outside the box, for a box without a size; not tuned


def sum_in_box(
    cells: Float[Tensor, "n channels side side"], boxes: Float[Tensor, "n 4"]
) -> Float[Tensor, "n channels"]:
    """The sum of a map over the cells in a box, each weighted by the fraction that the box covers.

    Boxes are ``xyxy`` in normalized coordinates, with the lower corner first.
    """
    along_x, along_y = _coverage(boxes, cells.shape[2]).unbind(1)
    weights = along_y[:, :, None] * along_x[:, None]
    # One product of matrices: exported, it takes a tenth of the time of a product of maps.
    return (cells.flatten(2) @ weights.flatten(1)[..., None])[..., 0]


def _coverage(boxes: Float[Tensor, "n 4"], side: int) -> Float[Tensor, "n 2 side"]:
    """Fraction of each cell along x, and along y, that lies between the box's edges."""
    edges = (boxes * side)[..., None]
    low, high = edges[:, :2], edges[:, 2:]
    starts = torch.arange(side).to(low)
    ends = torch.minimum(high, starts + 1)
    return (ends - torch.maximum(low, starts)).clamp(0, 1) + _EVERYWHERE
