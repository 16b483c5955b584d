"""Losses with one value a row, by name.

Losses of numbers compare a head's numbers with the truth in the same layout; losses of overlap
compare ``xyxy`` boxes. The distribution, the anchor and the votes loss compare what a box was read
from; Laplace's also asks how far off it may be.
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
from onebox.learning.networks.head_outputs import AnchorOutput, Bins, BoxOutput, Votes

_FITS = 0.5  # overlap of an anchor with the truth

Rows = Float[Tensor, "n 4"]
Numbers = Float[Tensor, "n *shape"]
PerRow = Float[Tensor, " n"]


def mse(found: Numbers, truth: Numbers) -> Numbers:
    """Squared difference."""
    return (found - truth).square()


def l1(found: Numbers, truth: Numbers) -> Numbers:
    """Absolute difference."""
    return (found - truth).abs()


def smooth_l1(found: Numbers, truth: Numbers) -> Numbers:
    """Quadratic within 0.1 of a side, linear beyond (Girshick, arXiv:1504.08083, section 2.3)."""
    return functional.smooth_l1_loss(found, truth, beta=0.1, reduction="none")


def bce(found: Numbers, truth: Numbers) -> Numbers:
    """Cross-entropy of numbers taken as probabilities; for heads that end in sigmoids."""
    return functional.binary_cross_entropy(found.clamp(0, 1), truth.clamp(0, 1), reduction="none")


def giou(boxes: Rows, truth: Rows) -> PerRow:
    """One minus the generalised overlap (Rezatofighi et al., arXiv:1902.09630)."""
    return generalized_box_iou_loss(boxes, truth)


def diou(boxes: Rows, truth: Rows) -> PerRow:
    """One minus the overlap, plus the distance of the centres (Zheng et al., arXiv:1911.08287)."""
    return distance_box_iou_loss(boxes, truth)


def ciou(boxes: Rows, truth: Rows) -> PerRow:
    """As `diou`, plus the difference of the aspect ratios (arXiv:1911.08287, section 3.3)."""
    return complete_box_iou_loss(boxes, truth)


NUMBER_LOSSES: dict[str, Callable[[Numbers, Numbers], Numbers]] = {
    "mse": mse,
    "l1": l1,
    "smooth_l1": smooth_l1,
    "bce": bce,
}
OVERLAP_LOSSES: dict[str, Callable[[Rows, Rows], PerRow]] = {
    "giou": giou,
    "diou": diou,
    "ciou": ciou,
}


def distribution(bins: Bins, truth: Float[Tensor, "n outputs"]) -> Float[Tensor, "n outputs"]:
    """Cross-entropy to the two bins around each truth, shared out by their nearness.

    Args:
        bins: Distributions over evenly spaced places.
        truth: In the unit of the places.

    References:
        Li et al., arXiv:2006.04388, equation 6 (distribution focal loss).
    """
    places = bins.places
    step = places[1] - places[0]
    position = ((truth - places[0]) / step).clamp(0, len(places) - 1)
    lower = position.floor().clamp(max=len(places) - 2)
    share = (position - lower)[..., None]
    index = lower.long()[..., None]
    log_share = bins.logits.log_softmax(dim=2)
    near = log_share.gather(2, index) * (1 - share) + log_share.gather(2, index + 1) * share
    return -near[..., 0]


def anchor_loss(found: AnchorOutput, truth: Rows) -> PerRow:
    """Cross-entropy of the scores to the anchors that fit, and the offsets of those.

    The anchor of largest overlap fits, and every one whose overlap reaches ``_FITS``: since an
    image has one subject, the scores are one distribution over all its anchors.

    References:
        Ren et al., arXiv:1506.01497, sections 3.1.1 and 3.1.2 (which anchors are positive).
    """
    overlap = box_iou(truth, box_convert(found.anchors, "cxcywh", "xyxy"))
    fits = (overlap >= _FITS) | (overlap >= overlap.amax(dim=1, keepdim=True))
    share = fits / fits.sum(dim=1, keepdim=True)
    chosen = -(share * found.scores.log_softmax(dim=1)).sum(dim=1)
    anchors = found.anchors.expand_as(found.offsets)
    wanted = encode(truth[:, None].expand_as(anchors), anchors)
    missed = smooth_l1(found.offsets, wanted).sum(dim=2)
    return chosen + (share * missed).sum(dim=1)


def votes_loss(found: Votes, truth: Rows) -> PerRow:
    """The smooth L1 of what the cells say whose middle lies in the true box, as their mean.

    Where the box holds no middle, the cell nearest to the box's own is asked.

    References:
        Tian et al., arXiv:1904.01355, section 3.1 (which cells are positive).
    """
    low, high = truth[:, None, :2], truth[:, None, 2:]
    is_inside = ((found.middles >= low) & (found.middles <= high)).all(dim=2)
    away = (found.middles - (low + high) / 2).square().sum(dim=2)
    is_asked = is_inside | (away <= away.amin(dim=1, keepdim=True))
    share = is_asked / is_asked.sum(dim=1, keepdim=True)
    missed = smooth_l1(found.sides, truth[:, :, None].expand_as(found.sides)).mean(dim=1)
    return (share * missed).sum(dim=1)


def laplace(boxes: Rows, scales: Rows, truth: Rows) -> PerRow:
    """Negative log-likelihood of the truth by a Laplace distribution of each side, their mean.

    Args:
        boxes: The medians.
        scales: Positive; the mean distance that is expected of the truth.
        truth: In the unit of both.

    References:
        Kendall and Gal, arXiv:1703.04977, section 2.2 and equation 5 (a scale that is learned with
        the answer), with Laplace's in place of the normal distribution.
    """
    return ((boxes - truth).abs() / scales + (2 * scales).log()).mean(dim=1)


def _of_bins(box: BoxOutput, truth: Rows) -> Rows | None:
    return None if box.bins is None else distribution(box.bins, truth)


def _of_anchors(box: BoxOutput, truth: Rows) -> PerRow | None:
    return None if box.anchors is None else anchor_loss(box.anchors, truth)


def _of_votes(box: BoxOutput, truth: Rows) -> PerRow | None:
    return None if box.votes is None else votes_loss(box.votes, truth)


def _of_scales(box: BoxOutput, truth: Rows) -> PerRow | None:
    return None if box.scales is None else laplace(box.boxes, box.scales, truth)


# Losses of what a box was read from; None where a head makes nothing of the kind.
READING_LOSSES: dict[str, Callable[[BoxOutput, Rows], Tensor | None]] = {
    "distribution": _of_bins,
    "anchors": _of_anchors,
    "votes": _of_votes,
    "laplace": _of_scales,
}


def paired_iou(boxes: Rows, truth: Rows) -> PerRow:
    """Overlap of row ``i`` with row ``i``, in [0, 1]; 0 where a box is inverted or empty."""
    low, high = torch.maximum(boxes[:, :2], truth[:, :2]), torch.minimum(boxes[:, 2:], truth[:, 2:])
    intersection = (high - low).clamp(min=0).prod(dim=1)
    areas = [(each[:, 2:] - each[:, :2]).clamp(min=0).prod(dim=1) for each in (boxes, truth)]
    union = areas[0] + areas[1] - intersection
    return torch.where(union > 0, intersection / union.clamp(min=1e-12), torch.zeros_like(union))
