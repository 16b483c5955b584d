"""The second look: where to look again once a first answer is there.

A network sees an image at one size, whatever the subject's: a subject that fills little of the
image has few of its pixels. The part around the first answer, shown again at the same size,
has more. The network has seen such parts in training, so that the same weights serve.
"""

import math

from onebox.structures import Box

Part = tuple[int, int, int, int]
"""``(left, top, right, bottom)`` in whole pixels; right and bottom lie beyond the last one."""

MARGIN = 1.4
"""Sides of the part over sides of the box, where a model does not say otherwise."""

FINER = 2
"""Times the network's size that an image keeps for a second look, on each side."""

_LEAST = 0.3  # of each side of the image; a first answer that is far too small is not believed
_WORTH = 0.8  # of the image's area: a part larger than that shows nothing new


def part_around(box: Box, size_wh: tuple[int, int], margin: float = MARGIN) -> Part | None:
    """The part of an image that holds a box with some room around it.

    Args:
        box: ``xyxy`` in pixels of the image.
        size_wh: Width and height of the image.
        margin: Sides of the part over sides of the box, before the image's edge cuts in.

    Returns:
        A part inside the image, moved rather than cut at its edge; None where it would hold
        nearly all of the image.
    """
    spans = [_span(box[axis], box[axis + 2], length, margin) for axis, length in enumerate(size_wh)]
    (left, right), (top, bottom) = spans
    if (right - left) * (bottom - top) > _WORTH * size_wh[0] * size_wh[1]:
        return None
    return left, top, right, bottom


def _span(low: float, high: float, length: int, margin: float) -> tuple[int, int]:
    """First and last pixel (beyond it) along an axis."""
    wanted = min(float(length), max((high - low) * margin, _LEAST * length))
    start = min(max((low + high - wanted) / 2, 0.0), length - wanted)
    return math.floor(start), min(length, math.ceil(start + wanted))
