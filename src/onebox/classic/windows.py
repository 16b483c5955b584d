"""Windows of one shape over a pyramid: where they lie, what they see, how they score.

A window sees its blocks, and it knows its place: a linear machine can learn from ``place`` that
subjects stand in the middle and fill half the frame as readily as what they look like. Boxes are
``xyxy`` in shares of the image's sides, and may reach beyond the frame.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int
from numpy import ndarray

from onebox.classic.pyramid import Level, Pyramid
from onebox.classic.settings import HogSettings

Shape = tuple[int, int]
"""Rows and columns of a window, in cells."""

_PLACE_FEATURES = 18
_SIDES = 4


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """All windows of one shape over a pyramid.

    Attributes:
        shape: Of each window.
        boxes: What each covers, in shares of the image's sides.
        corners: For each its level, and the row and column of its first block there.
    """

    shape: Shape
    boxes: Float[ndarray, "n 4"]
    corners: Int[ndarray, "n 3"]


def window_shape(aspect: float, settings: HogSettings) -> Shape:
    """The window for boxes of a width by height, of about the area of the square window.

    Examples:
        >>> window_shape(1.0, HogSettings(window=6)), window_shape(4.0, HogSettings(window=6))
        ((6, 6), (3, 12))
    """
    least = settings.block + 1
    rows = max(least, round(settings.window / aspect**0.5))
    return rows, max(least, round(settings.window * aspect**0.5))


def feature_count(shape: Shape, settings: HogSettings) -> int:
    """The number of features of a window."""
    rows, columns = _blocks(shape, settings)
    return rows * columns * settings.channels + _PLACE_FEATURES


def make_grid(pyramid: Pyramid, shape: Shape, settings: HogSettings) -> Grid:
    """Lay windows over every level that holds one."""
    found = [
        _over_level(number, level, shape, settings) for number, level in enumerate(pyramid.levels)
    ]
    return Grid(
        shape,
        np.concatenate([boxes for boxes, _ in found]),
        np.concatenate([corners for _, corners in found]),
    )


def describe_windows(
    pyramid: Pyramid, grid: Grid, chosen: Int[ndarray, " m"], settings: HogSettings
) -> Float32[ndarray, "m features"]:
    """The features of some windows: their blocks, then their place.

    Args:
        pyramid: The image.
        grid: Windows over it.
        chosen: Which of them.
        settings: Cells and blocks.
    """
    rows, columns = _blocks(grid.shape, settings)
    blocks = np.empty((len(chosen), rows, columns, settings.channels), dtype=np.float32)
    for place, (level, row, column) in enumerate(grid.corners[chosen].tolist()):
        seen = pyramid.levels[level].blocks
        blocks[place] = seen[row : row + rows, column : column + columns]
    flat = blocks.reshape(len(chosen), rows * columns * settings.channels)
    return np.concatenate([flat, _place(grid.boxes[chosen], settings)], axis=1)


def score_windows(
    pyramid: Pyramid,
    grid: Grid,
    weights: Float32[ndarray, "features machines"],
    settings: HogSettings,
) -> Float32[ndarray, "n machines"]:
    """The features of every window times weights, without describing one window at a time.

    Over blocks this is a correlation: each block of the weights is multiplied with a whole level,
    shifted.
    """
    blocks, of_place = weights[:-_PLACE_FEATURES], weights[-_PLACE_FEATURES:]
    rows, columns = _blocks(grid.shape, settings)
    kernel = blocks.reshape(rows, columns, settings.channels, weights.shape[1])
    responses = [_correlate(level, kernel, settings.stride) for level in pyramid.levels]
    return np.concatenate(responses) + _place(grid.boxes, settings) @ of_place


def _blocks(shape: Shape, settings: HogSettings) -> tuple[int, int]:
    """Rows and columns of the blocks in a window."""
    return shape[0] - settings.block + 1, shape[1] - settings.block + 1


def _over_level(
    number: int, level: Level, shape: Shape, settings: HogSettings
) -> tuple[Float[ndarray, "n 4"], Int[ndarray, "n 3"]]:
    rows, columns = _blocks(shape, settings)
    across = np.arange(0, level.blocks.shape[1] - columns + 1, settings.stride)
    down = np.arange(0, level.blocks.shape[0] - rows + 1, settings.stride)
    row, column = (each.ravel() for each in np.meshgrid(down, across, indexing="ij"))
    x_min, y_min = column - settings.margin, row - settings.margin
    cells = np.stack([x_min, y_min, x_min + shape[1], y_min + shape[0]], axis=1)
    boxes = cells * settings.cell / np.array(level.size_wh * 2, dtype=np.float64)
    return boxes, np.stack([np.full_like(row, number), row, column], axis=1)


def _correlate(
    level: Level, kernel: Float32[ndarray, "rows columns channels machines"], stride: int
) -> Float32[ndarray, "n machines"]:
    rows, columns, _, machines = kernel.shape
    height = level.blocks.shape[0] - rows + 1
    width = level.blocks.shape[1] - columns + 1
    total = np.zeros((-(-height // stride), -(-width // stride), machines), dtype=np.float32)
    for row in range(rows):
        for column in range(columns):
            seen = level.blocks[row : row + height : stride, column : column + width : stride]
            total += seen @ kernel[row, column]
    return total.reshape(-1, machines)


def _place(boxes: Float[ndarray, "n 4"], settings: HogSettings) -> Float32[ndarray, "n 18"]:
    """Centre and size of what is inside the frame, their products, and what is outside.

    With the products a linear machine can prefer one place and size, as a normal density does.
    """
    inside = np.clip(boxes, 0, 1)
    centre = (inside[:, :2] + inside[:, 2:]) / 2
    layout = np.concatenate([centre, inside[:, 2:] - inside[:, :2]], axis=1) - 0.5
    first, second = np.triu_indices(_SIDES)
    products = 2 * layout[:, first] * layout[:, second]
    outside = 2 * np.abs(boxes - inside)
    features = np.concatenate([layout, products, outside], axis=1)
    return (settings.place * features).astype(np.float32)
