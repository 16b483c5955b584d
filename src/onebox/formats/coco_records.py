"""Reads a COCO file and checks each of its parts, so that every bad part is named."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from onebox.errors import DataError
from onebox.formats.json_records import Record, read_json, validate
from onebox.formats.keypoints import make_keypoint_set
from onebox.formats.rows import Problems
from onebox.structures import KeypointSet

Id = int | str


class CocoImage(BaseModel):
    """An entry of ``images``; ``split`` is our own key."""

    id: Id
    file_name: str
    width: int | None = None
    height: int | None = None
    split: str = ""


class CocoCategory(BaseModel):
    """An entry of ``categories``; its pairs count keypoints from 1."""

    id: Id
    name: str
    keypoints: list[str] = []
    skeleton: list[list[int]] = []
    flip_pairs: list[list[int]] | None = None


class CocoAnnotation(BaseModel):
    """An entry of ``annotations``; ``bbox`` is ``x, y, width, height`` in pixels."""

    id: Id = "?"
    image_id: Id
    category_id: Id
    bbox: list[float] = []
    keypoints: list[float] = []
    iscrowd: int = 0


@dataclass(frozen=True, slots=True)
class CocoFile:
    """A COCO file whose entries have the right types, in the order of the file."""

    name: str  # for messages
    images: tuple[CocoImage, ...]
    categories: Mapping[Id, CocoCategory]
    annotations: Mapping[Id, list[CocoAnnotation]]  # by the image's id
    keypoints: KeypointSet | None  # None if the categories name none


def load(path: Path, problems: Problems) -> CocoFile:
    """Read a COCO file; ``problems`` collects one for each entry of a wrong type or wrong ids.

    Raises:
        DataError: If it is not COCO at all.
    """
    return _check(path.name, _load_json(path), problems)


def _load_json(path: Path) -> dict[str, list[Any]]:
    content = read_json(path)
    keys = ("images", "annotations", "categories")
    lists = content if isinstance(content, dict) else {}
    missing = [key for key in keys if not isinstance(lists.get(key), list)]
    if missing:
        raise DataError(
            f"{path.name}: is not COCO: it has no list called {', '.join(missing)}. Add it, or "
            "name the right file."
        )
    return {key: lists[key] for key in keys}


def _check(name: str, content: dict[str, list[Any]], problems: Problems) -> CocoFile:
    def entries(key: str, kind: type[Record]) -> list[Record]:
        valid = []
        for number, raw in enumerate(content[key]):
            with problems.at(f"{name}: {key}[{number}]"):
                valid.append(validate(kind, raw))
        return valid

    images = entries("images", CocoImage)
    listed = entries("categories", CocoCategory)
    categories = {category.id: category for category in listed}
    annotations: dict[Id, list[CocoAnnotation]] = {image.id: [] for image in images}
    for kind, count, ids in (
        ("images", len(images), len(annotations)),
        ("categories", len(listed), len(categories)),
    ):
        if ids < count:
            problems.sentences.append(
                f"{name}: several {kind} have the same id. Give each its own id."
            )
    for annotation in entries("annotations", CocoAnnotation):
        with problems.at(f"{name}: annotation {annotation.id}"):
            _check_references(annotation, annotations, categories)
            annotations[annotation.image_id].append(annotation)
    keypoints = None
    with problems.at(name):
        keypoints = _keypoints(list(categories.values()))
    return CocoFile(name, tuple(images), categories, annotations, keypoints)


def _check_references(
    annotation: CocoAnnotation, images: Mapping[Id, object], categories: Mapping[Id, object]
) -> None:
    if annotation.image_id not in images:
        raise DataError(
            f"image_id {annotation.image_id} is not among the images. Add the image, or remove "
            "the annotation."
        )
    if annotation.category_id not in categories:
        raise DataError(
            f"category_id {annotation.category_id} is not among the categories "
            f"({', '.join(map(str, categories))}). Correct it."
        )


def _keypoints(categories: Sequence[CocoCategory]) -> KeypointSet | None:
    with_keypoints = [category for category in categories if category.keypoints]
    sets = [
        make_keypoint_set(
            category.keypoints,
            _from_zero(category.skeleton),
            None if category.flip_pairs is None else _from_zero(category.flip_pairs),
        )
        for category in with_keypoints
    ]
    if any(keypoints != sets[0] for keypoints in sets[1:]):
        names = ", ".join(category.name for category in with_keypoints)
        raise DataError(
            f"categories {names} have different keypoints; a data set has one set of keypoints. "
            "Split the file by category."
        )
    return sets[0] if sets else None


def _from_zero(pairs: Sequence[Sequence[int]]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(keypoint - 1 for keypoint in pair) for pair in pairs)
