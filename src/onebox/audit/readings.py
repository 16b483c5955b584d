"""Readings of the four numbers of a box, other than ``xyxy`` in pixels of the upright image.

A label file may hold another layout, another unit, or boxes drawn on a turned or mirrored image.
Where the labelled box is far from the predicted one and another reading of it is near, that
reading is probably what was meant.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from onebox.boxes import LAYOUTS, clip_boxes, paired_iou, turn_boxes_upright
from onebox.formats.validation import MAX_OVERSHOOT_PX
from onebox.structures import Box, as_box, box_problem

FAR_IOU = 0.5
"""A labelled box of a lower IoU with the predicted one is far from it."""

NEAR_IOU = 0.75
"""Another box of at least this IoU with the predicted one is near it."""

Size = tuple[int, int]
Reading = Callable[[Box, Size], Box]


@dataclass(frozen=True, slots=True)
class OtherReading:
    """A reading of a labelled box that fits better.

    Attributes:
        name: What the four numbers are, in words.
        box: The box that they then mean, ``xyxy`` in pixels.
        iou: Of that box with the predicted one.
    """

    name: str
    box: Box
    iou: float


def better_reading(given: Box, predicted: Box, size_wh: Size) -> OtherReading | None:
    """The reading of a box far from the prediction that is nearest to it, and near.

    Args:
        given: The labelled box.
        predicted: The predicted one.
        size_wh: Width and height of the upright image.

    Returns:
        None if the labelled box is not far off, or no other reading is near.
    """
    if iou(given, predicted) >= FAR_IOU:
        return None
    read = [(name, reading(given, size_wh)) for name, reading in READINGS.items()]
    inside = [(name, _inside(box, size_wh)) for name, box in read]
    found = [
        OtherReading(name, box, iou(box, predicted)) for name, box in inside if box is not None
    ]
    best = max(found, key=lambda each: each.iou, default=None)
    return best if best is not None and best.iou >= NEAR_IOU else None


def iou(left: Box, right: Box) -> float:
    """Intersection over union of two boxes."""
    return float(paired_iou(np.array([left], np.float64), np.array([right], np.float64))[0])


def _inside(box: Box, size_wh: Size) -> Box | None:
    """The box cut at the frame; None if it is none, or passes the frame by more than rounding."""
    clipped = as_box(clip_boxes(np.array([box], np.float64), size_wh)[0].tolist())
    overshoot = max(abs(edge - cut) for edge, cut in zip(box, clipped, strict=True))
    return None if overshoot > MAX_OVERSHOOT_PX or box_problem(clipped) else clipped


def _layout(name: str) -> Reading:
    def read(box: Box, size_wh: Size) -> Box:  # noqa: ARG001
        return as_box(LAYOUTS[name][0](np.array([box], np.float64))[0].tolist())

    return read


def _order(*indices: int) -> Reading:
    return lambda box, size_wh: as_box(box[index] for index in indices)  # noqa: ARG005


def _unit(whole: float) -> Reading:
    """Fractions of the image's width and height, ``whole`` for all of it."""

    def read(box: Box, size_wh: Size) -> Box:
        sides = (*size_wh, *size_wh)
        return as_box(value * side / whole for value, side in zip(box, sides, strict=True))

    return read


def _turned(orientation: int) -> Reading:
    def read(box: Box, size_wh: Size) -> Box:
        width, height = size_wh
        stored = (height, width) if orientation in _ON_ITS_SIDE else (width, height)
        turned = turn_boxes_upright(np.array([box], np.float64), orientation, stored)
        return as_box(turned[0].tolist())

    return read


def _corner_as_size(box: Box, size_wh: Size) -> Box:  # noqa: ARG001
    """The second corner was taken for width and height, and added to the first."""
    return box[0], box[1], box[2] - box[0], box[3] - box[1]


_ON_ITS_SIDE = (5, 6, 7, 8)  # EXIF orientations that swap width and height

READINGS: dict[str, Reading] = {
    "x, y, width and height": _layout("xywh"),
    "centre, width and height": _layout("cxcywh"),
    "two corners that were read as x, y, width and height": _corner_as_size,
    "y before x": _order(1, 0, 3, 2),
    "both x, then both y": _order(0, 2, 1, 3),
    "normalized coordinates": _unit(1.0),
    "percent of width and height": _unit(100.0),
    "thousandths of width and height": _unit(1000.0),
    "coordinates of the image mirrored left to right": _turned(2),
    "coordinates of the image upside down": _turned(3),
    "coordinates of the image mirrored top to bottom": _turned(4),
    "coordinates of the image turned by 90 degrees counterclockwise": _turned(6),
    "coordinates of the image turned by 90 degrees clockwise": _turned(8),
    "coordinates of the image mirrored at its other diagonal": _turned(7),
}
"""What the four numbers may be, other than two corners in pixels."""
