"""JSON-MIN, the shorter form of a Label Studio export, as tasks of the full one."""

from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

from onebox.errors import DataError, shorten
from onebox.formats.label_studio_images import image_url

_OWN_KEYS = frozenset({"id", "annotation_id", "annotator", "created_at", "updated_at", "lead_time"})
"""Keys of JSON-MIN that are neither data nor results."""

_NO_CLASSES = frozenset(
    {"agreement", "status", "source", "split", "title", "description"}
    | {"comment", "comments", "note", "notes", "url"}
)
"""Keys whose texts are not read as classes: they say something else of an image."""

_REPAIR = "Export the project as JSON instead of JSON-MIN."

UNKNOWN = "unknown"
"""The type of a region that is nothing below."""

_LABELLED = ("rectanglelabels", "labels")
_BARE = "rectangle"
RECTANGLES = (*_LABELLED, _BARE)
_CHOICES = "choices"
_CORNER_AND_SIZE = ("x", "y", "width", "height")
_KINDS: tuple[tuple[Set[str], str], ...] = (
    ({_CHOICES}, _CHOICES),
    ({*_CORNER_AND_SIZE}, _BARE),
    ({"points"}, "polygon"),
    ({"vertices"}, "vector"),
    ({"rle"}, "brush"),
    ({"imageDataURL"}, "bitmask"),
    ({"radiusX"}, "ellipse"),
    ({"x", "y", "width"}, "keypoint"),
    *(({key}, key) for key in ("text", "rating", "number", "taxonomy", "datetime")),
)
"""What regions without a list of labels hold, and their types; the first that fits counts."""


def is_short(entry: object) -> bool:
    """Whether an entry of an export is one of JSON-MIN."""
    if not isinstance(entry, dict) or "data" in entry:
        return False
    return "annotation_id" in entry or "annotator" in entry


def in_full(entry: object) -> object:
    """An entry of JSON-MIN as a task with at most one annotation; any other entry as it is.

    Raises:
        DataError: If it names no image, or it is not clear what is a result.
    """
    if not isinstance(entry, dict) or not is_short(entry):
        return entry
    values = {key: value for key, value in entry.items() if key not in _OWN_KEYS}
    results = {key: value for key, value in _after(entry, "id").items() if _holds_regions(value)}
    data = {key: value for key, value in values.items() if key not in results}
    regions = [_region(key, one) for key, listed in results.items() for one in listed]
    # A task that nobody labelled has the number null.
    is_labelled = any(map(_is_known, regions)) or entry.get("annotation_id", "") is not None
    texts = _texts(entry, image_url(data))
    annotations = [_annotation(_without_bare_twins(regions), data, texts)] if is_labelled else []
    return {"id": entry.get("id"), "data": data, "annotations": annotations}


# Label Studio writes the data of the task, its id, and then the results. A result or an id with
# the name of a column of the data takes the place of that column.
def _after(entry: Mapping[str, Any], key: str) -> dict[str, Any]:
    keys = list(entry)
    last = keys[keys.index(key) + 1 :] if key in entry else keys
    return {one: entry[one] for one in last if one not in _OWN_KEYS}


def _texts(entry: Mapping[str, Any], image: str) -> dict[str, str]:
    """The texts that may be choices: those after the id and the image, if their key is no other."""
    of_image = next(key for key, value in entry.items() if value == image)
    last = _after(entry, of_image).keys() & _after(entry, "id").keys()
    keys = [key for key in entry if key in last and key.casefold() not in _NO_CLASSES]
    texts = {key: entry[key] for key in keys if isinstance(entry[key], str)}
    return {key: text for key, text in texts.items() if text.strip() and text != image}


def _annotation(
    regions: list[dict[str, Any]], data: dict[str, Any], texts: Mapping[str, str]
) -> dict[str, Any]:
    """The regions, with the only text as a choice if a rectangle has no label.

    Raises:
        DataError: If it is not clear what is a result, or which text is the class.
    """
    _check_known(regions)
    _check_data(regions, data)
    if not texts or not _lack_a_label(regions):
        return {"result": regions}
    if len(texts) > 1:
        raise DataError(
            f"has a rectangle without a label and the texts {shorten(list(texts))}; JSON-MIN does "
            f"not say which is the class. {_REPAIR}"
        )
    ((key, text),) = texts.items()
    return {"result": [*regions, _region(key, {_CHOICES: [text]})], "class_key": key}


def _check_known(regions: Sequence[dict[str, Any]]) -> None:
    unknown = next((one for one in regions if not _is_known(one)), None)
    if unknown is not None and not any(map(_is_marked, regions)):
        keys = shorten(list(unknown["value"])) or "no keys"
        raise DataError(
            f"{unknown['from_name']!r} holds a region with {keys}, which is not known. {_REPAIR}"
        )


# The regions may be results in the place of a column, or data: labels of an earlier project.
def _check_data(regions: Iterable[dict[str, Any]], data: Mapping[str, Any]) -> None:
    labelled = [
        key
        for key, value in data.items()
        if _holds_regions(value) and any(_kind(one) in _LABELLED for one in value)
    ]
    if labelled and not any(one["type"] in RECTANGLES for one in regions):
        raise DataError(
            f"has labelled rectangles in {shorten(labelled)} alone, before the id, where data are. "
            f"{_REPAIR}"
        )


def _lack_a_label(regions: Iterable[dict[str, Any]]) -> bool:
    listed = [(one["type"], one["value"]) for one in regions]
    lacking = any(kind in RECTANGLES and not value.get(kind) for kind, value in listed)
    return lacking and all(kind != _CHOICES for kind, _ in listed)


def _holds_regions(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, dict) for one in value)


def _region(key: str, value: dict[str, Any]) -> dict[str, Any]:
    """A region of JSON-MIN, whose keys are those of ``value``; they tell its type."""
    kind = _kind(value)
    known = {} if kind == UNKNOWN else value
    return {**known, "from_name": key, "type": kind, "value": value}


def _kind(value: Mapping[str, Any]) -> str:
    labels = next((key for key in value if key.endswith("labels")), None)
    # Relations, and the boxes of a video, have labels and no place.
    if labels is not None and (labels != "labels" or "x" in value):
        return labels
    return next((kind for keys, kind in _KINDS if keys <= value.keys()), UNKNOWN)


def _is_known(region: Mapping[str, Any]) -> bool:
    return region["type"] != UNKNOWN


def _is_marked(region: Mapping[str, Any]) -> bool:
    return region["type"] == _BARE or region["type"].endswith("labels")


# A rectangle and its labels may be results of two controls, without the id that joins them.
def _without_bare_twins(regions: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    labelled = [_place(one) for one in regions if one["type"].endswith("labels")]
    return [one for one in regions if one["type"] != _BARE or _place(one) not in labelled]


def _place(region: Mapping[str, Any]) -> list[object]:
    return [region["value"].get(key) for key in (*_CORNER_AND_SIZE, "rotation")]
