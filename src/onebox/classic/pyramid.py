"""An image → histograms of oriented gradients (HOG) at several sizes.

A level is the grey image at one size, with black padding that windows may reach into, described as
normalized blocks of cells. The training boxes set the first and last level: at the finest level the
smallest box is as large as a window, at the coarsest level the largest box is.

References:
    Dalal and Triggs, "Histograms of oriented gradients for human detection", CVPR 2005.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, UInt8
from numpy import ndarray
from PIL import Image

from onebox.classic.packages import require_classic
from onebox.classic.settings import HogSettings
from onebox.images import LoadedImage

MAX_LEVEL = 640
"""Maximum width and height of the finest level, in pixels; a subject smaller than a window there is
missed. Bounds the time per image; not tuned."""

# Percentiles of the training boxes' sizes that the pyramid covers, so that one odd box adds no
# levels; not tuned.
_COVERED = (2, 98)
_EPSILON = 1e-5  # scikit-image adds this to a block's norm before it divides by it


@dataclass(frozen=True, slots=True, eq=False)
class Level:
    """An image at one size.

    Attributes:
        blocks: Normalized histograms; block ``(0, 0)`` begins at the padding's top-left corner.
        size_wh: Width and height of the image at this level, without padding, in pixels.
    """

    blocks: Float32[ndarray, "rows columns channels"]
    size_wh: tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Pyramid:
    """An image at several sizes.

    Attributes:
        levels: The finest level first.
        size_wh: Width and height of the whole upright image, in pixels.
        extent_wh: Pixels of the whole image that a level covers. It can exceed ``size_wh`` by the
            rounding of an image that was shrunk while it was decoded.
    """

    levels: tuple[Level, ...]
    size_wh: tuple[int, int]
    extent_wh: tuple[float, float]


def level_lengths(box_lengths: Float[ndarray, " n"], settings: HogSettings) -> tuple[int, ...]:
    """Choose the size of each pyramid level.

    Args:
        box_lengths: For each training box, the square root of its area, as a fraction of the
            longer dimension of its image.
        settings: Window and levels per octave.

    Returns:
        Width or height of each level, whichever is longer, in pixels; the largest first.
    """
    window = settings.window * settings.cell
    ends = np.minimum(window / np.percentile(box_lengths, _COVERED), MAX_LEVEL)
    finest, coarsest = ends.tolist()
    steps = math.ceil(math.log2(finest / coarsest) * settings.scales - 1e-6)
    return tuple(round(coarsest * 2 ** (step / settings.scales)) for step in range(steps, -1, -1))


def build_pyramid(
    image: LoadedImage, lengths: Sequence[int], settings: HogSettings, *, min_cells: tuple[int, int]
) -> Pyramid:
    """Describe an image at each size; it is enlarged for levels that are larger.

    ``lengths`` are those of `level_lengths`; ``min_cells`` are rows and columns, with padding.
    """
    grey = Image.fromarray(image.pixels).convert("L")
    # Decoding may shrink width and height by different factors: levels have the image's own shape.
    extent_wh = (grey.width * image.scale_xy[0], grey.height * image.scale_xy[1])
    levels = tuple(
        _level(grey, _with_length(extent_wh, length), settings, min_cells) for length in lengths
    )
    return Pyramid(levels, image.size_wh, extent_wh)


def _with_length(size_wh: tuple[float, float], length: int) -> tuple[int, int]:
    """Width and height, scaled so that the longer is ``length``."""
    scale = length / max(size_wh)
    width, height = (max(1, round(side * scale)) for side in size_wh)
    return width, height


def _level(
    grey: Image.Image, size_wh: tuple[int, int], settings: HogSettings, min_cells: tuple[int, int]
) -> Level:
    resized = np.asarray(grey.resize(size_wh, Image.Resampling.BILINEAR))
    pad_widths = [
        _pad_width(pixels, least, settings)
        for pixels, least in zip(resized.shape, min_cells, strict=True)
    ]
    return Level(_describe(np.pad(resized, pad_widths), settings), size_wh)


def _pad_width(pixels: int, min_cells: int, settings: HogSettings) -> tuple[int, int]:
    """Pixels to add before and after, for the padding, whole cells, and the minimum of cells."""
    cells = max(min_cells, 2 * settings.padding + math.ceil(pixels / settings.cell))
    before = settings.padding * settings.cell
    return before, cells * settings.cell - pixels - before


def _describe(
    pixels: UInt8[ndarray, "height width"], settings: HogSettings
) -> Float32[ndarray, "rows columns channels"]:
    # Scaled so, scikit-image's epsilon equals `contrast`: blocks of weaker gradients stay short,
    # and the noise of a plain wall does not look like a texture.
    scaled = pixels * (_EPSILON / settings.contrast)
    blocks = require_classic("skimage.feature").hog(
        scaled,
        orientations=settings.orientations,
        pixels_per_cell=(settings.cell, settings.cell),
        cells_per_block=(settings.block, settings.block),
        block_norm="L2",
        feature_vector=False,
    )
    return blocks.reshape(*blocks.shape[:2], settings.channels).astype(np.float32)
