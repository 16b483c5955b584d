"""The refinement crop: the part of an image around the first box, for a second pass.

A network sees every image at one size. A subject that fills little of the image has few pixels
there; in a crop around the first box, scaled to the same size, it has more. Training shows the
network such crops, so the same weights serve both passes.
"""

import math

import numpy as np
from numpy import ndarray

from onebox.images import LoadedImage
from onebox.structures import Box

Crop = tuple[int, int, int, int]
"""``(left, top, right, bottom)`` in whole pixels; right and bottom are exclusive."""

MARGIN = 1.4
"""Width of the crop over width of the box, and likewise for the height, if not specified."""

_DETAIL = 2  # times the network's size: decoding keeps it for the crop; not tuned
MIN_LENGTH = 0.3
"""Least length of a crop, over that of the image: a first box may be far too small. Not tuned."""

# Fraction of the image's area: a larger crop shows hardly more detail than the image. Not tuned.
_MAX_AREA = 0.8
_MOST_PIXELS = 2**23  # of a square: that of a long and narrow image would fill the memory
_GREY = 128  # as beyond the image in training


def decoded_size(size: int, margin: float | None) -> int:
    """The least width and height, in pixels, to which decoding may shrink an image."""
    return size if margin is None else _DETAIL * size


def find_crop(box: Box, image: LoadedImage, margin: float, *, is_square: bool) -> Crop | None:
    """The crop of a model's refinement pass, in the shape that the model was trained on.

    Args:
        box: The first box, ``xyxy`` in the pixels that were decoded.
        image: The image.
        margin: Width of the crop over width of the box, or over the longer edge for a square.
        is_square: Whether the model was trained on squares.
    """
    size_wh = image.pixels.shape[1], image.pixels.shape[0]
    if is_square:
        return square_around(box, size_wh, margin, image.scale_xy)
    return crop_around(box, size_wh, margin)


def crop_around(box: Box, size_wh: tuple[int, int], margin: float = MARGIN) -> Crop | None:
    """The crop that holds a box with some room around it, in the shape of the box.

    Args:
        box: ``xyxy`` in pixels of the image.
        size_wh: Width and height of the image.
        margin: Width of the crop over width of the box, and likewise for the height.

    Returns:
        A crop inside the image, shifted rather than cut at its border; None if it would cover
        nearly all of the image.
    """
    spans = [_span(box[axis], box[axis + 2], length, margin) for axis, length in enumerate(size_wh)]
    (left, right), (top, bottom) = spans
    if (right - left) * (bottom - top) > _MAX_AREA * size_wh[0] * size_wh[1]:
        return None
    return left, top, right, bottom


def square_around(
    box: Box,
    size_wh: tuple[int, int],
    margin: float = MARGIN,
    scale_xy: tuple[float, float] = (1.0, 1.0),
) -> Crop | None:
    """The square that holds a box with some room around it; it may reach beyond the image.

    Args:
        box: ``xyxy`` in decoded pixels.
        size_wh: Width and height of the image in decoded pixels.
        margin: Side of the square over the longer edge of the box.
        scale_xy: Width and height of a decoded pixel in pixels of the image; the crop is a square
            of those.

    Returns:
        The crop in decoded pixels; None if it would have too many.
    """
    longer = max((box[axis + 2] - box[axis]) * scale_xy[axis] for axis in (0, 1))
    shorter = min(length * scale for length, scale in zip(size_wh, scale_xy, strict=True))
    side = max(longer * margin, MIN_LENGTH * shorter)
    wide, high = (math.ceil(side / scale) for scale in scale_xy)
    if wide * high > _MOST_PIXELS:
        return None
    left, top = round((box[0] + box[2] - wide) / 2), round((box[1] + box[3] - high) / 2)
    return left, top, left + wide, top + high


def cut(pixels: ndarray, crop: Crop) -> ndarray:
    """The pixels of a crop, contiguous; mid-grey beyond the image."""
    left, top, right, bottom = crop
    height, width = pixels.shape[:2]
    if left >= 0 and top >= 0 and right <= width and bottom <= height:
        return np.ascontiguousarray(pixels[top:bottom, left:right])
    found = np.full((bottom - top, right - left, *pixels.shape[2:]), _GREY, pixels.dtype)
    x_min, y_min, x_max, y_max = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
    found[y_min - top : y_max - top, x_min - left : x_max - left] = pixels[y_min:y_max, x_min:x_max]
    return found


def _span(low: float, high: float, length: int, margin: float) -> tuple[int, int]:
    """Start and end of the crop along one axis; the end is exclusive."""
    wanted = min(float(length), max((high - low) * margin, MIN_LENGTH * length))
    start = min(max((low + high - wanted) / 2, 0.0), length - wanted)
    return math.floor(start), min(length, math.ceil(start + wanted))
