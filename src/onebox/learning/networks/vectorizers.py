"""Vectorizers: from feature maps to what the heads read, a vector and perhaps a map.

``gap`` averages the deepest map over its cells: images of any size fit, and position is lost.
``flatten`` keeps the position of every cell, in a vector whose length the image size fixes.
``pyramid`` adds the deepest map to the finer one, and keeps the map.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from onebox.errors import SettingError
from onebox.learning.networks.backbones import Shape, too_small
from onebox.recipes.sections import ModelSettings


class Features(NamedTuple):
    """What heads read.

    Attributes:
        vector: One vector for each image.
        map: A fused map; None from a vectorizer that keeps none.
        finer: Maps of the backbone that are finer than that, the finest first.
    """

    vector: Float[Tensor, "n channels"]
    map: Float[Tensor, "n width rows columns"] | None
    finer: tuple[Tensor, ...] = ()


@dataclass(frozen=True, slots=True)
class Sizes:
    """Channels of the vector and of the maps that a head reads; 0 for no map."""

    vector: int
    map: int = 0
    finer: tuple[int, ...] = ()


class GlobalAveragePool(nn.Module):
    """The mean of the deepest map over its cells."""

    def __init__(self, shapes: Sequence[Shape], settings: ModelSettings) -> None:
        super().__init__()
        self.neck, (channels, _, _) = _neck(shapes[-1], settings)
        self.sizes = Sizes(channels)

    def forward(self, maps: Sequence[Tensor]) -> Features:
        """Average over rows and columns."""
        return Features(self.neck(maps[-1]).mean(dim=(2, 3)), None)


class Flatten(nn.Module):
    """The deepest map, narrowed to ``width`` channels, as one long vector."""

    def __init__(self, shapes: Sequence[Shape], settings: ModelSettings) -> None:
        super().__init__()
        self.neck, (channels, rows, columns) = _neck(shapes[-1], settings)
        width = settings.width or channels
        self.narrow = (
            convolution(channels, width, activate=True) if settings.width else nn.Identity()
        )
        self.sizes = Sizes(width * rows * columns)

    def forward(self, maps: Sequence[Tensor]) -> Features:
        """Narrow, then flatten."""
        return Features(self.narrow(self.neck(maps[-1])).flatten(1), None)


class Pyramid(nn.Module):
    """The two deepest maps, fused at the finer stride; the vector is the mean of the deepest.

    References:
        Lin et al., arXiv:1612.03144, section 3 (top-down pathway and lateral connections).
    """

    def __init__(self, shapes: Sequence[Shape], settings: ModelSettings) -> None:
        super().__init__()
        if len(shapes) < 2:  # noqa: PLR2004
            raise SettingError(
                "model.vectorizer 'pyramid' fuses two maps, and backbone "
                f"'{settings.backbone}' has only one; use vectorizer 'gap' or 'flatten'."
            )
        *finer, fine, deep = (channels for channels, _, _ in shapes)
        width = settings.width
        self.fine, self.deep = convolution(fine, width), convolution(deep, width)
        self.smooth = nn.Sequential(depthwise(width), depthwise(width))
        self.sizes = Sizes(deep, width, tuple(finer))

    def forward(self, maps: Sequence[Tensor]) -> Features:
        """Add the deepest map to the finer one."""
        *finer, fine, deep = maps
        enlarged = functional.interpolate(self.deep(deep), size=fine.shape[2:], mode="nearest")
        fused = self.smooth(self.fine(fine) + enlarged)
        return Features(deep.mean(dim=(2, 3)), fused, tuple(finer))


def map_of(features: Features) -> Float[Tensor, "n width rows columns"]:
    """The map, for a head that needs one.

    Raises:
        ValueError: If the vectorizer keeps none.
    """
    if features.map is None:
        raise ValueError("this head reads a map, and its vectorizer keeps none.")
    return features.map


Vectorizer = GlobalAveragePool | Flatten | Pyramid
VECTORIZERS: dict[str, type[Vectorizer]] = {
    "gap": GlobalAveragePool,
    "flatten": Flatten,
    "pyramid": Pyramid,
}


# A 3 x 3 convolution of stride 2 without padding, and the shape of its output.
def _neck(shape: Shape, settings: ModelSettings) -> tuple[nn.Module, Shape]:
    channels, rows, columns = shape
    if not settings.neck:
        return nn.Identity(), shape
    if min(rows, columns) < 3:  # noqa: PLR2004
        raise SettingError(too_small(settings))
    layer = nn.Sequential(nn.Conv2d(channels, settings.neck, 3, stride=2), nn.ReLU(inplace=True))
    return layer, (settings.neck, (rows - 1) // 2, (columns - 1) // 2)


def convolution(channels: int, width: int, *, activate: bool = False) -> nn.Sequential:
    """A 1 x 1 convolution with batch normalization."""
    layers = [nn.Conv2d(channels, width, 1, bias=False), nn.BatchNorm2d(width)]
    return nn.Sequential(*layers, *([nn.ReLU(inplace=True)] if activate else []))


def depthwise(width: int) -> nn.Sequential:
    """A depthwise separable 3 x 3 convolution."""
    return nn.Sequential(
        nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False),
        nn.BatchNorm2d(width),
        nn.Conv2d(width, width, 1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
    )


def doubled(width: int) -> nn.Sequential:
    """A map at half its stride, after two depthwise separable convolutions."""
    larger = nn.Upsample(scale_factor=2, mode="bilinear")
    return nn.Sequential(larger, depthwise(width), depthwise(width))
