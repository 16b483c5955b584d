"""What is read off the features: box, class, joints, presence, and how far the box can be trusted.

Boxes leave every head as ``xyxy`` in shares of the picture's sides, joints as ``(x, y)`` likewise.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from onebox.learning.anchors import anchor_sizes, decode, place_anchors
from onebox.learning.layouts import to_xyxy
from onebox.learning.recipe import ModelSettings
from onebox.learning.vectorizers import Features, Sizes, depthwise

_SHARPER = 2.0  # exponent of a heat map's shares before the mean is taken


class Bins(NamedTuple):
    """Distributions over places along an axis.

    Attributes:
        logits: Of each bin.
        places: Where the bins lie, in shares of the picture's side, evenly spaced.
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


class BoxOutput(NamedTuple):
    """A box head's answer.

    Attributes:
        boxes: ``xyxy`` in shares of the picture's sides.
        raw: The head's own four numbers, in the recipe's layout; None where it has none.
        bins: Each side's distribution, sides in the order of the box; None likewise.
        anchors: What is said of every anchor; None likewise.
    """

    boxes: Float[Tensor, "n 4"]
    raw: Float[Tensor, "n 4"] | None = None
    bins: Bins | None = None
    anchors: AnchorOutput | None = None


class JointOutput(NamedTuple):
    """A joint head's answer.

    Attributes:
        points: ``(x, y)`` in shares of the picture's sides.
        confidence: Logits of the nearness expected of each joint.
        bins: Distributions along x, then along y; None from a head that answers with numbers.
    """

    points: Float[Tensor, "n joints 2"]
    confidence: Float[Tensor, "n joints"]
    bins: tuple[Bins, Bins] | None = None


class DirectBox(nn.Module):
    """Fully connected layers → four numbers in the recipe's layout."""

    def __init__(self, sizes: Sizes, settings: ModelSettings) -> None:
        super().__init__()
        self.layers = _connected(sizes.vector, settings.hidden, 4)
        self.activation = ACTIVATIONS[settings.activation]
        self.layout = settings.layout

    def forward(self, features: Features) -> BoxOutput:
        """Regress the numbers."""
        raw = self.activation(self.layers(features.vector))
        return BoxOutput(to_xyxy(raw, self.layout), raw)


class MarginalBox(nn.Module):
    """Each side of the box as a distribution over bins along its axis; the box is the mean.

    References:
        Li et al., arXiv:2107.03332, section 3 (coordinates classified along each axis);
        Li et al., arXiv:2006.04388, section 3.2 (a box side as a distribution).
    """

    def __init__(self, sizes: Sizes, settings: ModelSettings) -> None:
        super().__init__()
        self.axes = _Axes(sizes.map, 2, settings.bins_per_cell)

    def forward(self, features: Features) -> BoxOutput:
        """Classify along each axis, and take the mean places."""
        along_x, along_y = self.axes(_map_of(features))
        x1, x2 = along_x.logits.unbind(1)
        y1, y2 = along_y.logits.unbind(1)
        bins = Bins(torch.stack([x1, y1, x2, y2], dim=1), along_x.places)
        return BoxOutput(bins.means(), bins=bins)


class AnchorBox(nn.Module):
    """A score and four offsets for each anchor at each cell; the best anchor's box is the answer.

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
        """Score all anchors and decode the best."""
        cells = _map_of(features)
        rows, columns = cells.shape[2:]
        anchors = place_anchors(self.sizes, rows, columns)
        scores = self.score(cells).permute(0, 2, 3, 1).flatten(1)
        offsets = self.offsets(cells).permute(0, 2, 3, 1).flatten(1).unflatten(1, (-1, 4))
        best = scores.argmax(dim=1)
        chosen = offsets.gather(1, best[:, None, None].expand(-1, 1, 4))[:, 0]
        boxes = decode(chosen, anchors[best])
        return BoxOutput(boxes, anchors=AnchorOutput(scores, offsets, anchors))


class DirectJoints(nn.Module):
    """Fully connected layers → x, y and a confidence for each joint.

    References:
        Toshev and Szegedy, arXiv:1312.4659, section 3.1 (joints by direct regression).
    """

    def __init__(self, sizes: Sizes, settings: ModelSettings, joints: int) -> None:
        super().__init__()
        self.layers = _connected(sizes.vector, settings.hidden, 3 * joints)
        self.activation = ACTIVATIONS[settings.activation]

    def forward(self, features: Features) -> JointOutput:
        """Regress the joints."""
        numbers = self.layers(features.vector).unflatten(1, (-1, 3))
        return JointOutput(self.activation(numbers[..., :2]), numbers[..., 2])


class HeatmapJoints(nn.Module):
    """Each joint as one distribution over the cells of a map of half the stride; it is the mean.

    References:
        Sun et al., arXiv:1711.08229, section 2 (a joint as the mean place of its heat map).
    """

    def __init__(self, sizes: Sizes, settings: ModelSettings, joints: int) -> None:  # noqa: ARG002
        super().__init__()
        self.refine = nn.Sequential(
            nn.Upsample(scale_factor=2, mode="bilinear"), depthwise(sizes.map), depthwise(sizes.map)
        )
        self.heat = nn.Conv2d(sizes.map, joints, 1)
        self.confidence = nn.Linear(sizes.map, joints)

    def forward(self, features: Features) -> JointOutput:
        """Classify the cells, and take the mean places."""
        cells = _map_of(features)
        heat = self.heat(self.refine(cells))
        rows, columns = heat.shape[2:]
        share = heat.flatten(2).log_softmax(dim=2).unflatten(2, (rows, columns))
        along_x = Bins(share.logsumexp(dim=2), _middles(columns).to(heat))
        along_y = Bins(share.logsumexp(dim=3), _middles(rows).to(heat))
        # Left or right is often open: a mean of both would be neither.
        sharp = [bins._replace(logits=_SHARPER * bins.logits) for bins in (along_x, along_y)]
        points = torch.stack([bins.means() for bins in sharp], dim=2)
        return JointOutput(points, self.confidence(cells.mean(dim=(2, 3))), (along_x, along_y))


def hull(joints: JointOutput) -> BoxOutput:
    """The box around the joints."""
    points = joints.points
    return BoxOutput(torch.cat([points.amin(dim=1), points.amax(dim=1)], dim=1))


class ClassHead(nn.Module):
    """One logit for each class."""

    def __init__(self, sizes: Sizes, classes: int) -> None:
        super().__init__()
        self.logits = nn.Linear(sizes.vector, classes)

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
        self.logit = nn.Linear(sizes.vector + sizes.map, 1)

    def forward(self, features: Features) -> Float[Tensor, " n"]:
        """Judge from the vector and, where there is one, the mean of the map."""
        return self.logit(_vector_and_mean(features))[:, 0]


class PresenceHead(nn.Module):
    """One logit: whether the subject is in the picture."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.logit = nn.Linear(sizes.vector + sizes.map, 1)

    def forward(self, features: Features) -> Float[Tensor, " n"]:
        """Judge from the vector and, where there is one, the mean of the map."""
        return self.logit(_vector_and_mean(features))[:, 0]


