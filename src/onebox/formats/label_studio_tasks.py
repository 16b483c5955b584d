"""The records of a Label Studio export, and of its shorter form JSON-MIN as the same records."""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from onebox.errors import DataError, shorten
from onebox.formats.json_records import read_first_entry, read_json, validate
from onebox.formats.label_studio_images import image_url
from onebox.formats.rows import Problems

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


class KeypointNames(BaseModel):
    """Our own key ``meta.keypoints``: names, and pairs of indices from 0."""

    names: list[str]
    skeleton: list[list[int]] = []
    flip_pairs: list[list[int]] | None = None


class TaskMeta(BaseModel):
    """What ``meta`` of a task may say; other keys are ignored."""

    keypoints: KeypointNames | None = None
    split: str = ""


class RegionMeta(BaseModel):
    """Notes of a region."""

    text: list[str] = []


class Region(BaseModel):
    """One entry of ``result``: a rectangle, a keypoint, a choice, or something else.

    ``value`` holds percents of the image's width and height.
    """

    id: str | int | None = None
    type: str
    value: dict[str, Any] = {}
    original_width: int | None = None
    original_height: int | None = None
    image_rotation: float = 0.0
    parentID: str | int | None = None  # noqa: N815  (the name in the file)
    meta: RegionMeta | None = None


class Annotation(BaseModel):
    """What one annotator said of an image."""

    was_cancelled: bool | None = False
    result: list[Region]


class Task(BaseModel):
    """One image to label, with its annotations."""

    id: int | str | None = None
    data: dict[str, Any]
    annotations: list[Annotation] = []
    predictions: list[Any] = []
    meta: TaskMeta | None = None

    @property
    def submitted(self) -> list[Annotation]:
        """The annotations that nobody skipped."""
        return [one for one in self.annotations if not one.was_cancelled]


@dataclass(frozen=True, slots=True)
class PlacedTask:
    """A task, and where it is, as ``labels.json: task 12``."""

    origin: str
    task: Task


def is_labels(path: Path) -> bool:
    """Whether the first entry of a JSON file is a task of Label Studio, in full or as JSON-MIN."""
    first = read_first_entry(path)
    return isinstance(first.get("data"), dict) or _is_short(first)


def load(path: Path, problems: Problems) -> list[PlacedTask]:
    """Read the tasks of a file; ``problems`` collects one for each that is wrong.

    Raises:
        DataError: If it is not a JSON list.
    """
    entries = read_json(path)
    if not isinstance(entries, list):
        raise DataError(
            f"{path.name}: is not Label Studio: it is no JSON list of tasks. Export it as JSON."
        )
    tasks = []
    is_short = _is_short(next(iter(entries), None))
    for number, entry in enumerate(entries, start=1):
        with problems.at(f"{path.name}: task {_id_of(entry, number)}"):
            task = validate(Task, _in_full(entry))
            tasks.append(PlacedTask(f"{path.name}: task {_id_of(entry, number)}", task))
    return _joined(tasks) if is_short else tasks


def _id_of(entry: object, number: int) -> object:
    found = entry.get("id") if isinstance(entry, dict) else None
    return found if isinstance(found, int | str) else number


def _is_short(entry: object) -> bool:
    if not isinstance(entry, dict) or "data" in entry:
        return False
    return "annotation_id" in entry or "annotator" in entry


def _in_full(entry: object) -> object:
    """An entry of JSON-MIN as a task with at most one annotation; any other entry as it is.

    Raises:
        DataError: If it names no image, or a result is not known.
    """
    if not isinstance(entry, dict) or not _is_short(entry):
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


def _joined(tasks: Iterable[PlacedTask]) -> list[PlacedTask]:
    """The tasks of JSON-MIN, which lists each annotation of a task as an entry of its own."""
    joined: dict[object, PlacedTask] = {}
    for one in tasks:
        key = one.task.id, image_url(one.task.data)
        first = joined.setdefault(key, one)
        if first is not one:
            first.task.annotations.extend(one.task.annotations)
    return list(joined.values())
