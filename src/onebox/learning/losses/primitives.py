"""Losses by name, with one value per row.

Coordinate losses compare four numbers, or the coordinates of keypoints, with the truth in the same
layout. IoU losses compare ``xyxy`` boxes. Head losses compare what only some heads compute: bins,
anchors, votes or scales.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional
from torchvision.ops import (
    box_convert,
    box_iou,
    complete_box_iou_loss,
    distance_box_iou_loss,
    generalized_box_iou_loss,
)

from onebox.learning.networks.anchors import encode
from onebox.learning.networks.head_outputs import AnchorOutput, Bins, BoxOutput, VoteOutput

# Of an anchor with the truth, as in SSD (Liu et al., arXiv:1512.02325, section 2.2).
_POSITIVE_IOU = 0.5
_BETA = 0.1  # where smooth L1 turns linear, in normalized coordinates; not tuned

Boxes = Float[Tensor, "n 4"]
Coordinates = Float[Tensor, "n *shape"]
PerRow = Float[Tensor, " n"]


def mse(found: Coordinates, truth: Coordinates) -> Coordinates:
    """Squared difference."""
    return (found - truth).square()


def l1(found: Coordinates, truth: Coordinates) -> Coordinates:
    """Absolute difference."""
    return (found - truth).abs()


def smooth_l1(found: Coordinates, truth: Coordinates) -> Coordinates:
    """Quadratic up to a difference of 0.1, linear beyond (arXiv:1504.08083, section 2.3)."""
    return functional.smooth_l1_loss(found, truth, beta=_BETA, reduction="none")


def bce(found: Coordinates, truth: Coordinates) -> Coordinates:
    """Binary cross-entropy of coordinates as if they were probabilities, for sigmoid outputs."""
    return functional.binary_cross_entropy(found.clamp(0, 1), truth.clamp(0, 1), reduction="none")


def giou(boxes: Boxes, truth: Boxes) -> PerRow:
    """One minus the generalized IoU (Rezatofighi et al., arXiv:1902.09630)."""
    return generalized_box_iou_loss(boxes, truth)


def diou(boxes: Boxes, truth: Boxes) -> PerRow:
    """One minus the IoU, plus the distance of the centres (Zheng et al., arXiv:1911.08287)."""
    return distance_box_iou_loss(boxes, truth)


def ciou(boxes: Boxes, truth: Boxes) -> PerRow:
    """As `diou`, plus the difference of the aspect ratios (arXiv:1911.08287, section 3.3)."""
    return complete_box_iou_loss(boxes, truth)


COORDINATE_LOSSES: dict[str, Callable[[Coordinates, Coordinates], Coordinates]] = {
    "mse": mse,
    "l1": l1,
    "smooth_l1": smooth_l1,
    "bce": bce,
}
IOU_LOSSES: dict[str, Callable[[Boxes, Boxes], PerRow]] = {"giou": giou, "diou": diou, "ciou": ciou}


def distribution(bins: Bins, truth: Float[Tensor, "n outputs"]) -> Float[Tensor, "n outputs"]:
    """Cross-entropy to the two bins around each truth, weighted by how near they are.

    A truth is a position in the unit of the bins; beyond them it counts as the first or last one.

    References:
        Li et al., arXiv:2006.04388, equation 6 (distribution focal loss).
    """
    centres = bins.centres.values
    step = centres[1] - centres[0]
    position = ((truth - centres[0]) / step).clamp(0, len(centres) - 1)
    lower = position.floor().clamp(max=len(centres) - 2)
    weight = (position - lower)[..., None]
    index = lower.long()[..., None]
    log_probability = bins.logits.log_softmax(dim=2)
    below, above = log_probability.gather(2, index), log_probability.gather(2, index + 1)
    return -(below * (1 - weight) + above * weight)[..., 0]


def anchor_loss(found: AnchorOutput, truth: Boxes) -> PerRow:
    """Cross-entropy of the scores to the positive anchors, and smooth L1 of their offsets.

    The anchor of largest IoU is positive, and so is every anchor whose IoU reaches
    ``_POSITIVE_IOU``. The scores are one distribution over all anchors of an image, since it has
    one subject.

    References:
        Ren et al., arXiv:1506.01497, sections 3.1.1 and 3.1.2 (which anchors are positive).
    """
    anchors = found.anchors.values
    iou = box_iou(truth, box_convert(anchors, "cxcywh", "xyxy"))
    is_positive = (iou >= _POSITIVE_IOU) | (iou >= iou.amax(dim=1, keepdim=True))
    weight = is_positive / is_positive.sum(dim=1, keepdim=True)
    classification = -(weight * found.scores.log_softmax(dim=1)).sum(dim=1)
    every = anchors.expand_as(found.offsets)
    wanted = encode(truth[:, None].expand_as(every), every)
    regression = smooth_l1(found.offsets, wanted).sum(dim=2)
    return classification + (weight * regression).sum(dim=1)


def votes_loss(found: VoteOutput, truth: Boxes) -> PerRow:
    """Mean smooth L1 of the boxes of all cells whose centre lies in the true box.

    Where the true box holds no cell's centre, the cell nearest to its own centre counts.

    References:
        Tian et al., arXiv:1904.01355, section 3.1 (which cells are positive).
    """
    centres = found.centres.values
    low, high = truth[:, None, :2], truth[:, None, 2:]
    is_inside = ((centres >= low) & (centres <= high)).all(dim=2)
    squared = (centres - (low + high) / 2).square().sum(dim=2)
    is_positive = is_inside | (squared <= squared.amin(dim=1, keepdim=True))
    weight = is_positive / is_positive.sum(dim=1, keepdim=True)
    values = smooth_l1(found.boxes, truth[:, :, None].expand_as(found.boxes)).mean(dim=1)
    return (weight * values).sum(dim=1)


def laplace(boxes: Boxes, scales: Boxes, truth: Boxes) -> PerRow:
    """Negative log-likelihood of the true edges under Laplace distributions, averaged over edges.

    ``boxes`` are the medians, and ``scales`` the mean absolute errors expected of the edges, which
    are positive; all are in one unit.

    References:
        Kendall and Gal, arXiv:1703.04977, section 2.2 and equation 5 (a scale that is learned with
        the output), with a Laplace in place of a normal distribution.
    """
    return ((boxes - truth).abs() / scales + (2 * scales).log()).mean(dim=1)


def _bins_loss(box: BoxOutput, truth: Boxes) -> Boxes | None:
    return None if box.bins is None else distribution(box.bins, truth)


def _anchors_loss(box: BoxOutput, truth: Boxes) -> PerRow | None:
    return None if box.anchors is None else anchor_loss(box.anchors, truth)


def _votes_loss(box: BoxOutput, truth: Boxes) -> PerRow | None:
    return None if box.votes is None else votes_loss(box.votes, truth)


def _scales_loss(box: BoxOutput, truth: Boxes) -> PerRow | None:
    return None if box.scales is None else laplace(box.boxes, box.scales, truth)


# None where a head does not compute what the loss compares.
HEAD_LOSSES: dict[str, Callable[[BoxOutput, Boxes], Tensor | None]] = {
    "distribution": _bins_loss,
    "anchors": _anchors_loss,
    "votes": _votes_loss,
    "laplace": _scales_loss,
}


def paired_iou(boxes: Boxes, truth: Boxes) -> PerRow:
    """IoU of row ``i`` with row ``i``, in [0, 1]; 0 where a box is inverted or empty."""
    low, high = torch.maximum(boxes[:, :2], truth[:, :2]), torch.minimum(boxes[:, 2:], truth[:, 2:])
    intersection = (high - low).clamp(min=0).prod(dim=1)
    areas = [(each[:, 2:] - each[:, :2]).clamp(min=0).prod(dim=1) for each in (boxes, truth)]
    union = areas[0] + areas[1] - intersection
    return torch.where(union > 0, intersection / union.clamp(min=1e-12), torch.zeros_like(union))
