"""The refinement crop: the part of an image around the first box, for a second pass.

A network sees every image at one size. A subject that fills little of the image has few pixels
there; in a crop around the first box, scaled to the same size, it has more. Training shows the
network such crops, so the same weights serve both passes.
"""

import math

import numpy as np
from numpy import ndarray

from onebox.structures import Box

Crop = tuple[int, int, int, int]
"""``(left, top, right, bottom)`` in whole pixels; right and bottom are exclusive."""

MARGIN = 1.4
"""Width of the crop over width of the box, and likewise for the height, if not specified."""

_DETAIL = 2  # times the network's size: decoding keeps it for the crop; not tuned
# Fraction of the image's width and height: a first box may be far too small. Not tuned.
_MIN_LENGTH = 0.3
# Fraction of the image's area: a larger crop shows hardly more detail than the image. Not tuned.
_MAX_AREA = 0.8


def decoded_size(size: int, margin: float | None) -> int:
    """The least width and height, in pixels, to which decoding may shrink an image."""
    return size if margin is None else _DETAIL * size


def crop_around(box: Box, size_wh: tuple[int, int], margin: float = MARGIN) -> Crop | None:
    """The crop that holds a box with some room around it.

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


def cut(pixels: ndarray, crop: Crop) -> ndarray:
    """The pixels of a crop, contiguous."""
    left, top, right, bottom = crop
    return np.ascontiguousarray(pixels[top:bottom, left:right])


def _span(low: float, high: float, length: int, margin: float) -> tuple[int, int]:
    """Start and end of the crop along one axis; the end is exclusive."""
    wanted = min(float(length), max((high - low) * margin, _MIN_LENGTH * length))
    start = min(max((low + high - wanted) / 2, 0.0), length - wanted)
    return math.floor(start), min(length, math.ceil(start + wanted))
