"""What is read off the features: the box, the class, and how far the box can be trusted.

Boxes leave every head as ``xyxy`` in shares of the picture's sides.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from onebox.learning.recipe import ModelSettings
from onebox.learning.vectorizers import Features


class BoxOutput(NamedTuple):
    """A box head's answer.

    Attributes:
        boxes: ``xyxy`` in shares of the picture's sides.
        bins: Logits of each side's distribution, sides in the order of the box; None from a head
            that answers with numbers.
        places: Where the bins lie, in shares of the picture's side; None likewise.
    """

    boxes: Float[Tensor, "n 4"]
    bins: Float[Tensor, "n 4 bins"] | None = None
    places: Float[Tensor, " bins"] | None = None


@runtime_checkable
class Sizes(Protocol):
    """What a head must know of the vectorizer before it."""

    vector_channels: int
    map_channels: int


class DirectBox(nn.Module):
    """Fully connected layers → four sigmoids: the two corners."""

    def __init__(self, sizes: Sizes, settings: ModelSettings) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = sizes.vector_channels
        for width in settings.hidden:
            layers += [nn.Linear(channels, width), nn.ReLU(inplace=True)]
            channels = width
        self.layers = nn.Sequential(*layers, nn.Linear(channels, 4))

    def forward(self, features: Features) -> BoxOutput:
        """Regress the corners."""
        return BoxOutput(self.layers(features.vector).sigmoid())


class MarginalBox(nn.Module):
    """Each side of the box as a distribution over bins along its axis; the box is the mean.

    The map is pooled over rows with learned weights, which leaves a line of cells along x, and
    over columns for y. One cell is added at both ends, so that a side at the frame, or a little
    outside, lies amid its bins. Every step but the pooling is a convolution: a subject that moves
    by a cell moves its distributions by a cell.

    References:
        Li et al., arXiv:2107.03332, section 3 (coordinates classified along each axis);
        Li et al., arXiv:2006.04388, section 3.2 (a box side as a distribution).
    """

    places: Tensor

    def __init__(self, sizes: Sizes, settings: ModelSettings) -> None:
        super().__init__()
        if not sizes.map_channels:
            raise ValueError("the marginal head reads a map, and its vectorizer keeps none.")
        self.along_x = _Line(sizes.map_channels, settings.bins_per_cell)
        self.along_y = _Line(sizes.map_channels, settings.bins_per_cell)
        self.bins_per_cell = settings.bins_per_cell

    def forward(self, features: Features) -> BoxOutput:
        """Pool, classify along each axis, and take the mean place.

        Raises:
            ValueError: If the features have no map.
        """
        cells = features.map
        if cells is None:
            raise ValueError("the marginal head needs features with a map.")
        x1, x2 = self.along_x(cells).unbind(1)
        # A map with its axes swapped has the rows along the line.
        y1, y2 = self.along_y(cells.transpose(2, 3)).unbind(1)
        bins = torch.stack([x1, y1, x2, y2], dim=1)
        places = bin_places(cells.shape[3], self.bins_per_cell).to(bins)
        return BoxOutput((bins.softmax(dim=2) * places).sum(dim=2), bins, places)


def bin_places(cells: int, bins_per_cell: int) -> Float[Tensor, " bins"]:
    """Middles of the bins over ``cells`` and one more at either end, in shares of the side."""
    count = (cells + 2) * bins_per_cell
    return ((torch.arange(count) + 0.5) / bins_per_cell - 1) / cells


class _Line(nn.Module):
    """A map → two rows of logits along its last axis."""

    def __init__(self, channels: int, bins_per_cell: int) -> None:
        super().__init__()
        self.attention = nn.Conv2d(channels, 1, 1)
        self.widen = nn.Conv1d(channels, channels, 3, padding=2)
        self.bins = nn.Conv1d(channels, 2 * bins_per_cell, 1)

    def forward(self, cells: Tensor) -> Float[Tensor, "n 2 bins"]:
        """Pool the rows of each column by attention, then classify along the columns."""
        line = (self.attention(cells).softmax(dim=2) * cells).sum(dim=2)
        logits = self.bins(self.widen(line).relu())
        by_cell = logits.unflatten(1, (2, -1))
        return by_cell.transpose(2, 3).flatten(2)


class ClassHead(nn.Module):
    """One logit for each class."""

    def __init__(self, sizes: Sizes, classes: int) -> None:
        super().__init__()
        self.logits = nn.Linear(sizes.vector_channels, classes)

    def forward(self, features: Features) -> Float[Tensor, "n classes"]:
        """Classify the vector."""
        return self.logits(features.vector)


class OverlapHead(nn.Module):
    """One logit: the overlap (IoU) expected of the box with the truth.

    References:
        Jiang et al., arXiv:1807.11590, section 3.1 (predicted localization confidence).
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.logit = nn.Linear(sizes.vector_channels + sizes.map_channels, 1)

    def forward(self, features: Features) -> Float[Tensor, " n"]:
        """Judge from the vector and, where there is one, the mean of the map."""
        parts = [features.vector]
        if features.map is not None:
            parts.append(features.map.mean(dim=(2, 3)))
        return self.logit(torch.cat(parts, dim=1))[:, 0]


BOX_HEADS: dict[str, Callable[[Sizes, ModelSettings], nn.Module]] = {
    "direct": DirectBox,
    "marginal": MarginalBox,
}
