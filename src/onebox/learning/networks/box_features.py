"""The features inside a predicted box: what novelty compares with those of training images."""

import torch
from jaxtyping import Float
from torch import Tensor

_EVERYWHERE = 1e-4  # weight of the cells outside the box, for a box without a size; not tuned


def sum_in_box(
    cells: Float[Tensor, "n channels rows columns"], boxes: Float[Tensor, "n 4"]
) -> Float[Tensor, "n channels"]:
    """The sum of a map over the cells in a box, each weighted by the fraction that the box covers.

    Boxes are ``xyxy`` in normalized coordinates, with the lower corner first.
    """
    rows, columns = cells.shape[2:]
    along_x = _coverage(boxes[:, 0], boxes[:, 2], columns)
    along_y = _coverage(boxes[:, 1], boxes[:, 3], rows)
    lines = (cells * along_x[:, None, None]).sum(dim=3)
    return (lines * along_y[:, None]).sum(dim=2)


def _coverage(
    low: Float[Tensor, " n"], high: Float[Tensor, " n"], count: int
) -> Float[Tensor, "n count"]:
    """Fraction of each of so many cells along an axis that lies between two coordinates."""
    starts = torch.arange(count).to(low)
    ends = torch.minimum(high[:, None] * count, starts + 1)
    return (ends - torch.maximum(low[:, None] * count, starts)).clamp(0, 1) + _EVERYWHERE
