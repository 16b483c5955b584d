"""Hugging Face imagefolder: images, and ``metadata.jsonl`` with their boxes beside them.

::

    train/metadata.jsonl   {"file_name": "a.jpg", "objects": {"bbox": [[x, y, width, height]],
    train/a.jpg                                               "categories": ["cat"]}}
    validation/metadata.jsonl  ...

Boxes are ``xywh`` pixels, as in COCO. An image whose ``objects`` is empty has no subject.
``metadata.csv`` holds the same, with ``objects`` as JSON in a column. If ``objects`` names no
categories, the folder of the image does: ``cat/a.jpg``.

References:
    https://huggingface.co/docs/datasets/image_dataset
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import AliasChoices, BaseModel, Field

from onebox.errors import DataError
from onebox.formats.coco import box_of
from onebox.formats.csv import NAMELESS, read_table
from onebox.formats.decimals import add
from onebox.formats.image_lookup import ImageFinder
from onebox.formats.json_records import validate
from onebox.formats.rows import ParsedLabels, Problems, Row
from onebox.formats.splitting import SPLIT_NAMES, parse_split
from onebox.formats.writing import creating, image_file, link_or_copy, unique_stems
from onebox.image_sizes import size_of
from onebox.structures import Dataset, Sample, Split

_CATEGORY_KEYS = ("categories", "category", "category_id", "labels", "label")
_FOLDERS: dict[Split, str] = {"train": "train", "val": "validation", "cal": "cal", "test": "test"}
_NAME = "metadata.jsonl"
_TABLE = "metadata.csv"

_Entry = tuple[str, Mapping[str, Any]]
"""Where an entry is, as ``metadata.jsonl:2``, and its values."""


class _Objects(BaseModel):
    """The boxes of an image, ``x, y, width, height`` each, and the class of each."""

    bbox: list[list[float]]
    categories: list[str | int] = Field([], validation_alias=AliasChoices(*_CATEGORY_KEYS))


class _Image(BaseModel):
    """An entry of the metadata."""

    file_name: str
    objects: _Objects | None
    width: int | None = None
    height: int | None = None
    split: str | None = None


def files_in(folder: Path, *, is_asked: bool = False) -> list[Path]:
    """The metadata of a folder, if it names objects or if the user asked for this format."""
    files = [file for name in (_NAME, _TABLE) if (file := folder / name).is_file()]
    return [file for file in files if is_asked or b"objects" in file.read_bytes()][:1]


def parse(path: Path) -> ParsedLabels:
    """Read the metadata of a folder, given its file or the folder.

    There is a problem for each image or box that cannot be used. Images that the metadata does not
    name are left out. Splits are the folders of the images, if all images lie in such folders.

    Raises:
        DataError: If there is no metadata, or it is not UTF-8.
    """
    file = next(iter(files_in(path, is_asked=True)), path / _NAME) if path.is_dir() else path
    if not file.is_file():
        raise DataError(f"{path}: holds no {_NAME}. Name the folder that does.")
    finder = ImageFinder(file.parent)
    problems = Problems()
    images: list[tuple[str, _Image]] = []
    for origin, values in _entries(file, problems):
        with problems.at(origin):
            images.append((origin, _image(values)))
    splits = _splits_of([image.file_name for _, image in images])
    rows: list[Row] = []
    for origin, image in images:
        with problems.at(origin):
            rows.extend(_rows(origin, image, finder, splits.get(image.file_name)))
    return ParsedLabels(tuple(rows), problems=tuple(problems.sentences))


def write(dataset: Dataset, path: Path) -> None:
    """Write a data set without keypoints as a folder with one folder for each split.

    The format finds images beside the metadata, so they are written too, as hard links if the disk
    allows it, else as copies. The second image of the same name gets a number. The format does not
    hold the order of the classes: reading sorts them.
    """
    stems = unique_stems([image_file(sample) for sample in dataset])
    lines: dict[Split, list[str]] = {}
    with creating(path) as unfinished:
        unfinished.mkdir()
        for sample, stem in zip(dataset, stems, strict=True):
            folder = unfinished / _FOLDERS[sample.split]
            folder.mkdir(exist_ok=True)
            name = f"{stem}{image_file(sample).suffix}"
            link_or_copy(image_file(sample), folder / name, format="imagefolder")
            line = json.dumps(_metadata(sample, name), ensure_ascii=False, allow_nan=False)
            lines.setdefault(sample.split, []).append(f"{line}\n")
        for split, text in lines.items():
            file = unfinished / _FOLDERS[split] / _NAME
            file.write_text("".join(text), encoding="utf-8", newline="\n")


def _metadata(sample: Sample, name: str) -> dict[str, Any]:
    width, height = size_of(sample)
    boxes, categories = [], []
    if sample.box is not None:
        x_min, y_min, x_max, y_max = sample.box
        # Always floats: the reader wants one type of number in all splits.
        size = (add(x_max, -x_min), add(y_max, -y_min))
        boxes.append([float(value) for value in (x_min, y_min, *size)])
        categories.append(sample.label)
    objects = {"bbox": boxes, "categories": categories}
    return {"file_name": name, "width": width, "height": height, "objects": objects}


def _entries(file: Path, problems: Problems) -> Iterator[_Entry]:
    yield from _table_entries(file) if file.suffix == ".csv" else _json_lines(file, problems)


def _json_lines(file: Path, problems: Problems) -> Iterator[_Entry]:
    try:
        lines = file.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise DataError(f"{file.name}: is not UTF-8 ({error.reason}). Save it as UTF-8.") from error
    for number, line in enumerate(lines, start=1):
        origin = f"{file.name}:{number}"
        if line.strip():
            with problems.at(origin):
                yield origin, _as_object(line)


def _table_entries(file: Path) -> Iterator[_Entry]:
    (_, header), *rows = read_table(file)
    for line, cells in rows:
        yield (
            f"{file.name}:{line}",
            {name: cell or None for name, cell in zip(header, cells, strict=False)},
        )


def _parse_json(text: str) -> Any:  # noqa: ANN401  (whatever the text holds)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"is not JSON ({error}). Correct the line.") from error


def _as_object(text: str) -> dict[str, Any]:
    value = _parse_json(text)
    if not isinstance(value, dict):
        raise DataError("is no JSON object. Write one object on each line.")
    return value


def _image(values: Mapping[str, Any]) -> _Image:
    if "objects" not in values:
        raise DataError(
            "has no key 'objects', which holds the boxes. Add it, empty for an image without the "
            "subject."
        )
    objects = values["objects"]
    if isinstance(objects, str):  # of a table
        objects = _parse_json(objects)
    if isinstance(objects, list):
        objects = _gathered(objects)
    if not isinstance(objects, dict | None):
        raise DataError(
            f"objects is {objects!r:.60}, which is no object with a key 'bbox', and no list of "
            "such objects. Correct it."
        )
    return validate(_Image, {**values, "objects": objects or None})


def _gathered(objects: Sequence[object]) -> dict[str, list[Any]]:
    """Objects listed one by one, as lists of their values.

    Raises:
        DataError: If one of them is no object, or has no box.
    """
    gathered: dict[str, list[Any]] = {}
    for number, one in enumerate(objects, start=1):
        if not isinstance(one, dict) or "bbox" not in one:
            raise DataError(
                f"entry {number} of objects is {one!r:.60}, which is no object with a key 'bbox'. "
                'Write it as {"bbox": [x, y, width, height], "categories": "NAME"}, or remove it.'
            )
        for key, value in one.items():
            gathered.setdefault(key, []).append(value)
    return gathered


def _splits_of(names: Sequence[str]) -> dict[str, Split]:
    """The split of each image by its first folder; none if not all images lie in such folders."""
    found: dict[str, Split] = {}
    for name in names:
        folder, *inner = PurePosixPath(name).parts or ("",)
        split = SPLIT_NAMES.get(folder.casefold())
        if split is None or not inner:
            return {}
        found[name] = split
    return found


def _rows(origin: str, image: _Image, finder: ImageFinder, split: Split | None) -> list[Row]:
    row = Row(
        origin,
        finder.find(image.file_name),
        split=parse_split(image.split or "") or split,
        stated_wh=(image.width, image.height) if image.width and image.height else None,
    )
    objects = image.objects
    if objects is None or not objects.bbox:
        return [row]
    labels = _labels(objects, image.file_name)
    return [
        replace(row, label=label, box=box_of(bbox))
        for label, bbox in zip(labels, objects.bbox, strict=True)
    ]


def _labels(objects: _Objects, file_name: str) -> list[str | None]:
    count = len(objects.bbox)
    if not objects.categories:
        folder = PurePosixPath(file_name).parent.name
        return [folder if folder and folder.casefold() not in SPLIT_NAMES else NAMELESS] * count
    if len(objects.categories) != count:
        raise DataError(
            f"has {count} boxes and {len(objects.categories)} categories. Write one category for "
            "each box."
        )
    return [str(category) or None for category in objects.categories]
