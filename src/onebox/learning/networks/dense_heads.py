"""Box heads that read every cell of a map: votes for the edges, and heat maps of the corners.

Every head outputs ``xyxy`` boxes in normalized image coordinates.
"""

import torch
from torch import nn

from onebox.learning.networks.head_outputs import (
    Bins,
    BoxOutput,
    Shared,
    VoteOutput,
    bin_centres,
    cell_centres,
    marginals,
)
from onebox.learning.networks.vectorizers import Features, Sizes, depthwise, doubled, map_of
from onebox.recipes.sections import ModelSettings

# At first, every cell is the centre of a box of half the image's width and height; not tuned.
_INITIAL_DISTANCE = 0.25
_CORNERS = 2
_PADDING = 2  # of a 3 x 3 convolution: adds one cell at every end


class VoteBox(nn.Module):
    """Every cell predicts the distances of its centre to the edges; an edge is a weighted mean.

    Each edge has its own weights, one distribution over all cells: the cells left of the subject
    may predict its left edge best. The distance of a cell outside the box may be negative.

    References:
        Tian et al., arXiv:1904.01355, section 3.1 (distances of a cell to the four edges).
    """

    def __init__(self, sizes: Sizes, settings: ModelSettings) -> None:  # noqa: ARG002
        super().__init__()
        self.tower = nn.Sequential(depthwise(sizes.map), depthwise(sizes.map))
        self.distances = nn.Conv2d(sizes.map, 4, 1)
        self.attention = nn.Conv2d(sizes.map, 4, 1)
        self.distances.bias = nn.Parameter(torch.full((4,), _INITIAL_DISTANCE))

    def forward(self, features: Features) -> BoxOutput:
        """Collect the votes of all cells, and average them."""
        cells = self.tower(map_of(features))
        rows, columns = cells.shape[2:]
        y, x = torch.meshgrid(cell_centres(rows), cell_centres(columns), indexing="ij")
        centres = torch.stack([x, y], dim=2).flatten(0, 1).to(cells)
        outwards = cells.new_tensor([-1.0, -1.0, 1.0, 1.0])[:, None]
        distances = self.distances(cells).flatten(2)
        votes = centres.T.repeat(2, 1) + outwards * distances
        weights = self.attention(cells).flatten(2).softmax(dim=2)
        boxes = (weights * votes).sum(dim=2)
        return BoxOutput(boxes, votes=VoteOutput(votes, Shared(centres), weights))


class HeatmapBox(nn.Module):
    """Upper left and lower right corner, each the mean of a heat map at half the map's stride.

    A heat map reaches one cell beyond the image on every side, so that its cells surround a corner
    that lies at the frame.

    References:
        Sun et al., arXiv:1711.08229, section 2 (a keypoint as the mean position of its heat map).
    """

    def __init__(self, sizes: Sizes, settings: ModelSettings) -> None:  # noqa: ARG002
        super().__init__()
        self.refine = doubled(sizes.map)
        self.heat = nn.Conv2d(sizes.map, _CORNERS, 3, padding=_PADDING)

    def forward(self, features: Features) -> BoxOutput:
        """Classify the cells, and take the mean positions."""
        cells = self.refine(map_of(features))
        rows, columns = cells.shape[2:]
        x, y = marginals(self.heat(cells), bin_centres(columns, 1), bin_centres(rows, 1))
        edges = torch.stack([x.logits, y.logits], dim=2).flatten(1, 2)
        bins = Bins(edges, x.centres)
        return BoxOutput(bins.means(), bins=bins)
