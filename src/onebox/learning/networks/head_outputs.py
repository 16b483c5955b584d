"""What heads output, and the cell and bin centres that their outputs refer to.

Boxes are ``xyxy``, keypoints are ``(x, y)``, both in normalized image coordinates: 0 and 1 are the
edges of the image. Every tensor of a record has one row per image, except those in `Shared`.
"""

from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.utils._pytree import tree_map_only

Values = TypeVar("Values", bound=Tensor)
Output = TypeVar("Output")


@dataclass(frozen=True, slots=True)
class Shared(Generic[Values]):
    """A tensor that all images of a batch share, so that it has no row per image."""

    values: Values


class Bins(NamedTuple):
    """Probability distributions over evenly spaced positions along an axis."""

    logits: Float[Tensor, "n outputs bins"]
    centres: Shared[Float[Tensor, " bins"]]

    def means(self) -> Float[Tensor, "n outputs"]:
        """The mean position of each distribution."""
        return (self.logits.softmax(dim=2) * self.centres.values).sum(dim=2)


class AnchorOutput(NamedTuple):
    """A logit and offsets for every ``cxcywh`` anchor; see `anchors.encode`."""

    scores: Float[Tensor, "n anchors"]
    offsets: Float[Tensor, "n anchors 4"]
    anchors: Shared[Float[Tensor, "anchors 4"]]


class VoteOutput(NamedTuple):
    """One ``xyxy`` box predicted by every cell of a map, and the ``(x, y)`` of the cells.

    The weights of an edge's votes sum to 1.
    """

    boxes: Float[Tensor, "n 4 cells"]
    centres: Shared[Float[Tensor, "cells 2"]]
    weights: Float[Tensor, "n 4 cells"]


class BoxOutput(NamedTuple):
    """Output of a box head; what a head does not compute is None.

    Attributes:
        boxes: ``xyxy``.
        raw: Four numbers in the recipe's layout.
        bins: Distributions of the four edges, in the order of the box.
        anchors: Scores and offsets of all anchors.
        votes: Boxes of all cells.
        scales: Scales of a Laplace distribution around each edge, in the unit of the boxes.
    """

    boxes: Float[Tensor, "n 4"]
    raw: Float[Tensor, "n 4"] | None = None
    bins: Bins | None = None
    anchors: AnchorOutput | None = None
    votes: VoteOutput | None = None
    scales: Float[Tensor, "n 4"] | None = None


class KeypointOutput(NamedTuple):
    """Output of a keypoint head.

    Attributes:
        points: ``(x, y)``.
        confidence: Logits of the similarity expected of each keypoint to the true one.
        heat: Heat maps, as logits; None from a head that regresses coordinates.
    """

    points: Float[Tensor, "n keypoints 2"]
    confidence: Float[Tensor, "n keypoints"]
    heat: Float[Tensor, "n keypoints rows columns"] | None = None


class Outputs(NamedTuple):
    """Output of a network; a head that the network lacks leaves None.

    Attributes:
        box: The box, and what it was computed from.
        class_logits: One per class.
        iou_logit: Logit of the IoU expected of the box with the truth.
        keypoints: The keypoints.
        presence_logit: Logit of the probability that the image shows the subject.
    """

    box: BoxOutput
    class_logits: Float[Tensor, "n classes"]
    iou_logit: Float[Tensor, " n"] | None
    keypoints: KeypointOutput | None = None
    presence_logit: Float[Tensor, " n"] | None = None


def select_rows(output: Output, rows: Int[Tensor, " selected"]) -> Output:
    """Outputs of some images of a batch, by their indices; shared tensors stay as they are."""
    return tree_map_only(Tensor, lambda tensor: tensor[rows], output)


def bin_centres(cells: int, bins_per_cell: int) -> Float[Tensor, " bins"]:
    """Centres of the bins over ``cells`` along an axis, and over one more cell at either end."""
    count = (cells + 2) * bins_per_cell
    return ((torch.arange(count) + 0.5) / bins_per_cell - 1) / cells


def cell_centres(cells: int) -> Float[Tensor, " cells"]:
    """Centres of the cells along an axis."""
    return (torch.arange(cells) + 0.5) / cells


def marginals(
    heat: Float[Tensor, "n outputs rows columns"],
    x: Float[Tensor, " columns"],
    y: Float[Tensor, " rows"],
) -> tuple[Bins, Bins]:
    """Marginal distributions along x and along y of heat maps.

    Each map of logits is one distribution over its cells, whose columns lie at ``x`` and rows at
    ``y``.
    """
    log_probability = heat.flatten(2).log_softmax(dim=2).reshape_as(heat)
    along_x, along_y = log_probability.logsumexp(dim=2), log_probability.logsumexp(dim=3)
    return Bins(along_x, Shared(x.to(heat))), Bins(along_y, Shared(y.to(heat)))
