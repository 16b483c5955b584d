"""Checks one row against its image: units, EXIF orientation and the frame.

A row that passes has its box and keypoints in pixels of the upright image, the box inside it.
"""

import dataclasses
from dataclasses import dataclass

import numpy as np

from onebox.boxes import clip_boxes, turn_boxes_upright, turn_points_upright
from onebox.errors import DataError, format_box
from onebox.formats.rows import Row
from onebox.images import Header
from onebox.structures import Box, Keypoints, as_box, box_problem, keypoint_problem

MAX_OVERSHOOT_PX = 2.0
"""Largest overshoot that is clipped: a pixel for rounding, one for counting from 1. Not tuned."""

ROUNDING_PX = 0.01
"""Largest overshoot that is clipped without a note: normalized coordinates of six decimals, times
an image of 10,000 pixels."""

# Normalized coordinates times sizes leave noise at the 13th digit; 1e-9 px is no information.
_DECIMALS = 9

Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class CheckedRow:
    """A row that agrees with its image, in pixels of the upright image."""

    row: Row
    overshoot_px: float = 0.0  # how far its box reached beyond the frame before it was clipped


def check_row(row: Row, header: Header) -> CheckedRow:
    """Convert a row's box and keypoints to pixels of the upright image, clipped at its frame.

    Raises:
        DataError: If the row cannot be true of this image.
    """
    _check_stated_size(row, header)
    if row.box is None:
        return CheckedRow(dataclasses.replace(row, label=None, keypoints=None))
    if row.label is None:
        raise DataError("has a box but no label. Name the subject, or remove the box.")
    box, keypoints = _to_pixels(row, row.box, _labelled(row.keypoints), header.size_wh)
    if problem := box_problem(box) or keypoint_problem(keypoints or ()):
        raise DataError(problem)
    if row.unit == "pixel":
        _check_unit(box, header.size_wh)
    if row.stated_wh == header.stored_wh != header.size_wh:
        box, keypoints = _turned(box, keypoints, header)
    box, overshoot_px = _clipped(box, header.size_wh)
    checked = dataclasses.replace(row, box=box, keypoints=keypoints, unit="pixel")
    return CheckedRow(checked, overshoot_px)


def _check_stated_size(row: Row, header: Header) -> None:
    if row.stated_wh is None or row.stated_wh in {header.stored_wh, header.size_wh}:
        return
    raise DataError(
        f"states a size of {_format_size(row.stated_wh)} pixels, but {row.image} has "
        f"{_format_size(header.size_wh)}. Correct the size, and the box if it was drawn at the "
        "stated one."
    )


def _labelled(keypoints: Keypoints | None) -> Keypoints | None:
    # Formats with fixed columns write zeros for keypoints that nobody labelled.
    return keypoints if keypoints and any(visibility for *_, visibility in keypoints) else None


def _to_pixels(
    row: Row, box: Box, keypoints: Keypoints | None, size_wh: Size
) -> tuple[Box, Keypoints | None]:
    if row.unit == "pixel":
        return box, keypoints
    width, height = size_wh

    def scale(x: float, y: float) -> tuple[float, float]:
        return round(x * width, _DECIMALS), round(y * height, _DECIMALS)

    scaled = keypoints and tuple((*scale(x, y), visibility) for x, y, visibility in keypoints)
    return (*scale(*box[:2]), *scale(*box[2:])), scaled


def _check_unit(box: Box, size_wh: Size) -> None:
    if max(size_wh) > 1 and min(box) >= 0 and max(box) <= 1:
        width, height = size_wh
        pixels = (box[0] * width, box[1] * height, box[2] * width, box[3] * height)
        raise DataError(
            f"box {format_box(box)} is normalized, but pixels are expected. Multiply x by {width} "
            f"and y by {height}: {format_box(pixels)}; or keep such labels as YOLO."
        )


def _turned(box: Box, keypoints: Keypoints | None, header: Header) -> tuple[Box, Keypoints | None]:
    orientation, stored_wh = header.orientation, header.stored_wh
    boxes = turn_boxes_upright(np.array([box], dtype=np.float64), orientation, stored_wh)
    points = np.array([(x, y) for x, y, _ in keypoints or ()], dtype=np.float64).reshape(-1, 2)
    turned = turn_points_upright(points, orientation, stored_wh).tolist()
    return as_box(boxes[0].tolist()), keypoints and tuple(
        (x, y, keypoint[2]) if keypoint[2] else keypoint
        for (x, y), keypoint in zip(turned, keypoints, strict=True)
    )


def _clipped(box: Box, size_wh: Size) -> tuple[Box, float]:
    width, height = size_wh
    overshoot_px = max(-box[0], -box[1], box[2] - width, box[3] - height)
    if overshoot_px <= 0:
        return box, 0.0
    clipped = as_box(clip_boxes(np.array([box], dtype=np.float64), size_wh)[0].tolist())
    if clipped[0] >= clipped[2] or clipped[1] >= clipped[3]:
        raise DataError(
            f"box {format_box(box)} lies outside the image of {_format_size(size_wh)} pixels. "
            "Correct it or remove the row."
        )
    if overshoot_px > MAX_OVERSHOOT_PX:
        raise DataError(
            f"box {format_box(box)} passes the frame of {_format_size(size_wh)} pixels by "
            f"{overshoot_px:.6g}. If it is right, clip it: {format_box(clipped)}."
        )
    return clipped, overshoot_px


def _format_size(size_wh: Size) -> str:
    return f"{size_wh[0]} x {size_wh[1]}"