BOX_HEADS: dict[str, type[DirectBox | MarginalBox | AnchorBox]] = {
    "direct": DirectBox,
    "marginal": MarginalBox,
    "anchors": AnchorBox,
}
JOINT_HEADS: dict[str, type[DirectJoints | HeatmapJoints]] = {
    "gap": DirectJoints,
    "flatten": DirectJoints,
    "pyramid": HeatmapJoints,
}
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": torch.sigmoid,
    "linear": torch.clone,
}


def bin_places(cells: int, bins_per_cell: int) -> Float[Tensor, " bins"]:
    """Middles of the bins over ``cells`` and one more at either end, in shares of the side."""
    count = (cells + 2) * bins_per_cell
    return ((torch.arange(count) + 0.5) / bins_per_cell - 1) / cells


def _middles(cells: int) -> Float[Tensor, " cells"]:
    return (torch.arange(cells) + 0.5) / cells


class _Axes(nn.Module):
    """A map → distributions along x and along y.

    The map is pooled over rows with learned weights, which leaves a line of cells along x, and
    over columns for y. One cell is added at both ends, so that a side at the frame, or a little
    outside, lies amid its bins. Every step but the pooling is a convolution: a subject that moves
    by a cell moves its distributions by a cell.
    """

    def __init__(self, channels: int, outputs: int, bins_per_cell: int) -> None:
        super().__init__()
        self.along_x = _Line(channels, outputs, bins_per_cell)
        self.along_y = _Line(channels, outputs, bins_per_cell)
        self.bins_per_cell = bins_per_cell

    def forward(self, cells: Tensor) -> tuple[Bins, Bins]:
        """Classify along the columns, then along the rows."""
        rows, columns = cells.shape[2:]
        x = bin_places(columns, self.bins_per_cell).to(cells)
        y = bin_places(rows, self.bins_per_cell).to(cells)
        # A map with its axes swapped has the rows along the line.
        return Bins(self.along_x(cells), x), Bins(self.along_y(cells.transpose(2, 3)), y)


class _Line(nn.Module):
    """A map → rows of logits along its last axis."""

    def __init__(self, channels: int, outputs: int, bins_per_cell: int) -> None:
        super().__init__()
        self.outputs = outputs
        self.attention = nn.Conv2d(channels, 1, 1)
        self.widen = nn.Conv1d(channels, channels, 3, padding=2)
        self.bins = nn.Conv1d(channels, outputs * bins_per_cell, 1)

    def forward(self, cells: Tensor) -> Float[Tensor, "n outputs bins"]:
        """Pool the rows of each column by attention, then classify along the columns."""
        line = (self.attention(cells).softmax(dim=2) * cells).sum(dim=2)
        logits = self.bins(self.widen(line).relu())
        return logits.unflatten(1, (self.outputs, -1)).transpose(2, 3).flatten(2)


def _connected(channels: int, hidden: tuple[int, ...], outputs: int) -> nn.Sequential:
    """Fully connected layers with ReLU between them."""
    layers: list[nn.Module] = []
    for width in hidden:
        layers += [nn.Linear(channels, width), nn.ReLU(inplace=True)]
        channels = width
    return nn.Sequential(*layers, nn.Linear(channels, outputs))


def _vector_and_mean(features: Features) -> Float[Tensor, "n channels"]:
    """The vector and, where there is a map, its mean over the cells."""
    if features.map is None:
        return features.vector
    return torch.cat([features.vector, features.map.mean(dim=(2, 3))], dim=1)


def _map_of(features: Features) -> Tensor:
    if features.map is None:
        raise ValueError("this head reads a map, and its vectorizer keeps none.")
    return features.map
