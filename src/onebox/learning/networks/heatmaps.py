"""Heat maps of keypoints: where their peaks lie, and the target that they learn.

A heat map is one probability distribution over the cells of a map, as logits: the probability that
the keypoint lies in the cell.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from onebox.learning.networks.head_outputs import cell_centres

_REACH = 2  # cells around a peak that belong to it; not tuned
_SPREAD = 1.0  # standard deviation of the target, in cells; not tuned
_LEAST = 1e-4  # probability of a peak, and of what is left: keeps the logarithms finite

Heat = Float[Tensor, "n keypoints rows columns"]
Points = Float[Tensor, "n keypoints 2"]


def find_peaks(heat: Heat) -> tuple[Points, Float[Tensor, "n keypoints"]]:
    """The position of each heat map's peak, and the logarithm of the odds that it is there.

    The peak is where the probability of 3 x 3 cells is largest. The position is the mean over the
    5 x 5 cells around it, so a second peak elsewhere, as for the other wrist, does not move it.

    Returns:
        ``(x, y)`` in normalized coordinates, and the log-odds of the probability of those cells.

    References:
        Sun et al., arXiv:1711.08229, section 2 (a keypoint as a mean position), here of one peak.
    """
    rows, columns = heat.shape[2:]
    probability = heat.flatten(2).softmax(dim=2).reshape_as(heat)
    smooth = functional.avg_pool2d(probability, 3, stride=1, padding=1)
    best = smooth.flatten(2).argmax(dim=2)
    row, column = best // columns, best % columns
    inside = probability * _near(row, rows)[..., None] * _near(column, columns)[..., None, :]
    mass = inside.sum(dim=(2, 3))
    x = (inside.sum(dim=2) * cell_centres(columns).to(heat)).sum(dim=2) / mass
    y = (inside.sum(dim=3) * cell_centres(rows).to(heat)).sum(dim=2) / mass
    return torch.stack([x, y], dim=2), mass.clamp(_LEAST, 1 - _LEAST).logit()


def _near(peak: Tensor, cells: int) -> Float[Tensor, "n keypoints cells"]:
    """1 for the cells along an axis that belong to a peak, 0 for the others."""
    distance = torch.arange(cells, device=peak.device) - peak[..., None]
    return (distance.abs() <= _REACH).float()


def cross_entropy(heat: Heat, points: Points) -> Float[Tensor, "n keypoints"]:
    """Cross-entropy of heat maps to a normal distribution around each true position.

    Its standard deviation is one cell.
    """
    rows, columns = heat.shape[2:]
    along_x = _normal(points[..., 0], columns)
    along_y = _normal(points[..., 1], rows)
    log_probability = heat.flatten(2).log_softmax(dim=2).reshape_as(heat)
    target = along_y[..., None] * along_x[..., None, :]
    return -(target * log_probability).sum(dim=(2, 3))


def _normal(positions: Float[Tensor, "n keypoints"], cells: int) -> Tensor:
    """Probabilities of the cells along an axis, by a normal distribution around a position."""
    distance = (cell_centres(cells).to(positions) - positions[..., None]) * cells / _SPREAD
    return (-distance.square() / 2).softmax(dim=2)
