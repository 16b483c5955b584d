"""Boxes and keypoints drawn on pixels.

Every image uses the same code: the prediction is a solid orange line, the ground truth a dashed
sky-blue one, both outlined in black so that they are visible on any background. The two colours
are from the Okabe-Ito palette, which is safe for colour-blind readers; the dashes carry the same
information without colour. Thin dashed lines in the colour of the prediction are its outer and
inner box. A prediction that is not accepted is vermilion and says "doubtful". Lines are centred on
a box's edges and never leave the image.
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

DOUBTFUL = (213, 94, 0)
"""RGB of a predicted box that is not accepted; see `Prediction.accepted`."""

TRUE = (86, 180, 233)
"""RGB of a true box."""

NO_SUBJECT = "no subject"
"""The text drawn if the model finds no subject."""

_TOP_LEFT = (0.0, 0.0, 0.0, 0.0)
_BLACK = (0, 0, 0)

Span = tuple[int, int, int, int]
Point = tuple[float, float]
Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class _Mark:
    """One box to draw, ``xyxy`` in pixels of the drawing, and the text of the plate beside it."""

    box: Box
    colour: Colour
    text: str = ""  # empty for no plate
    is_truth: bool = False
    is_limit: bool = False  # an outer or inner box
    has_line: bool = True  # if not, the box only positions the plate


@dataclass(frozen=True, slots=True)
class _Pen:
    """Line width and text height, in pixels, for one image size."""

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
    """Draw a prediction and the ground truth on a copy of an image.

    A plate beside the predicted box shows its label and score, and says "doubtful" if the
    prediction is not accepted. If the model finds no subject, a plate in the corner says "no
    subject", and neither boxes nor keypoints are drawn. The true box has
    a plate with its label if the prediction does not show the same. Text stays inside the image,
    and is shortened or left out if the image is too small for it.

    Args:
        pixels: The upright image.
        prediction: Its box is drawn solid, its outer and inner box thin and dashed.
        truth: Its box, if it has one, is drawn dashed.
        keypoints: The skeleton that connects the keypoints of both; None draws no keypoints.
        scale_xy: Columns and rows of the whole image that one pixel of ``pixels`` covers, as in
            `LoadedImage`; boxes are in pixels of the whole image.

    Returns:
        An RGB image of the same size.
    """
    image = Image.fromarray(pixels)
    canvas = ImageDraw.Draw(image)
    pen = _pen(image.size)
    marks = list(_marks(prediction, truth, scale_xy))
    for mark in marks:
        if mark.has_line:
            _draw_box(canvas, mark, pen)
    if keypoints is not None:
        for points, colour in _skeletons(prediction, truth, scale_xy):
            _draw_skeleton(canvas, points, keypoints, colour, pen.line)
    for mark in marks:  # after all lines, which would cross the text out
        _draw_plate(canvas, mark, pen)
    return image


def draw_correction(
    pixels: Pixels,
    given: Sample,
    *,
    box: Box | None = None,
    label: str | None = None,
    scale_xy: tuple[float, float] = (1.0, 1.0),
) -> Image.Image:
    """Draw a label and what may replace it on a copy of an image.

    The labelled box is dashed and sky-blue, the suggested one solid and orange. If a class is
    suggested, plates show both classes.

    Args:
        pixels: The upright image.
        given: The label.
        box: The suggested box; None if there is none.
        label: The suggested class; None if there is none.
        scale_xy: As in `draw`.

    Returns:
        An RGB image of the same size.
    """
    image = Image.fromarray(pixels)
    canvas = ImageDraw.Draw(image)
    pen = _pen(image.size)
    given_text = "" if label is None else given.label or ""
    marks = []
    if given.box is not None:
        marks.append(_Mark(_scale_box(given.box, scale_xy), TRUE, given_text, is_truth=True))
    if box is not None or label is not None:
        place = _scale_box(box or given.box or _TOP_LEFT, scale_xy)
        marks.append(_Mark(place, PREDICTED, label or "", has_line=box is not None))
    for mark in marks:
        if mark.has_line:
            _draw_box(canvas, mark, pen)
    for mark in marks:
        _draw_plate(canvas, mark, pen)
    return image


def resize_longer_side(image: LoadedImage, side: int) -> LoadedImage:
    """Resize an image, up or down, so that the longer of width and height is ``side`` pixels.

    Returns:
        The resized pixels, with the scale from the whole image to them.
    """
    longer = max(image.size_wh)
    width, height = (max(1, round(length * side / longer)) for length in image.size_wh)
    stored_height, stored_width = image.pixels.shape[:2]
    # The last column and row may cover fewer pixels than the others: their excess is cut off.
    covered = (
        min(image.size_wh[0] / image.scale_xy[0], stored_width),
        min(image.size_wh[1] / image.scale_xy[1], stored_height),
    )
    stored = Image.fromarray(image.pixels)
    resized = stored.resize((width, height), Image.Resampling.BICUBIC, box=(0, 0, *covered))
    scale_xy = (image.size_wh[0] / width, image.size_wh[1] / height)
    return LoadedImage(np.asarray(resized), image.size_wh, scale_xy)


def _marks(
    prediction: Prediction | None, truth: Sample | None, scale_xy: tuple[float, float]
) -> Iterator[_Mark]:
    found = prediction if prediction is not None and prediction.has_subject else None
    if found is not None:
        colour = _colour(found)
        for limit in (found.outer_box, found.inner_box):
            if limit is not None:
                yield _Mark(_scale_box(limit, scale_xy), colour, is_limit=True)
        yield _Mark(_scale_box(found.box, scale_xy), colour, _text(found))
    elif prediction is not None:
        yield _Mark(_TOP_LEFT, PREDICTED, NO_SUBJECT, has_line=False)
    if truth is not None and truth.box is not None:
        is_predicted = found is not None and found.label == truth.label
        text = "" if is_predicted or truth.label is None else truth.label
        yield _Mark(_scale_box(truth.box, scale_xy), TRUE, text, is_truth=True)


def _colour(prediction: Prediction) -> Colour:
    return DOUBTFUL if prediction.accepted is False else PREDICTED


def _text(prediction: Prediction) -> str:
    # The warning comes first: a plate that is too narrow loses its end.
    warning = "doubtful: " if prediction.accepted is False else ""
    return f"{warning}{prediction.label} {prediction.score:.2f}"


def _skeletons(
    prediction: Prediction | None, truth: Sample | None, scale_xy: tuple[float, float]
) -> Iterator[tuple[list[Point | None], Colour]]:
    """True, then predicted keypoints, each with its colour; None for one that is not labelled."""
    if truth is not None and truth.keypoints is not None:
        known = [(x, y) if visibility else None for x, y, visibility in truth.keypoints]
        yield [point and _scale_point(point, scale_xy) for point in known], TRUE
    if prediction is not None and prediction.has_subject and prediction.keypoints is not None:
        points = [_scale_point((x, y), scale_xy) for x, y, _ in prediction.keypoints]
        yield [*points], _colour(prediction)


def _scale_point(point: Point, scale_xy: tuple[float, float]) -> Point:
    return point[0] / scale_xy[0], point[1] / scale_xy[1]


def _draw_skeleton(
    canvas: ImageDraw.ImageDraw,
    points: Sequence[Point | None],
    keypoints: KeypointSet,
    colour: Colour,
    width: int,
) -> None:
    """Draw bones outlined in black, then keypoints as discs."""
    bones = [(points[first], points[second]) for first, second in keypoints.skeleton]
    for shade, thickness in ((_BLACK, width + 2), (colour, width)):
        for first, second in bones:
            if first is not None and second is not None:
                canvas.line([first, second], fill=shade, width=thickness)
    for point in points:
        if point is not None:
            canvas.circle(point, width + 1, fill=colour, outline=_BLACK)


def _scale_box(box: Box, scale_xy: tuple[float, float]) -> Box:
    """Scale a box to pixels of the drawing, its corners in order."""
    left, right = sorted((box[0] / scale_xy[0], box[2] / scale_xy[0]))
    top, bottom = sorted((box[1] / scale_xy[1], box[3] / scale_xy[1]))
    return (left, top, right, bottom)


def _pen(size_wh: tuple[int, int]) -> _Pen:
    mean_side = sum(size_wh) / 2
    # Looks only, not tuned; text below 11 pixels is hard to read.
    return _Pen(line=1 + round(mean_side / 200), text=max(11, round(mean_side / 22)))


def _draw_box(canvas: ImageDraw.ImageDraw, mark: _Mark, pen: _Pen) -> None:
    width = max(1, pen.line // 2) if mark.is_limit else pen.line
    spans = list(_spans(mark.box, width, canvas.im.size))
    if mark.is_truth or mark.is_limit:
        spans = [dash for span in spans for dash in _dashes(span, 5 * width)]
    for left, top, right, bottom in spans:
        canvas.rectangle((left - 1, top - 1, right + 1, bottom + 1), fill=_BLACK)
    for span in spans:
        canvas.rectangle(span, fill=mark.colour)


def _spans(box: Box, width: int, size_wh: tuple[int, int]) -> Iterator[Span]:
    """The four edges of a box as rectangles of whole pixels, both ends included."""
    left, right = (_first_pixel(edge, width, size_wh[0]) for edge in box[::2])
    top, bottom = (_first_pixel(edge, width, size_wh[1]) for edge in box[1::2])
    more = width - 1
    yield (left, top, right + more, top + more)
    yield (left, bottom, right + more, bottom + more)
    yield (left, top, left + more, bottom + more)
    yield (right, top, right + more, bottom + more)


def _first_pixel(edge: float, width: int, image_side: int) -> int:
    """First pixel of a line centred on an edge, moved inside the image if necessary."""
    return min(max(math.floor(edge - (width - 1) / 2), 0), max(image_side - width, 0))


def _dashes(span: Span, length: int) -> Iterator[Span]:
    """Cut an edge into dashes of about equal length, one at each end so that corners are drawn."""
    left, top, right, bottom = span
    is_horizontal = right - left >= bottom - top
    start, end = (left, right + 1) if is_horizontal else (top, bottom + 1)
    pieces = 1 + 2 * round((end - start) / (2 * length))
    cuts = [start + round(piece * (end - start) / pieces) for piece in range(pieces + 1)]
    for begin, stop in zip(cuts[::2], cuts[1::2], strict=True):
        yield (begin, top, stop - 1, bottom) if is_horizontal else (left, begin, right, stop - 1)


def _draw_plate(canvas: ImageDraw.ImageDraw, mark: _Mark, pen: _Pen) -> None:
    """Write a mark's text beside its box: above a prediction, below the ground truth."""
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
    """Top row of a plate: outside the box if the image has room there, else inside."""
    _, top, _, bottom = mark.box
    if mark.is_truth:
        outside = round(bottom + line / 2)
        wanted = outside if outside + height <= frame_height else round(bottom) - height
    else:
        outside = round(top - line / 2) - height
        wanted = outside if outside >= 0 else round(top)
    return min(max(wanted, 0), frame_height - height)
