"""The records of a Label Studio export."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from onebox.errors import DataError
from onebox.formats.json_records import read_first_entry, read_json, validate
from onebox.formats.label_studio_images import image_url
from onebox.formats.label_studio_short import in_full, is_short
from onebox.formats.rows import Problems


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
    """What one annotator said of an image.

    ``class_key`` is the key of JSON-MIN whose text is read as the class.
    """

    was_cancelled: bool | None = False
    result: list[Region]
    class_key: str | None = None


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
    return isinstance(first.get("data"), dict) or is_short(first)


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
    are_short = is_short(next(iter(entries), None))
    for number, entry in enumerate(entries, start=1):
        with problems.at(f"{path.name}: task {_id_of(entry, number)}"):
            task = validate(Task, in_full(entry))
            tasks.append(PlacedTask(f"{path.name}: task {_id_of(entry, number)}", task))
    return _joined(tasks) if are_short else tasks


def _id_of(entry: object, number: int) -> object:
    found = entry.get("id") if isinstance(entry, dict) else None
    return found if isinstance(found, int | str) else number


def _joined(tasks: Iterable[PlacedTask]) -> list[PlacedTask]:
    """The tasks of JSON-MIN, which lists each annotation of a task as an entry of its own."""
    joined: dict[object, PlacedTask] = {}
    for one in tasks:
        key = one.task.id, image_url(one.task.data)
        first = joined.setdefault(key, one)
        if first is not one:
            first.task.annotations.extend(one.task.annotations)
    return list(joined.values())
