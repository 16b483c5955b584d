"""A box from what every cell of a map says: by votes for its sides, or by heat of its corners.

It leaves every head as ``xyxy`` in shares of the image's sides.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from onebox.learning.networks.head_outputs import (
    Bins,
    BoxOutput,
    Votes,
    bin_places,
    margins,
    middles,
)
from onebox.learning.networks.vectorizers import Features, Sizes, depthwise, doubled, map_of
from onebox.recipes.sections import ModelSettings

_FIRST_DISTANCE = 0.25  # every cell begins as the middle of a box of half the image's sides
_CORNERS = 2
_RING = 2  # padding of a 3 x 3 convolution that leaves one cell more at every end


class VoteBox(nn.Module):
    """Every cell says how far from its middle the sides lie; each side is a weighted mean.

    Each side has weights of its own, one distribution over all cells: what is left of the subject
    may know its left side best. A distance may be negative, as it is beyond a side.

    References:
        Tian et al., arXiv:1904.01355, section 3.1 (distances of a cell to the four sides).
    """

    def __init__(self, sizes: Sizes, settings: ModelSettings) -> None:  # noqa: ARG002
        super().__init__()
        self.tower = nn.Sequential(depthwise(sizes.map), depthwise(sizes.map))
        self.distances = nn.Conv2d(sizes.map, 4, 1)
        self.attention = nn.Conv2d(sizes.map, 4, 1)
        self.distances.bias = nn.Parameter(torch.full((4,), _FIRST_DISTANCE))

    def forward(self, features: Features) -> BoxOutput:
        """Collect the votes, and weigh them."""
        cells = self.tower(map_of(features))
        rows, columns = cells.shape[2:]
        places = _places(rows, columns).to(cells)
        outwards = cells.new_tensor([-1.0, -1.0, 1.0, 1.0])[:, None]
        distances = self.distances(cells).flatten(2)
        sides = places.T.repeat(2, 1) + outwards * distances
        shares = self.attention(cells).flatten(2).softmax(dim=2)
        return BoxOutput((shares * sides).sum(dim=2), votes=Votes(sides, places))


class HeatmapBox(nn.Module):
    """Each of two corners as one distribution over a map of half the stride; it is the mean.

    The corners are the upper left and the lower right one. The map has a ring of cells around it,
    so that a corner at the frame lies amid its places.

    References:
        Sun et al., arXiv:1711.08229, section 2 (a keypoint as the mean place of its heat map).
    """

    def __init__(self, sizes: Sizes, settings: ModelSettings) -> None:  # noqa: ARG002
        super().__init__()
        self.refine = doubled(sizes.map)
        self.heat = nn.Conv2d(sizes.map, _CORNERS, 3, padding=_RING)

    def forward(self, features: Features) -> BoxOutput:
        """Classify the cells, and take the mean places."""
        cells = self.refine(map_of(features))
        rows, columns = cells.shape[2:]
        x, y = margins(self.heat(cells), bin_places(columns, 1), bin_places(rows, 1))
        sides = torch.stack([x.logits, y.logits], dim=2).flatten(1, 2)
        bins = Bins(sides, x.places)
        return BoxOutput(bins.means(), bins=bins)


def _places(rows: int, columns: int) -> Float[Tensor, "cells 2"]:
    """``(x, y)`` of the cells' middles, row by row."""
    y, x = torch.meshgrid(middles(rows), middles(columns), indexing="ij")
    return torch.stack([x, y], dim=2).flatten(0, 1)
