"""Box heads: direct regression, marginal distributions along the axes, and anchors.

Every head outputs ``xyxy`` boxes in normalized image coordinates.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from onebox.learning.networks.anchors import anchor_sizes, decode, place_anchors
from onebox.learning.networks.box_layouts import to_xyxy
from onebox.learning.networks.head_outputs import AnchorOutput, Bins, BoxOutput, Shared, bin_centres
from onebox.learning.networks.vectorizers import Features, Sizes, map_of
from onebox.recipes.sections import ModelSettings

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": torch.sigmoid,
    "linear": torch.clone,
}

_ROWS, _COLUMNS = 2, 3  # axes of a map


class DirectBox(nn.Module):
    """Fully connected layers → four numbers in the recipe's layout."""

    def __init__(self, sizes: Sizes, settings: ModelSettings) -> None:
        super().__init__()
        self.layers = connected(sizes.vector, settings.hidden, 4)
        self.activation = ACTIVATIONS[settings.activation]
        self.layout = settings.layout

    def forward(self, features: Features) -> BoxOutput:
        """Regress the four numbers."""
        raw = self.activation(self.layers(features.vector))
        return BoxOutput(to_xyxy(raw, self.layout), raw)


class MarginalBox(nn.Module):
    """Each edge of the box as a distribution over bins along its axis; the edge is its mean.

    References:
        Li et al., arXiv:2107.03332, section 3 (coordinates classified along each axis);
        Li et al., arXiv:2006.04388, section 3.2 (a box edge as a distribution).
    """

    def __init__(self, sizes: Sizes, settings: ModelSettings) -> None:
        super().__init__()
        self.axes = _Axes(sizes.map, 2, settings.bins_per_cell)

    def forward(self, features: Features) -> BoxOutput:
        """Classify along each axis, and take the mean positions."""
        along_x, along_y = self.axes(map_of(features))
        x1, x2 = along_x.logits.unbind(1)
        y1, y2 = along_y.logits.unbind(1)
        bins = Bins(torch.stack([x1, y1, x2, y2], dim=1), along_x.centres)
        return BoxOutput(bins.means(), bins=bins)


class AnchorBox(nn.Module):
    """A score and four offsets for each anchor at each cell; the box is the best anchor's.

    References:
        Ren et al., arXiv:1506.01497, section 3.1 (anchors and their offsets).
    """

    sizes: Tensor

    def __init__(self, sizes: Sizes, settings: ModelSettings) -> None:
        super().__init__()
        widths_heights = torch.tensor(anchor_sizes(settings.anchors))
        self.register_buffer("sizes", widths_heights)
        self.score = nn.Conv2d(sizes.map, len(widths_heights), 1)
        self.offsets = nn.Conv2d(sizes.map, 4 * len(widths_heights), 1)

    def forward(self, features: Features) -> BoxOutput:
        """Score all anchors, and decode the best one's box."""
        cells = map_of(features)
        rows, columns = cells.shape[2:]
        anchors = place_anchors(self.sizes, rows, columns)
        scores = self.score(cells).permute(0, 2, 3, 1).flatten(1)
        offsets = self.offsets(cells).permute(0, 2, 3, 1).flatten(1).unflatten(1, (-1, 4))
        best = scores.argmax(dim=1)
        chosen = offsets.gather(1, best[:, None, None].expand(-1, 1, 4))[:, 0]
        boxes = decode(chosen, anchors[best])
        return BoxOutput(boxes, anchors=AnchorOutput(scores, offsets, Shared(anchors)))


class _Axes(nn.Module):
    """A map → distributions along x and along y.

    The map is pooled over rows with learned weights, which leaves a line of cells along x, and
    over columns for y. Bins reach one cell beyond both ends, so that they surround an edge that
    lies at the frame or a little outside. Every step but the pooling is a convolution: where the
    subject shifts by a cell, its distributions shift by a cell.
    """

    def __init__(self, channels: int, outputs: int, bins_per_cell: int) -> None:
        super().__init__()
        self.along_x = _Line(channels, outputs, bins_per_cell)
        self.along_y = _Line(channels, outputs, bins_per_cell)
        self.bins_per_cell = bins_per_cell

    def forward(self, cells: Tensor) -> tuple[Bins, Bins]:
        """Classify along the columns, then along the rows."""
        rows, columns = cells.shape[2:]
        x = bin_centres(columns, self.bins_per_cell).to(cells)
        y = bin_centres(rows, self.bins_per_cell).to(cells)
        along_x, along_y = self.along_x(cells, _ROWS), self.along_y(cells, _COLUMNS)
        return Bins(along_x, Shared(x)), Bins(along_y, Shared(y))


class _Line(nn.Module):
    """A map → logits along one of its axes, after pooling over the other."""

    def __init__(self, channels: int, outputs: int, bins_per_cell: int) -> None:
        super().__init__()
        self.outputs = outputs
        self.attention = nn.Conv2d(channels, 1, 1)
        self.widen = nn.Conv1d(channels, channels, 3, padding=2)
        self.bins = nn.Conv1d(channels, outputs * bins_per_cell, 1)

    def forward(self, cells: Tensor, pooled: int) -> Float[Tensor, "n outputs bins"]:
        """Pool one axis by attention, then classify along the other."""
        line = (self.attention(cells).softmax(dim=pooled) * cells).sum(dim=pooled)
        logits = self.bins(self.widen(line).relu())
        return logits.unflatten(1, (self.outputs, -1)).transpose(2, 3).flatten(2)


def connected(channels: int, hidden: tuple[int, ...], outputs: int) -> nn.Sequential:
    """Fully connected layers with ReLU between them."""
    layers: list[nn.Module] = []
    for width in hidden:
        layers += [nn.Linear(channels, width), nn.ReLU(inplace=True)]
        channels = width
    return nn.Sequential(*layers, nn.Linear(channels, outputs))
