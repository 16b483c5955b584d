"""How far the edges of a predicted box may lie from the true ones: a standard deviation for each.

Heads that predict a distribution give its own standard deviation. Other heads give the share of
the box's size that the network expects to be wrong: 1 minus its estimate of the IoU, or else 1
minus the probability of the label.
"""

import math

from jaxtyping import Float
from torch import Tensor

from onebox.learning.networks.anchors import decode
from onebox.learning.networks.head_outputs import (
    AnchorOutput,
    Bins,
    Outputs,
    VoteOutput,
)

_LAPLACE = math.sqrt(2)  # standard deviation over scale
_LEAST_SHARE = 1e-3  # of a box's size: a probability may round to 1. Not tuned.

Sigmas = Float[Tensor, "n 4"]


def edge_sigmas(outputs: Outputs) -> Sigmas:
    """Standard deviation of each edge of the box, in normalized coordinates."""
    box = outputs.box
    if box.bins is not None:
        return bins_sigmas(box.bins)
    # The IoU head ranks boxes of votes better than the spread of the votes: docs/trust.md.
    if box.votes is not None and outputs.iou_logit is None:
        return _votes_sigmas(box.votes)
    if box.anchors is not None:
        return _anchors_sigmas(box.anchors)
    if box.scales is not None:
        return _LAPLACE * box.scales
    return _share_sigmas(outputs)


def bins_sigmas(bins: Bins) -> Float[Tensor, "n outputs"]:
    """The standard deviation of each distribution."""
    return _weighted_sigmas(bins.centres.values, bins.logits.softmax(dim=2))


def _votes_sigmas(votes: VoteOutput) -> Sigmas:
    return _weighted_sigmas(votes.boxes, votes.weights)


def _anchors_sigmas(found: AnchorOutput) -> Sigmas:
    """Of the boxes of all anchors, weighted by their probabilities."""
    anchors = found.anchors.values.expand_as(found.offsets)
    boxes = decode(found.offsets, anchors).transpose(1, 2)
    return _weighted_sigmas(boxes, found.scores.softmax(dim=1)[:, None])


def _share_sigmas(outputs: Outputs) -> Sigmas:
    boxes = outputs.box.boxes
    size_wh = (boxes[:, 2:] - boxes[:, :2]).abs()
    if outputs.iou_logit is None:
        right = outputs.class_logits.softmax(dim=1).amax(dim=1)
    else:
        right = outputs.iou_logit.sigmoid()
    share = (1 - right).clamp(min=_LEAST_SHARE)
    return share[:, None] * size_wh.repeat(1, 2)


def _weighted_sigmas(values: Tensor, weights: Tensor) -> Float[Tensor, "n outputs"]:
    """Standard deviations along the last axis; the weights along it sum to 1."""
    mean = (weights * values).sum(dim=-1, keepdim=True)
    return (weights * (values - mean).square()).sum(dim=-1).sqrt()
