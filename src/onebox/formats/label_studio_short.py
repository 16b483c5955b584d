"""JSON-MIN, the shorter form of a Label Studio export, as tasks of the full one."""

from collections.abc import Mapping, Sequence, Set
from itertools import chain
from typing import Any

from onebox.errors import DataError, shorten
from onebox.formats.label_studio_images import image_url

_OWN_KEYS = frozenset({"id", "annotation_id", "annotator", "created_at", "updated_at", "lead_time"})
"""Keys of JSON-MIN that are neither data nor results."""

_BARE = "rectangle"
_CORNER_AND_SIZE = ("x", "y", "width", "height")
_KINDS: tuple[tuple[Set[str], str], ...] = (
    ({"choices"}, "choices"),
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
        DataError: If it names no image, or a result is not known.
    """
    if not isinstance(entry, dict) or not is_short(entry):
        return entry
    # Label Studio writes the data of the task, its id, and then the results.
    keys = list(entry)
    last = keys[keys.index("id") :] if "id" in entry else keys
    values = {key: value for key, value in entry.items() if key not in _OWN_KEYS}
    listed = {key: _regions(key, value, is_result=key in last) for key, value in values.items()}
    data = {key: value for key, value in values.items() if listed[key] is None}
    choices = _choices({key: data[key] for key in last if key in data}, image_url(data))
    regions = [*chain.from_iterable(one or [] for one in listed.values()), *choices.values()]
    annotation = {"result": _without_bare_twins(regions)}
    # A task that nobody labelled has the number null.
    is_labelled = bool(regions) or entry.get("annotation_id", "") is not None
    return {
        "id": entry.get("id"),
        "data": {key: value for key, value in data.items() if key not in choices},
        "annotations": [annotation] if is_labelled else [],
    }


def _choices(values: Mapping[str, object], image: str) -> dict[str, dict[str, Any]]:
    """The texts of JSON-MIN, which are single choices; neither the image nor the split is one."""
    return {
        key: {"type": "choices", "value": {"choices": [value]}}
        for key, value in values.items()
        if isinstance(value, str) and value != image and key != "split"
    }


def _regions(key: str, value: object, *, is_result: bool) -> list[dict[str, Any]] | None:
    """The regions that a value of JSON-MIN lists; None if it holds something else.

    Raises:
        DataError: If it is a result, and a region of it is not known.
    """
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        return None
    kinds = [_kind(one) for one in value]
    if None not in kinds:
        return [{**one, "type": kind, "value": one} for one, kind in zip(value, kinds, strict=True)]
    if is_result:
        unknown = shorten(list(value[kinds.index(None)])) or "no keys"
        raise DataError(
            f"{key!r} holds a region with {unknown}, which is not known. Export the project as "
            "JSON instead of JSON-MIN."
        )
    return None


def _kind(value: Mapping[str, Any]) -> str | None:
    """The type of a region of JSON-MIN, which does not state it; None if it is not known."""
    labels = next((key for key in value if key.endswith("labels")), None)
    return labels or next((kind for keys, kind in _KINDS if keys <= value.keys()), None)


# A rectangle and its labels may be results of two controls, without the id that joins them.
def _without_bare_twins(regions: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    labelled = [_place(one) for one in regions if one["type"].endswith("labels")]
    return [one for one in regions if one["type"] != _BARE or _place(one) not in labelled]


def _place(region: Mapping[str, Any]) -> list[object]:
    return [region["value"].get(key) for key in (*_CORNER_AND_SIZE, "rotation")]
