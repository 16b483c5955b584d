"""Regions of a Label Studio annotation → the subjects of an image.

A label may be that of the rectangle, a choice for that rectangle, or a choice for the image.
Keypoints belong to the rectangle that is their parent, or to the only one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from math import cos, radians, sin

from pydantic import BaseModel, FiniteFloat

from onebox.errors import DataError, shorten
from onebox.formats.json_records import validate
from onebox.formats.label_studio_short import RECTANGLES, UNKNOWN
from onebox.formats.label_studio_tasks import Region
from onebox.formats.rows import Row
from onebox.structures import Box, Keypoints, KeypointSet, as_box

KEYPOINT = "keypointlabels"
HIDDEN = "hidden"
"""Note of a keypoint that is not visible."""

_READ = (*RECTANGLES, KEYPOINT)
_SHAPES = ("polygon", "brush", "ellipse", "bitmask", "vector", "keypoint", UNKNOWN)
_DECIMALS = 9  # of a pixel; percents leave noise behind them
_UNLABELLED = (0.0, 0.0, 0)


class _Rectangle(BaseModel):
    """The ``value`` of a rectangle, in percent; it is turned clockwise about its first corner."""

    x: FiniteFloat
    y: FiniteFloat
    width: FiniteFloat
    height: FiniteFloat
    rotation: FiniteFloat = 0.0
    rectanglelabels: list[str] = []
    labels: list[str] = []


class _Point(BaseModel):
    x: FiniteFloat
    y: FiniteFloat
    keypointlabels: list[str]


def is_shape(region: Region) -> bool:
    """Whether a region marks a place in the image in a way that is not read."""
    return region.type not in _READ and region.type.removesuffix("labels") in _SHAPES


def subjects_of(row: Row, regions: Sequence[Region], keypoints: KeypointSet | None) -> list[Row]:
    """The subjects that an annotation marks: the given row with a label and a box each.

    Returns:
        The row itself if the annotation marks none.

    Raises:
        DataError: If a region cannot be read, or it is not clear what belongs together.
    """
    _check_turn(regions)
    points = [region for region in regions if region.type == KEYPOINT]
    boxes = _rectangles(regions)
    if not boxes and points:
        return [_from_points(row, points, regions, keypoints)]
    if not boxes and (others := sorted({one.type for one in regions if is_shape(one)})):
        raise DataError(f"has {shorten(others)} but no rectangle. Draw one, or skip the task.")
    subjects = [
        replace(
            _with_size(row, region),
            label=_label(region, value, regions),
            box=_box(value, _size(region)),
            keypoints=_keypoints(_points_of(region, points, len(boxes)), keypoints),
        )
        for region, value in boxes
    ]
    return subjects or [row]


def _check_turn(regions: Iterable[Region]) -> None:
    for region in regions:
        if region.image_rotation % 360:
            raise DataError(
                f"was labelled while the image was turned by {region.image_rotation:g} degrees. "
                "Turn it back in Label Studio, and label it again."
            )


def _rectangles(regions: Iterable[Region]) -> list[tuple[Region, _Rectangle]]:
    """The rectangles; entries with one id are one rectangle."""
    found: dict[object, tuple[Region, dict[str, object]]] = {}
    for number, region in enumerate(regions):
        if region.type in RECTANGLES:
            _, value = found.setdefault((number,) if region.id is None else region.id, (region, {}))
            value.update(region.value)
    return [(region, validate(_Rectangle, value)) for region, value in found.values()]


def _size(region: Region) -> tuple[int, int] | None:
    width, height = region.original_width, region.original_height
    return (width, height) if width and height else None


def _with_size(row: Row, region: Region) -> Row:
    size = _size(region)
    return replace(row, stated_wh=size, unit="normalized" if size is None else "pixel")


def _scale(x: float, y: float, size: tuple[int, int] | None) -> tuple[float, float]:
    """Percent → pixels of the stated size, else normalized coordinates."""
    if size is None:
        return x / 100, y / 100
    return round(x / 100 * size[0], _DECIMALS), round(y / 100 * size[1], _DECIMALS)


def _box(value: _Rectangle, size: tuple[int, int] | None) -> Box:
    corner = _scale(value.x, value.y, size)
    opposite = _scale(value.x + value.width, value.y + value.height, size)
    if not value.rotation % 360:
        return (*corner, *opposite)
    if size is None:
        raise DataError(
            f"has a rectangle turned by {value.rotation:g} degrees, and not the size of the "
            "image. Export it as JSON with original_width and original_height."
        )
    return _hull_of_turned((*corner, *opposite), value.rotation)


def _hull_of_turned(box: Box, degrees: float) -> Box:
    x, y, x_max, y_max = box
    cosine, sine = cos(radians(degrees)), sin(radians(degrees))
    turned = [
        (x + across * cosine - down * sine, y + across * sine + down * cosine)
        for across in (0, x_max - x)
        for down in (0, y_max - y)
    ]
    xs, ys = zip(*turned, strict=True)
    edges = (min(xs), min(ys), max(xs), max(ys))
    return as_box(round(edge, _DECIMALS) for edge in edges)


def _label(region: Region, value: _Rectangle, regions: Iterable[Region]) -> str | None:
    own = value.rectanglelabels or value.labels
    choices = [one for one in regions if one.type == "choices"]
    of_region = [one for one in choices if one.id is not None and one.id == region.id]
    listed = [own, _choices(of_region), _choices(choices)]
    names = next(filter(None, listed), [])
    if len(names) > 1:
        raise DataError(
            f"has the labels {shorten(names)} on one rectangle; a subject has one. Keep one."
        )
    return names[0] if names else None


def _choices(regions: Iterable[Region]) -> list[str]:
    listed = (region.value.get("choices") for region in regions)
    return [str(name) for names in listed if isinstance(names, list) for name in names]


def _points_of(rectangle: Region, points: Sequence[Region], count: int) -> list[Region]:
    if count == 1:
        return list(points)
    if any(point.parentID is None for point in points):
        raise DataError(
            f"has keypoints that belong to none of its {count} rectangles. Make each the child of "
            "one."
        )
    return [point for point in points if point.parentID == rectangle.id]


# A subject that is marked by keypoints alone: its box is their hull.
def _from_points(
    row: Row, points: Sequence[Region], regions: Iterable[Region], keypoints: KeypointSet | None
) -> Row:
    made = _keypoints(points, keypoints)
    if made is None:
        raise DataError("has keypoints, but their names are not known. Correct meta.keypoints.")
    labelled = [(x, y) for x, y, visibility in made if visibility]
    xs, ys = zip(*labelled, strict=True)
    names = _choices(one for one in regions if one.type == "choices")
    return replace(
        _with_size(row, points[0]),
        label=names[0] if len(names) == 1 else None,
        box=(min(xs), min(ys), max(xs), max(ys)),
        keypoints=made,
    )


def _keypoints(points: Sequence[Region], keypoints: KeypointSet | None) -> Keypoints | None:
    if not points or keypoints is None:
        return None
    found: dict[str, tuple[float, float, int]] = {}
    for point in points:
        value = validate(_Point, point.value)
        name = _name_of(value, found, keypoints)
        is_hidden = point.meta is not None and HIDDEN in point.meta.text
        found[name] = (*_scale(value.x, value.y, _size(point)), 1 if is_hidden else 2)
    return tuple(found.get(name, _UNLABELLED) for name in keypoints.names)


def _name_of(value: _Point, found: Mapping[str, object], keypoints: KeypointSet) -> str:
    if len(value.keypointlabels) != 1:
        raise DataError(f"has a keypoint with {len(value.keypointlabels)} names. Give it one name.")
    (name,) = value.keypointlabels
    if name in found:
        raise DataError(f"has the keypoint {name!r} twice. Remove one of them.")
    if name not in keypoints.names:
        raise DataError(
            f"has the keypoint {name!r}, which is not one of {shorten(keypoints.names)}. "
            "Correct it."
        )
    return name
