"""Axis-aligned boxes: layouts, geometry and IoU, as pure functions of arrays.

One convention holds in the whole package. A box is ``xyxy``: ``(x_min, y_min, x_max, y_max)`` in
pixels of the upright image, x rightwards, y downwards, origin at the outer corner of the
top-left pixel. Edges are continuous, so a width is ``x_max - x_min`` and never ``+ 1``. Other
layouts exist only in label files and model heads, which convert them.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float
from numpy import ndarray

Boxes = Float[ndarray, "n 4"]


def _from_xywh(boxes: Boxes) -> Boxes:
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)


def _to_xywh(boxes: Boxes) -> Boxes:
    return np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)


def _from_cxcywh(boxes: Boxes) -> Boxes:
    half = boxes[:, 2:] / 2
    return np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], axis=1)


def _to_cxcywh(boxes: Boxes) -> Boxes:
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    return np.concatenate([centre, boxes[:, 2:] - boxes[:, :2]], axis=1)


# For each layout the functions that convert it to xyxy and back.
LAYOUTS: dict[str, tuple[Callable[[Boxes], Boxes], Callable[[Boxes], Boxes]]] = {
    "xyxy": (np.copy, np.copy),
    "xywh": (_from_xywh, _to_xywh),
    "cxcywh": (_from_cxcywh, _to_cxcywh),
}


def to_xyxy(boxes: Boxes, layout: str) -> Boxes:
    """Convert boxes of a named layout (a key of ``LAYOUTS``) to ``xyxy``, in the same unit."""
    return LAYOUTS[layout][0](boxes)


def from_xyxy(boxes: Boxes, layout: str) -> Boxes:
    """Convert ``xyxy`` boxes to a named layout (a key of ``LAYOUTS``), in the same unit."""
    return LAYOUTS[layout][1](boxes)


def box_sizes(boxes: Boxes) -> Float[ndarray, "n 2"]:
    """Width and height of each ``xyxy`` box; negative where a box is inverted."""
    return boxes[:, 2:] - boxes[:, :2]


def box_areas(boxes: Boxes) -> Float[ndarray, " n"]:
    """Area of each ``xyxy`` box; 0 for an inverted box."""
    return np.prod(np.maximum(box_sizes(boxes), 0), axis=1)


def clip_boxes(boxes: Boxes, size_wh: tuple[float | int, float | int]) -> Boxes:
    """Cut ``xyxy`` boxes at the frame of an image of ``(width, height)``."""
    return np.clip(boxes, 0, np.array([*size_wh, *size_wh], dtype=boxes.dtype))


def paired_iou(left: Boxes, right: Boxes) -> Float[ndarray, " n"]:
    """Intersection over union of row ``i`` of one array with row ``i`` of the other.

    Args:
        left: ``xyxy`` boxes in any unit.
        right: As many ``xyxy`` boxes in the same unit.

    Returns:
        IoU in ``[0, 1]``; 0 if both boxes have no area.
    """
    corners = [np.maximum(left[:, :2], right[:, :2]), np.minimum(left[:, 2:], right[:, 2:])]
    intersection = box_areas(np.concatenate(corners, axis=1))
    union = box_areas(left) + box_areas(right) - intersection
    return np.divide(intersection, union, out=np.zeros_like(union), where=union > 0)


def turn_points_upright(
    points: Float[ndarray, "n 2"], orientation: int, stored_wh: tuple[float | int, float | int]
) -> Float[ndarray, "n 2"]:
    """Move ``(x, y)`` points from the stored image to the upright image.

    Args:
        points: Points in pixels of the stored image.
        orientation: EXIF orientation, 1 to 8.
        stored_wh: Width and height of the stored image.

    Returns:
        Points in pixels of the upright image.

    References:
        EXIF 2.32, tag 0x0112 (Orientation).
    """
    width, height = stored_wh
    x, y = points[:, 0], points[:, 1]
    upright = {
        1: (x, y),
        2: (width - x, y),
        3: (width - x, height - y),
        4: (x, height - y),
        5: (y, x),
        6: (height - y, x),
        7: (height - y, width - x),
        8: (y, width - x),
    }[orientation]
    return np.stack(upright, axis=1)


def turn_boxes_upright(
    boxes: Boxes, orientation: int, stored_wh: tuple[float | int, float | int]
) -> Boxes:
    """Move ``xyxy`` boxes from a stored image to the upright one; see `turn_points_upright`."""
    first = turn_points_upright(boxes[:, :2], orientation, stored_wh)
    second = turn_points_upright(boxes[:, 2:], orientation, stored_wh)
    return np.concatenate([np.minimum(first, second), np.maximum(first, second)], axis=1)
