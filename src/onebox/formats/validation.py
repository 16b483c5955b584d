"""One row against its image: units, EXIF orientation and the frame.

A row that passes has its box and keypoints in pixels of the upright image, the box inside its frame.
"""

import dataclasses
import math
from dataclasses import dataclass

import numpy as np

from onebox.boxes import clip_boxes, turn_boxes_upright, turn_points_upright
from onebox.errors import DataError
from onebox.formats.image_headers import box_text
from onebox.formats.rows import Row
from onebox.images import Header
from onebox.structures import Box, Keypoints

LARGEST_OVERSHOOT_PX = 2.0
"""A box that passes the frame by no more is clipped: tools round, and some count from 1."""

ROUNDING_PX = 0.01
"""An overshoot that six decimals of a share explain; it is clipped without a word."""

# Shares times sizes leave noise at the 13th digit; a billionth of a pixel is no information.
_DECIMALS = 9

Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Checked:
    """A row in pixels of the upright image, and by how much its box passed the frame."""

    row: Row
    overshoot_px: float = 0.0


def check_row(row: Row, header: Header) -> Checked:
    """Bring a row's box and keypoints into the upright image.

    Args:
        row: As the label file states it.
        header: Of the row's image.

    Returns:
        The row with ``xyxy`` pixels of the upright image, clipped at its frame.

    Raises:
        DataError: If the row cannot be true of this image.
    """
    _check_stated_size(row, header)
    if row.box is None:
        return Checked(dataclasses.replace(row, label=None, keypoints=None))
    if row.label is None:
        raise DataError("has a box but no label. Name the subject, or remove the box.")
    keypoints = _labelled(row.keypoints)
    _check_finite(row.box, keypoints)
    box, keypoints = _in_pixels(row, row.box, keypoints, header.size_wh)
    _check_sides(box)
    if row.unit == "pixel":
        _check_unit(box, header.size_wh)
    if row.stated_wh == header.stored_wh != header.size_wh:
        box, keypoints = _turned(box, keypoints, header)
    box, overshoot_px = _framed(box, header.size_wh)
    checked = dataclasses.replace(row, box=box, keypoints=keypoints, unit="pixel")
    return Checked(checked, overshoot_px)


def _check_stated_size(row: Row, header: Header) -> None:
    if row.stated_wh is None or row.stated_wh in {header.stored_wh, header.size_wh}:
        return
    raise DataError(
        f"states a size of {_size_text(row.stated_wh)} pixels, but {row.image} has "
        f"{_size_text(header.size_wh)}. Correct the size, and the box if it was drawn at the "
        "stated one."
    )


def _labelled(keypoints: Keypoints | None) -> Keypoints | None:
    # Formats with fixed columns write zeros where nobody marked a keypoint.
    return keypoints if keypoints and any(seen for *_, seen in keypoints) else None


def _check_finite(box: Box, keypoints: Keypoints | None) -> None:
    if not all(map(math.isfinite, box)):
        raise DataError(f"box {box_text(box)} is not made of finite numbers. Correct or remove it.")
    for number, (x, y, _) in enumerate(keypoints or (), start=1):
        if not (math.isfinite(x) and math.isfinite(y)):
            raise DataError(f"keypoint {number} is at {x}, {y}, which is not finite. Correct it.")


def _in_pixels(
    row: Row, box: Box, keypoints: Keypoints | None, size_wh: Size
) -> tuple[Box, Keypoints | None]:
    if row.unit == "pixel":
        return box, keypoints
    width, height = size_wh

    def place(x: float, y: float) -> tuple[float, float]:
        return round(x * width, _DECIMALS), round(y * height, _DECIMALS)

    placed = keypoints and tuple((*place(x, y), seen) for x, y, seen in keypoints)
    return (*place(*box[:2]), *place(*box[2:])), placed


def _check_sides(box: Box) -> None:
    width, height = box[2] - box[0], box[3] - box[1]
    if width <= 0 or height <= 0:
        raise DataError(
            f"box {box_text(box)} is {width:.6g} x {height:.6g} pixels; both sides must be "
            "positive. Swap its corners or remove the row."
        )


def _check_unit(box: Box, size_wh: Size) -> None:
    if max(size_wh) > 1 and min(box) >= 0 and max(box) <= 1:
        width, height = size_wh
        pixels = (box[0] * width, box[1] * height, box[2] * width, box[3] * height)
        raise DataError(
            f"box {box_text(box)} is normalised where pixels are meant. Multiply x by {width} and "
            f"y by {height}: {box_text(pixels)}; or keep such labels as YOLO."
        )


def _turned(box: Box, keypoints: Keypoints | None, header: Header) -> tuple[Box, Keypoints | None]:
    stored_wh = _floats(header.stored_wh)
    boxes = turn_boxes_upright(np.array([box], dtype=np.float64), header.orientation, stored_wh)
    return _as_box(boxes[0].tolist()), keypoints and tuple(
        _turned_keypoint(keypoint, header) if keypoint[2] else keypoint for keypoint in keypoints
    )


def _turned_keypoint(
    keypoint: tuple[float, float, int], header: Header
) -> tuple[float, float, int]:
    point = np.array([keypoint[:2]], dtype=np.float64)
    stored_wh = _floats(header.stored_wh)
    x, y = turn_points_upright(point, header.orientation, stored_wh)[0].tolist()
    return x, y, keypoint[2]


def _framed(box: Box, size_wh: Size) -> tuple[Box, float]:
    width, height = size_wh
    overshoot_px = max(-box[0], -box[1], box[2] - width, box[3] - height)
    if overshoot_px <= 0:
        return box, 0.0
    clipped = _as_box(clip_boxes(np.array([box], dtype=np.float64), _floats(size_wh))[0].tolist())
    if clipped[0] >= clipped[2] or clipped[1] >= clipped[3]:
        raise DataError(
            f"box {box_text(box)} lies outside the image of {_size_text(size_wh)} pixels. "
            "Correct it or remove the row."
        )
    if overshoot_px > LARGEST_OVERSHOOT_PX:
        raise DataError(
            f"box {box_text(box)} passes the frame of {_size_text(size_wh)} pixels by "
            f"{overshoot_px:.6g}. If it is right, clip it: {box_text(clipped)}."
        )
    return clipped, overshoot_px


def _as_box(values: list[float]) -> Box:
    x_min, y_min, x_max, y_max = values
    return x_min, y_min, x_max, y_max


def _floats(size_wh: Size) -> tuple[float, float]:
    return float(size_wh[0]), float(size_wh[1])


def _size_text(size_wh: Size) -> str:
    return f"{size_wh[0]} x {size_wh[1]}"
