"""Windows of one shape over a pyramid: their boxes, features and scores.

A window is described by its blocks and by its position and size: from the latter a linear SVM
learns a position prior, such as that subjects are central and fill half the frame. Boxes are
``xyxy`` as fractions of image width and height, and may reach beyond the frame.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int
from numpy import ndarray

from onebox.classic.pyramid import Level, Pyramid
from onebox.classic.settings import HogSettings

WindowShape = tuple[int, int]
"""Rows and columns of a window, in cells."""

_POSITION_FEATURES = 18


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """All windows of one shape over a pyramid.

    Attributes:
        shape: Shape of each window.
        boxes: Box of each window, as fractions of image width and height.
        corners: Level of each window, and row and column of its first block there.
    """

    shape: WindowShape
    boxes: Float[ndarray, "n 4"]
    corners: Int[ndarray, "n 3"]


def window_shape(aspect: float, settings: HogSettings) -> WindowShape:
    """The window for boxes of an aspect ratio (width / height), of about the configured area.

    Examples:
        >>> window_shape(1.0, HogSettings(window=6)), window_shape(4.0, HogSettings(window=6))
        ((6, 6), (3, 12))
    """
    least = settings.block + 1
    rows = max(least, round(settings.window / aspect**0.5))
    return rows, max(least, round(settings.window * aspect**0.5))


def feature_count(shape: WindowShape, settings: HogSettings) -> int:
    """The number of features of a window."""
    rows, columns = _blocks(shape, settings)
    return rows * columns * settings.channels + _POSITION_FEATURES


def make_grid(pyramid: Pyramid, shape: WindowShape, settings: HogSettings) -> Grid:
    """Lay windows over every level that is large enough for one."""
    levels = enumerate(pyramid.levels)
    parts = [_windows_of(index, shape, level, settings) for index, level in levels]
    boxes, corners = zip(*parts, strict=True)
    return Grid(shape, np.concatenate(boxes), np.concatenate(corners))


def describe_windows(
    pyramid: Pyramid, grid: Grid, chosen: Int[ndarray, " m"], settings: HogSettings
) -> Float32[ndarray, "m features"]:
    """The features of the chosen windows: their blocks, then their position and size."""
    rows, columns = _blocks(grid.shape, settings)
    blocks = np.empty((len(chosen), rows, columns, settings.channels), dtype=np.float32)
    for index, (level, row, column) in enumerate(grid.corners[chosen].tolist()):
        blocks[index] = pyramid.levels[level].blocks[row : row + rows, column : column + columns]
    flat = blocks.reshape(len(chosen), rows * columns * settings.channels)
    return np.concatenate([flat, _position_features(grid.boxes[chosen], settings)], axis=1)


def score_windows(
    pyramid: Pyramid, grid: Grid, weights: Float32[ndarray, "features svms"], settings: HogSettings
) -> Float32[ndarray, "n svms"]:
    """The features of every window times weights, without describing one window at a time.

    Over blocks this is a correlation: each block of the weights is multiplied with a whole level,
    shifted.
    """
    rows, columns = _blocks(grid.shape, settings)
    of_blocks, of_position = weights[:-_POSITION_FEATURES], weights[-_POSITION_FEATURES:]
    kernel = of_blocks.reshape(rows, columns, settings.channels, weights.shape[1])
    responses = [_correlate(level, kernel, settings.stride) for level in pyramid.levels]
    return np.concatenate(responses) + _position_features(grid.boxes, settings) @ of_position


def _blocks(shape: WindowShape, settings: HogSettings) -> tuple[int, int]:
    """Rows and columns of the blocks in a window."""
    return shape[0] - settings.block + 1, shape[1] - settings.block + 1


def _windows_of(
    index: int, shape: WindowShape, level: Level, settings: HogSettings
) -> tuple[Float[ndarray, "n 4"], Int[ndarray, "n 3"]]:
    """Boxes and corners of the windows over one level."""
    rows, columns = _blocks(shape, settings)
    across = np.arange(0, level.blocks.shape[1] - columns + 1, settings.stride)
    down = np.arange(0, level.blocks.shape[0] - rows + 1, settings.stride)
    row, column = (each.ravel() for each in np.meshgrid(down, across, indexing="ij"))
    x_min, y_min = column - settings.padding, row - settings.padding
    cells = np.stack([x_min, y_min, x_min + shape[1], y_min + shape[0]], axis=1)
    boxes = cells * settings.cell / np.array(level.size_wh * 2, dtype=np.float64)
    return boxes, np.stack([np.full_like(row, index), row, column], axis=1)


def _correlate(
    level: Level, kernel: Float32[ndarray, "rows columns channels svms"], stride: int
) -> Float32[ndarray, "n svms"]:
    rows, columns, _, svms = kernel.shape
    height = level.blocks.shape[0] - rows + 1
    width = level.blocks.shape[1] - columns + 1
    total = np.zeros((-(-height // stride), -(-width // stride), svms), dtype=np.float32)
    for row in range(rows):
        for column in range(columns):
            blocks = level.blocks[row : row + height : stride, column : column + width : stride]
            total += blocks @ kernel[row, column]
    return total.reshape(-1, svms)


def _position_features(
    boxes: Float[ndarray, "n 4"], settings: HogSettings
) -> Float32[ndarray, "n 18"]:
    """Centre and size of the part inside the frame, their products, and the part outside.

    With the products a linear SVM can prefer one position and size, as a normal density does.
    """
    inside = np.clip(boxes, 0, 1)
    centre = (inside[:, :2] + inside[:, 2:]) / 2
    layout = np.concatenate([centre, inside[:, 2:] - inside[:, :2]], axis=1) - 0.5
    first, second = np.triu_indices(layout.shape[1])
    products = 2 * layout[:, first] * layout[:, second]
    outside = 2 * np.abs(boxes - inside)
    features = np.concatenate([layout, products, outside], axis=1)
    return (settings.position_prior * features).astype(np.float32)
