"""What heads answer, and the places along an axis that they answer with.

Boxes are ``xyxy`` in shares of the image's sides, keypoints ``(x, y)`` likewise.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor


class Bins(NamedTuple):
    """Distributions over places along an axis.

    Attributes:
        logits: Of each bin.
        places: Where the bins lie, in shares of the image's side, evenly spaced.
    """

    logits: Float[Tensor, "n outputs bins"]
    places: Float[Tensor, " bins"]

    def means(self) -> Float[Tensor, "n outputs"]:
        """The mean place of each distribution."""
        return (self.logits.softmax(dim=2) * self.places).sum(dim=2)


class AnchorOutput(NamedTuple):
    """What an anchor head says of every anchor.

    Attributes:
        scores: Logits.
        offsets: See `anchors.encode`.
        anchors: ``cxcywh``.
    """

    scores: Float[Tensor, "n anchors"]
    offsets: Float[Tensor, "n anchors 4"]
    anchors: Float[Tensor, "anchors 4"]


class Votes(NamedTuple):
    """Where each cell of a map says that the sides lie.

    Attributes:
        sides: In shares of the image's sides, in the order of the box.
        middles: ``(x, y)`` of the cells, likewise.
    """

    sides: Float[Tensor, "n 4 cells"]
    middles: Float[Tensor, "cells 2"]


class BoxOutput(NamedTuple):
    """A box head's answer.

    Attributes:
        boxes: ``xyxy`` in shares of the image's sides.
        raw: The head's own four numbers, in the recipe's layout; None where it has none.
        bins: Each side's distribution, sides in the order of the box; None likewise.
        anchors: What is said of every anchor; None likewise.
        votes: What every cell says; None likewise.
        scales: Of the Laplace distribution around each side, in the unit of the boxes; None
            where the recipe asks for none.
    """

    boxes: Float[Tensor, "n 4"]
    raw: Float[Tensor, "n 4"] | None = None
    bins: Bins | None = None
    anchors: AnchorOutput | None = None
    votes: Votes | None = None
    scales: Float[Tensor, "n 4"] | None = None


class KeypointOutput(NamedTuple):
    """A keypoint head's answer.

    Attributes:
        points: ``(x, y)`` in shares of the image's sides.
        confidence: Logits of the nearness expected of each keypoint.
        bins: Distributions along x, then along y; None from a head that answers with numbers.
    """

    points: Float[Tensor, "n keypoints 2"]
    confidence: Float[Tensor, "n keypoints"]
    bins: tuple[Bins, Bins] | None = None


def bin_places(cells: int, bins_per_cell: int) -> Float[Tensor, " bins"]:
    """Middles of the bins over ``cells`` and one more at either end, in shares of the side."""
    count = (cells + 2) * bins_per_cell
    return ((torch.arange(count) + 0.5) / bins_per_cell - 1) / cells


def middles(cells: int) -> Float[Tensor, " cells"]:
    """Middles of the cells along an axis, in shares of the side."""
    return (torch.arange(cells) + 0.5) / cells


def margins(
    heat: Float[Tensor, "n outputs rows columns"],
    x: Float[Tensor, " columns"],
    y: Float[Tensor, " rows"],
) -> tuple[Bins, Bins]:
    """The distributions along x and along y of each heat map, one distribution over its cells.

    Args:
        heat: Logits of the cells.
        x: Where the columns lie.
        y: Where the rows lie.
    """
    share = heat.flatten(2).log_softmax(dim=2).reshape_as(heat)
    return Bins(share.logsumexp(dim=2), x.to(heat)), Bins(share.logsumexp(dim=3), y.to(heat))
