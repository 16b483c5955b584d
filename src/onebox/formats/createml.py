"""Create ML: a JSON list of images with annotations; a box is its centre and size in pixels.

``split`` of an image is our own key, written only where one file holds several splits. An image
without an annotation has no subject.

References:
    https://developer.apple.com/documentation/createml/building-an-object-detector-data-source
"""

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import AliasChoices, BaseModel, Field, FiniteFloat

from onebox.errors import DataError
from onebox.formats.decimals import add, ends, middle, shortest
from onebox.formats.image_lookup import ImageFinder
from onebox.formats.json_records import read_first_entry, read_json, validate
from onebox.formats.rows import ParsedLabels, Problems, Row
from onebox.formats.splitting import parse_split
from onebox.formats.writing import creating, format_path, image_file
from onebox.structures import SPLITS, Box, Dataset, Sample

# The keys in use, and those of Apple's documentation.
_IMAGE_KEYS = ("image", "imagefilename")
_ANNOTATIONS_KEYS = ("annotations", "annotation")


class _Coordinates(BaseModel):
    """A box: its centre ``x``, ``y`` and its size, in pixels."""

    x: FiniteFloat
    y: FiniteFloat
    width: FiniteFloat
    height: FiniteFloat


class _Annotation(BaseModel):
    label: str
    coordinates: _Coordinates


class _Image(BaseModel):
    image: str = Field(validation_alias=AliasChoices(*_IMAGE_KEYS))
    annotations: list[Any] = Field(validation_alias=AliasChoices(*_ANNOTATIONS_KEYS))
    split: str = ""


def is_labels(path: Path) -> bool:
    """Whether the first entry of a JSON file is an image as Create ML describes it."""
    first = read_first_entry(path)
    name = next((first[key] for key in _IMAGE_KEYS if key in first), None)
    listed = next((first[key] for key in _ANNOTATIONS_KEYS if key in first), None)
    return isinstance(name, str) and isinstance(listed, list)


def parse(path: Path) -> ParsedLabels:
    """Read a Create ML file, with a problem for each image or annotation that cannot be used.

    Raises:
        DataError: If it is not a JSON list.
    """
    entries = read_json(path)
    if not isinstance(entries, list):
        raise DataError(
            f"{path.name}: is not Create ML: it is no JSON list of images. Name the right file."
        )
    finder = ImageFinder(path.parent, path.stem)
    problems = Problems()
    rows: list[Row] = []
    for number, entry in enumerate(entries, start=1):
        origin = f"{path.name}: image {number}"
        with problems.at(origin):
            rows.extend(_rows(origin, validate(_Image, entry), finder, problems))
    return ParsedLabels(tuple(rows), problems=tuple(problems.sentences))


def write(dataset: Dataset, path: Path) -> None:
    """Write a data set without keypoints as Create ML.

    Images are not copied; their paths are relative to the JSON file's folder. The format does not
    hold the order of the classes: reading sorts them.

    A path that ends in ``.json`` is a file that holds all splits, each image with our key
    ``split``; any other is a folder to make, with ``train.json``, ``val.json`` and so on.
    """
    with creating(path) as unfinished:
        if path.suffix.lower() == ".json":
            entries = (_entry(one, path.parent) | {"split": one.split} for one in dataset)
            _write_file(entries, unfinished)
            return
        unfinished.mkdir()
        for split in SPLITS:
            part = dataset.part(split)
            if part.samples:
                _write_file((_entry(one, path) for one in part), unfinished / f"{split}.json")


def _write_file(entries: Iterable[dict[str, Any]], file: Path) -> None:
    text = json.dumps(list(entries), ensure_ascii=False, allow_nan=False)
    file.write_text(text, encoding="utf-8")


def _entry(sample: Sample, folder: Path) -> dict[str, Any]:
    annotations = []
    if sample.box is not None:
        annotations.append({"label": sample.label, "coordinates": _coordinates(sample.box)})
    return {"image": format_path(image_file(sample), folder), "annotations": annotations}


def _coordinates(box: Box) -> dict[str, float | int]:
    x_min, y_min, x_max, y_max = box
    return {
        "x": shortest(middle(x_min, x_max)),
        "y": shortest(middle(y_min, y_max)),
        "width": shortest(add(x_max, -x_min)),
        "height": shortest(add(y_max, -y_min)),
    }


def _rows(origin: str, image: _Image, finder: ImageFinder, problems: Problems) -> list[Row]:
    row = Row(origin, finder.find(image.image), split=parse_split(image.split))
    if not image.annotations:
        return [row]
    rows = []
    for number, raw in enumerate(image.annotations, start=1):
        place = origin if len(image.annotations) == 1 else f"{origin}, annotation {number}"
        with problems.at(place):
            annotation = validate(_Annotation, raw)
            box = _box(annotation.coordinates)
            rows.append(replace(row, origin=place, label=annotation.label or None, box=box))
    return rows


def _box(at: _Coordinates) -> Box:
    x_min, x_max = ends(at.x, at.width)
    y_min, y_max = ends(at.y, at.height)
    return x_min, y_min, x_max, y_max
