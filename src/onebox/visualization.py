"""Boxes drawn on pixels.

One code for the eye holds in every image: the prediction is a solid orange line, the truth a
dashed sky-blue one, both cased in black so that they show on any ground. The two colours are of
the Okabe-Ito palette, which readers with any common colour vision can tell apart; the dashes say
the same without colour. Lines lie centred on a box's edges and never outside the image.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from onebox import fonts
from onebox.images import LoadedImage, Pixels
from onebox.structures import Box, KeypointSet, Prediction, Sample

PREDICTED = (230, 159, 0)
"""RGB of a predicted box."""

TRUE = (86, 180, 233)
"""RGB of a true box."""

NO_SUBJECT = "no subject"
"""What a drawing says where nothing is to be found."""

_CORNER = (0.0, 0.0, 0.0, 0.0)
_BLACK = (0, 0, 0)

Span = tuple[int, int, int, int]
Point = tuple[float, float]
Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class _Mark:
    """One box to draw, in pixels of the drawing, with the words on its plate if it has any.

    Where there are words alone, the box is the place beside which they stand.
    """

    box: Box
    text: str
    is_truth: bool
    has_line: bool = True

    @property
    def colour(self) -> tuple[int, int, int]:
        return TRUE if self.is_truth else PREDICTED


@dataclass(frozen=True, slots=True)
class _Pen:
    """Thickness of lines and height of letters, in pixels, for one size of image."""

    line: int
    text: int


def draw(
    pixels: Pixels,
    *,
    prediction: Prediction | None = None,
    truth: Sample | None = None,
    keypoints: KeypointSet | None = None,
    scale_xy: tuple[float, float] = (1.0, 1.0),
) -> Image.Image:
    """Draw a prediction and what is true onto a copy of an image.

    A plate beside the predicted box says its label and score. An answer that the subject is not
    there has neither box nor keypoints, and "no subject" on a plate in the corner. The truth has a
    plate where it says something else than the prediction. Text stays inside the image; where
    the image has no room for a word, there is none.

    Args:
        pixels: The upright image.
        prediction: Its box is drawn solid.
        truth: Its box, if it has one, is drawn dashed.
        keypoints: How the keypoints of both are connected; None draws none.
        scale_xy: Columns and rows of the whole image that one pixel here stands for, as
            `LoadedImage` has it; boxes are in pixels of the whole image.

    Returns:
        An RGB image of the same size.
    """
    image = Image.fromarray(pixels)
    canvas = ImageDraw.Draw(image)
    pen = _pen(image.size)
    marks = list(_marks(prediction, truth, scale_xy))
    for mark in marks:
        if mark.has_line:
            _draw_box(canvas, mark, pen.line)
    if keypoints is not None:
        for points, colour in _metrics(prediction, truth, scale_xy):
            _draw_skeleton(canvas, points, keypoints, colour, pen.line)
    for mark in marks:  # after all lines, which would strike the words through
        _draw_plate(canvas, mark, pen)
    return image


def fit(image: LoadedImage, side: int) -> LoadedImage:
    """Scale an image, up or down, so that its longer side has ``side`` pixels.

    Returns:
        The pixels, with the scale that takes boxes of the whole image to them.
    """
    longer = max(image.size_wh)
    width, height = (max(1, round(length * side / longer)) for length in image.size_wh)
    stored_height, stored_width = image.pixels.shape[:2]
    # The last column and row may stand for fewer pixels than the others; that part is cut off.
    shown = (
        min(image.size_wh[0] / image.scale_xy[0], stored_width),
        min(image.size_wh[1] / image.scale_xy[1], stored_height),
    )
    whole = Image.fromarray(image.pixels)
    scaled = whole.resize((width, height), Image.Resampling.BICUBIC, box=(0, 0, *shown))
    scale_xy = (image.size_wh[0] / width, image.size_wh[1] / height)
    return LoadedImage(np.asarray(scaled), image.size_wh, scale_xy)


def _marks(
    prediction: Prediction | None, truth: Sample | None, scale_xy: tuple[float, float]
) -> Iterator[_Mark]:
    found = prediction if prediction is not None and prediction.has_subject else None
    if found is not None:
        text = f"{found.label} {found.score:.2f}"
        yield _Mark(_scaled(found.box, scale_xy), text, is_truth=False)
    elif prediction is not None:
        yield _Mark(_CORNER, NO_SUBJECT, is_truth=False, has_line=False)
    if truth is not None and truth.box is not None:
        is_told = found is not None and found.label == truth.label
        text = "" if is_told or truth.label is None else truth.label
        yield _Mark(_scaled(truth.box, scale_xy), text, is_truth=True)


def _metrics(
    prediction: Prediction | None, truth: Sample | None, scale_xy: tuple[float, float]
) -> Iterator[tuple[list[Point | None], Colour]]:
    """The keypoints of the truth, then of the prediction; None where one is not labelled."""
    if truth is not None and truth.keypoints is not None:
        known = [(x, y) if visibility else None for x, y, visibility in truth.keypoints]
        yield [point and _scaled_point(point, scale_xy) for point in known], TRUE
    if prediction is not None and prediction.has_subject and prediction.keypoints is not None:
        yield [_scaled_point((x, y), scale_xy) for x, y, _ in prediction.keypoints], PREDICTED


def _scaled_point(point: Point, scale_xy: tuple[float, float]) -> Point:
    return point[0] / scale_xy[0], point[1] / scale_xy[1]


def _draw_skeleton(
    canvas: ImageDraw.ImageDraw,
    points: Sequence[Point | None],
    keypoints: KeypointSet,
    colour: Colour,
    width: int,
) -> None:
    """Bones cased in black, then keypoints as discs."""
    bones = [(points[first], points[second]) for first, second in keypoints.skeleton]
    for shade, thickness in ((_BLACK, width + 2), (colour, width)):
        for first, second in bones:
            if first is not None and second is not None:
                canvas.line([first, second], fill=shade, width=thickness)
    for point in points:
        if point is not None:
            canvas.circle(point, width + 1, fill=colour, outline=_BLACK)


def _scaled(box: Box, scale_xy: tuple[float, float]) -> Box:
    """A box in pixels of the drawing, its corners in order."""
    left, right = sorted((box[0] / scale_xy[0], box[2] / scale_xy[0]))
    top, bottom = sorted((box[1] / scale_xy[1], box[3] / scale_xy[1]))
    return (left, top, right, bottom)


def _pen(size_wh: tuple[int, int]) -> _Pen:
    mean_side = sum(size_wh) / 2
    return _Pen(line=1 + round(mean_side / 200), text=max(11, round(mean_side / 22)))


def _draw_box(canvas: ImageDraw.ImageDraw, mark: _Mark, width: int) -> None:
    spans = list(_spans(mark.box, width, canvas.im.size))
    if mark.is_truth:
        spans = [dash for span in spans for dash in _dashes(span, 5 * width)]
    for left, top, right, bottom in spans:
        canvas.rectangle((left - 1, top - 1, right + 1, bottom + 1), fill=_BLACK)
    for span in spans:
        canvas.rectangle(span, fill=mark.colour)


def _spans(box: Box, width: int, size_wh: tuple[int, int]) -> Iterator[Span]:
    """The four sides of a box as rectangles of whole pixels, both ends included."""
    left, right = (_first_pixel(edge, width, size_wh[0]) for edge in box[::2])
    top, bottom = (_first_pixel(edge, width, size_wh[1]) for edge in box[1::2])
    more = width - 1
    yield (left, top, right + more, top + more)
    yield (left, bottom, right + more, bottom + more)
    yield (left, top, left + more, bottom + more)
    yield (right, top, right + more, bottom + more)


def _first_pixel(edge: float, width: int, side: int) -> int:
    """Where a line centred on an edge begins; at the frame it is moved inside."""
    return min(max(math.floor(edge - (width - 1) / 2), 0), max(side - width, 0))


def _dashes(span: Span, length: int) -> Iterator[Span]:
    """Cut a side into dashes of about one length, with one at each end so that corners show."""
    left, top, right, bottom = span
    is_level = right - left >= bottom - top
    start, end = (left, right + 1) if is_level else (top, bottom + 1)
    pieces = 1 + 2 * round((end - start) / (2 * length))
    cuts = [start + round(piece * (end - start) / pieces) for piece in range(pieces + 1)]
    for begin, stop in zip(cuts[::2], cuts[1::2], strict=True):
        yield (begin, top, stop - 1, bottom) if is_level else (left, begin, right, stop - 1)


def _draw_plate(canvas: ImageDraw.ImageDraw, mark: _Mark, pen: _Pen) -> None:
    """Write a mark's words beside its box: above for a prediction, below for the truth."""
    font, pad = fonts.font(pen.text), 1 + pen.text // 6
    frame_wh: tuple[int, int] = canvas.im.size
    height = fonts.height(font) + 2 * pad
    text = fonts.cut(" ".join(mark.text.split()), font, frame_wh[0] - 2 * pad)
    if not text or height > frame_wh[1]:
        return
    width = round(font.getlength(text)) + 2 * pad
    left = min(max(round(mark.box[0] - pen.line / 2), 0), frame_wh[0] - width)
    top = _plate_top(mark, height, pen.line, frame_wh[1])
    canvas.rectangle((left, top, left + width - 1, top + height - 1), fill=mark.colour)
    canvas.text((left + pad, top + pad), text, fill=_BLACK, font=font)


def _plate_top(mark: _Mark, height: int, line: int, frame_height: int) -> int:
    """Row where a plate begins: outside the box where the image has room, else inside it."""
    _, top, _, bottom = mark.box
    if mark.is_truth:
        outside = round(bottom + line / 2)
        wanted = outside if outside + height <= frame_height else round(bottom) - height
    else:
        outside = round(top - line / 2) - height
        wanted = outside if outside >= 0 else round(top)
    return min(max(wanted, 0), frame_height - height)
