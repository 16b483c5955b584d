"""Reads a COCO file and checks each of its parts, so that every bad part is named."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

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


_WithId = TypeVar("_WithId", CocoImage, CocoCategory)


@dataclass(frozen=True, slots=True)
class CocoFile:
    """A COCO file whose entries have the right types, in the order of the file."""

    name: str  # for messages
    images: tuple[CocoImage, ...]
    categories: Mapping[Id, CocoCategory]
    annotations: Mapping[Id, list[CocoAnnotation]]  # by the image's id
    keypoints: KeypointSet | None  # None if the categories name none


@dataclass(frozen=True, slots=True)
class _Content:
    """The lists of a COCO file, and the problems found in them."""

    name: str
    lists: Mapping[str, list[Any]]
    problems: Problems

    def entries(self, key: str, kind: type[Record]) -> list[Record]:
        """The entries of a list that have the right types."""
        valid = []
        for number, raw in enumerate(self.lists[key]):
            with self.problems.at(f"{self.name}: {key}[{number}]"):
                valid.append(validate(kind, raw))
        return valid

    def distinct(self, key: str, kind: type[_WithId]) -> dict[Id, _WithId]:
        """Those entries by their ids, but for different ones that share an id."""
        entries = self.entries(key, kind)
        known = {entry.id: entry for entry in entries}
        shared = {entry.id for entry in entries if entry != known[entry.id]}
        for each in sorted(shared, key=str):
            del known[each]
            self.problems.sentences.append(
                f"{self.name}: {self.count_ids(key)[each]} {key} have the id {each}. Give each its "
                "own id."
            )
        return known

    def count_ids(self, key: str, id_key: str = "id") -> Counter[object]:
        """How many entries of a list state an id, those of a wrong type included."""
        ids = (entry.get(id_key) for entry in self.lists[key] if isinstance(entry, dict))
        return Counter(each for each in ids if isinstance(each, int | float | str))


def load(path: Path, problems: Problems) -> CocoFile:
    """Read a COCO file; ``problems`` collects one for each entry of a wrong type or wrong ids.

    An image with annotations, none of which can be used, is left out.

    Raises:
        DataError: If it is not COCO at all.
    """
    return _check(_Content(path.name, _load_json(path), problems))


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


def _check(content: _Content) -> CocoFile:
    images = content.distinct("images", CocoImage)
    categories = content.distinct("categories", CocoCategory)
    annotations = _annotations(content, images, categories)
    named = content.count_ids("annotations", "image_id")
    # An image whose annotations are all bad would look like one without a subject.
    kept = [image for image in images.values() if annotations[image.id] or not named[image.id]]
    keypoints = None
    with content.problems.at(content.name):
        keypoints = _keypoints(list(categories.values()))
    return CocoFile(content.name, tuple(kept), categories, annotations, keypoints)


def _annotations(
    content: _Content, images: Mapping[Id, CocoImage], categories: Mapping[Id, CocoCategory]
) -> dict[Id, list[CocoAnnotation]]:
    """The annotations of each image, but for those of a category that cannot be used."""
    # What an entry states has one problem, that of the entry, however many annotations name it.
    stated = [content.count_ids(key) for key in ("images", "categories")]
    annotations: dict[Id, list[CocoAnnotation]] = {each: [] for each in images}
    for annotation in content.entries("annotations", CocoAnnotation):
        with content.problems.at(f"{content.name}: annotation {annotation.id}"):
            _check_references(annotation, *stated)
            if annotation.image_id in images and annotation.category_id in categories:
                annotations[annotation.image_id].append(annotation)
    return annotations


def _check_references(
    annotation: CocoAnnotation, images: Collection[object], categories: Collection[object]
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
