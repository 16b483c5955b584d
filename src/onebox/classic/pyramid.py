"""An image → histograms of oriented gradients (HOG) at several sizes.

A level is the grey image at one size, in a black margin that a window may reach into, as
normalised blocks of cells. The ends of the pyramid follow from the training boxes: at the finest
level the smallest of them is as large as a window, at the coarsest the largest.

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

LONGEST = 640
"""The longer side of the finest level, at most: what is smaller than a window there is missed."""

_ENDS = (2, 98)  # percentiles of the training boxes' sizes that the pyramid reaches
_ADDED_LENGTH = 1e-5  # scikit-image adds this to a block's length before it divides by it


@dataclass(frozen=True, slots=True, eq=False)
class Level:
    """An image at one size.

    Attributes:
        blocks: Normalised histograms; block ``(0, 0)`` begins at the margin's upper left corner.
        size_wh: Width and height of the image at this level, without the margin, in pixels.
    """

    blocks: Float32[ndarray, "rows columns channels"]
    size_wh: tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Pyramid:
    """An image at several sizes.

    Attributes:
        levels: The finest first.
        size_wh: Width and height of the whole upright image, in pixels.
        extent_wh: Pixels of the whole image that a level's width and height stand for: its size,
            up to the last pixel of an image that was shrunk while it was decoded.
    """

    levels: tuple[Level, ...]
    size_wh: tuple[int, int]
    extent_wh: tuple[float, float]


def level_sides(shares: Float[ndarray, " n"], settings: HogSettings) -> tuple[int, ...]:
    """Choose the longer sides of a pyramid's levels.

    Args:
        shares: For each training box the square root of its area, as a share of its image's
            longer side.
        settings: The window and the levels an octave.

    Returns:
        Pixels, the largest first.
    """
    window = settings.window * settings.cell
    finest, coarsest = np.minimum(window / np.percentile(shares, _ENDS), LONGEST).tolist()
    steps = math.ceil(math.log2(finest / coarsest) * settings.scales - 1e-6)
    return tuple(round(coarsest * 2 ** (step / settings.scales)) for step in range(steps, -1, -1))


def build_pyramid(
    image: LoadedImage,
    sides: Sequence[int],
    settings: HogSettings,
    *,
    least_cells: tuple[int, int],
) -> Pyramid:
    """Describe an image at each size.

    Args:
        image: Of any size; it is stretched where it is smaller than a level.
        sides: The longer side of each level, in pixels.
        settings: Cells, blocks, margin.
        least_cells: Rows and columns that each level has at least, margin and all.

    Returns:
        The levels, in the order of ``sides``.
    """
    grey = Image.fromarray(image.pixels).convert("L")
    levels = tuple(_level(grey, side, settings, least_cells) for side in sides)
    width, height = grey.width * image.scale_xy[0], grey.height * image.scale_xy[1]
    return Pyramid(levels, image.size_wh, (width, height))


def _level(
    grey: Image.Image, side: int, settings: HogSettings, least_cells: tuple[int, int]
) -> Level:
    scale = side / max(grey.size)
    width, height = (max(1, round(length * scale)) for length in grey.size)
    pixels = np.asarray(grey.resize((width, height), Image.Resampling.BILINEAR))
    around = [
        _padding(length, least, settings)
        for length, least in zip(pixels.shape, least_cells, strict=True)
    ]
    blocks = _describe(np.pad(pixels, around), settings)
    return Level(blocks, (width, height))


def _padding(length: int, least_cells: int, settings: HogSettings) -> tuple[int, int]:
    """Pixels before and behind that give a margin, whole cells, and enough of them."""
    cells = max(least_cells, 2 * settings.margin + math.ceil(length / settings.cell))
    before = settings.margin * settings.cell
    return before, cells * settings.cell - length - before


def _describe(
    pixels: UInt8[ndarray, "height width"], settings: HogSettings
) -> Float32[ndarray, "rows columns channels"]:
    # In this unit `contrast` is the added length: blocks of weaker gradients stay short, so that
    # the noise of a plain wall does not look like a texture.
    scaled = pixels * (_ADDED_LENGTH / settings.contrast)
    blocks = require_classic("skimage.feature").hog(
        scaled,
        orientations=settings.orientations,
        pixels_per_cell=(settings.cell, settings.cell),
        cells_per_block=(settings.block, settings.block),
        block_norm="L2",
        feature_vector=False,
    )
    return blocks.reshape(*blocks.shape[:2], settings.channels).astype(np.float32)
