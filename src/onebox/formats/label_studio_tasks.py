"""The records of a Label Studio export, and of its shorter form JSON-MIN as the same records."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from onebox.errors import DataError
from onebox.formats.json_records import read_first_entry, read_json, validate
from onebox.formats.rows import Problems

_OWN_KEYS = frozenset({"id", "annotation_id", "annotator", "created_at", "updated_at", "lead_time"})
"""Keys of JSON-MIN that are neither data nor results."""


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
    for number, entry in enumerate(entries, start=1):
        with problems.at(f"{path.name}: task {_id_of(entry, number)}"):
            task = validate(Task, _in_full(entry))
            tasks.append(PlacedTask(f"{path.name}: task {_id_of(entry, number)}", task))
    return tasks


def _id_of(entry: object, number: int) -> object:
    found = entry.get("id") if isinstance(entry, dict) else None
    return found if isinstance(found, int | str) else number


def _is_short(entry: Mapping[str, Any]) -> bool:
    return "data" not in entry and ("annotation_id" in entry or "annotator" in entry)


def _in_full(entry: object) -> object:
    """An entry of JSON-MIN as a task; any other entry as it is."""
    if not isinstance(entry, dict) or not _is_short(entry):
        return entry
    values = {key: value for key, value in entry.items() if key not in _OWN_KEYS}
    results = {key: value for key, value in values.items() if _holds_regions(value)}
    data = {key: value for key, value in values.items() if key not in results}
    regions = [_region(one) for listed in results.values() for one in listed]
    return {"id": entry.get("id"), "data": data, "annotations": [{"result": regions}]}


def _holds_regions(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, dict) for one in value)


def _region(value: Mapping[str, Any]) -> dict[str, Any]:
    """A region of JSON-MIN: its keys are those of ``value``; its list of labels tells its type."""
    kind = next((key for key in value if key.endswith("labels")), "unknown")
    return {**value, "type": kind, "value": dict(value)}
