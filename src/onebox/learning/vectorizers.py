"""Feature maps → what the heads read: a vector, and where it is kept, a map.

``gap`` averages the deepest map away, so that any picture size fits and position is lost.
``flatten`` keeps the position of every cell in a vector of one fixed length.
``pyramid`` lays the deepest map over the finer one and keeps the map.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from onebox.learning.backbones import Backbone, grid_hw
from onebox.learning.recipe import ModelSettings


class Features(NamedTuple):
    """What heads read.

    Attributes:
        vector: One row a picture.
        map: Channels over a grid of cells; None where the vectorizer kept no position.
    """

    vector: Float[Tensor, "n channels"]
    map: Float[Tensor, "n width rows columns"] | None


class GlobalAveragePool(nn.Module):
    """The mean of the deepest map over its cells."""

    def __init__(self, backbone: Backbone, settings: ModelSettings) -> None:  # noqa: ARG002
        super().__init__()
        self.vector_channels = backbone.channels[-1]
        self.map_channels = 0

    def forward(self, maps: Sequence[Tensor]) -> Features:
        """Average over rows and columns."""
        return Features(maps[-1].mean(dim=(2, 3)), None)


class Flatten(nn.Module):
    """The deepest map, narrowed to ``width`` channels, as one long vector."""

    def __init__(self, backbone: Backbone, settings: ModelSettings) -> None:
        super().__init__()
        rows, columns = grid_hw(settings.size, backbone.reductions[-1])
        self.narrow = _conv(backbone.channels[-1], settings.width, activate=True)
        self.vector_channels = settings.width * rows * columns
        self.map_channels = 0

    def forward(self, maps: Sequence[Tensor]) -> Features:
        """Narrow, then lay out."""
        return Features(self.narrow(maps[-1]).flatten(1), None)


class Pyramid(nn.Module):
    """Both maps fused at the finer stride; the vector is the mean of the deepest one.

    References:
        Lin et al., arXiv:1612.03144, section 3 (top-down pathway and lateral connections).
    """

    def __init__(self, backbone: Backbone, settings: ModelSettings) -> None:
        super().__init__()
        fine, deep = backbone.channels
        width = settings.width
        self.fine, self.deep = _conv(fine, width), _conv(deep, width)
        self.smooth = nn.Sequential(_depthwise(width), _depthwise(width))
        self.vector_channels = deep
        self.map_channels = width

    def forward(self, maps: Sequence[Tensor]) -> Features:
        """Lay the deepest map over the finer one."""
        fine, deep = maps
        over = functional.interpolate(self.deep(deep), size=fine.shape[2:], mode="nearest")
        return Features(deep.mean(dim=(2, 3)), self.smooth(self.fine(fine) + over))


VECTORIZERS: dict[str, Callable[[Backbone, ModelSettings], nn.Module]] = {
    "gap": GlobalAveragePool,
    "flatten": Flatten,
    "pyramid": Pyramid,
}


def _conv(channels: int, width: int, *, activate: bool = False) -> nn.Sequential:
    layers = [nn.Conv2d(channels, width, 1, bias=False), nn.BatchNorm2d(width)]
    return nn.Sequential(*layers, *([nn.ReLU(inplace=True)] if activate else []))


def _depthwise(width: int) -> nn.Sequential:
    """A 3 x 3 look around within each channel, then a mix of the channels."""
    return nn.Sequential(
        nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False),
        nn.BatchNorm2d(width),
        nn.Conv2d(width, width, 1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
    )
