"""Losses with one value a row, by name.

The losses of a box compare ``xyxy`` boxes in shares of the picture's sides; the distribution loss
compares the bins that a box was read from.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional
from torchvision.ops import complete_box_iou_loss, distance_box_iou_loss, generalized_box_iou_loss

Rows = Float[Tensor, "n 4"]
PerRow = Float[Tensor, " n"]


def mse(boxes: Rows, truth: Rows) -> PerRow:
    """Mean squared difference of the four edges."""
    return (boxes - truth).square().mean(dim=1)


def l1(boxes: Rows, truth: Rows) -> PerRow:
    """Mean absolute difference of the four edges."""
    return (boxes - truth).abs().mean(dim=1)


def smooth_l1(boxes: Rows, truth: Rows) -> PerRow:
    """Quadratic within 0.1 of a side, linear beyond (Girshick, arXiv:1504.08083, section 2.3)."""
    return functional.smooth_l1_loss(boxes, truth, beta=0.1, reduction="none").mean(dim=1)


def bce(boxes: Rows, truth: Rows) -> PerRow:
    """Cross-entropy of each edge taken as a probability; for heads that end in sigmoids."""
    return functional.binary_cross_entropy(
        boxes.clamp(0, 1), truth.clamp(0, 1), reduction="none"
    ).mean(dim=1)


def giou(boxes: Rows, truth: Rows) -> PerRow:
    """One minus the generalised overlap (Rezatofighi et al., arXiv:1902.09630)."""
    return generalized_box_iou_loss(boxes, truth)


def diou(boxes: Rows, truth: Rows) -> PerRow:
    """One minus the overlap, plus the distance of the centres (Zheng et al., arXiv:1911.08287)."""
    return distance_box_iou_loss(boxes, truth)


def ciou(boxes: Rows, truth: Rows) -> PerRow:
    """As `diou`, plus the difference of the aspect ratios (arXiv:1911.08287, section 3.3)."""
    return complete_box_iou_loss(boxes, truth)


BOX_LOSSES: dict[str, Callable[[Rows, Rows], PerRow]] = {
    "mse": mse,
    "l1": l1,
    "smooth_l1": smooth_l1,
    "bce": bce,
    "giou": giou,
    "diou": diou,
    "ciou": ciou,
}


def distribution(
    bins: Float[Tensor, "n 4 bins"], places: Float[Tensor, " bins"], truth: Rows
) -> PerRow:
    """Cross-entropy to the two bins around each edge, shared out by their nearness.

    Args:
        bins: Logits.
        places: Middles of the bins, evenly spaced, rising.
        truth: The edges, in the unit of ``places``.

    References:
        Li et al., arXiv:2006.04388, equation 6 (distribution focal loss).
    """
    step = places[1] - places[0]
    position = ((truth - places[0]) / step).clamp(0, len(places) - 1)
    lower = position.floor().clamp(max=len(places) - 2)
    share = (position - lower)[..., None]
    index = lower.long()[..., None]
    log_share = bins.log_softmax(dim=2)
    near = log_share.gather(2, index) * (1 - share) + log_share.gather(2, index + 1) * share
    return -near[..., 0].mean(dim=1)


def paired_iou(boxes: Rows, truth: Rows) -> PerRow:
    """Overlap of row ``i`` with row ``i``, in [0, 1]; 0 where a box is inverted or empty."""
    low, high = torch.maximum(boxes[:, :2], truth[:, :2]), torch.minimum(boxes[:, 2:], truth[:, 2:])
    intersection = (high - low).clamp(min=0).prod(dim=1)
    areas = [(each[:, 2:] - each[:, :2]).clamp(min=0).prod(dim=1) for each in (boxes, truth)]
    union = areas[0] + areas[1] - intersection
    return torch.where(union > 0, intersection / union.clamp(min=1e-12), torch.zeros_like(union))
