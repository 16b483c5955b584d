"""COCO: one JSON file with images, annotations and categories, boxes and keypoints.

Boxes are ``xywh`` pixels; skeletons count keypoints from 1. Two keys are our own: ``split`` of an
image, and ``flip_pairs`` of a category (counted from 1, like the skeleton; if it is missing, the
names of the keypoints tell the pairs). An image without an annotation has no subject.

References:
    https://cocodataset.org/#format-data
"""

import codecs
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from onebox.errors import DataError, format_count
from onebox.formats.coco_records import CocoAnnotation, CocoCategory, CocoFile, CocoImage, Id, load
from onebox.formats.decimals import add, shortest
from onebox.formats.image_lookup import ImageFinder
from onebox.formats.keypoints import make_keypoints
from onebox.formats.rows import ParsedLabels, Problems, Row
from onebox.formats.splitting import parse_split
from onebox.formats.writing import creating, format_path, image_file
from onebox.image_sizes import size_of
from onebox.structures import SPLITS, Box, Dataset, Keypoints, KeypointSet, Sample


def is_labels(path: Path) -> bool:
    """Whether a JSON file has the two lists that make it COCO."""
    content = path.read_bytes().removeprefix(codecs.BOM_UTF8).lstrip()
    is_object = content.startswith(b"{")  # a list with these words may be of Label Studio
    return is_object and b'"images"' in content and b'"annotations"' in content


def parse(path: Path, find: Callable[[str], Path] | None = None) -> ParsedLabels:
    """Read a COCO file, with a problem for each image or annotation that cannot be used.

    Args:
        path: The file.
        find: The path of the image with a ``file_name``; None searches the usual folders.

    Raises:
        DataError: If it is not COCO.
    """
    problems = Problems()
    file = load(path, problems)
    find = find or ImageFinder(path.parent, path.stem).find
    rows: list[Row] = []
    for image in file.images:
        with problems.at(f"{path.name}: image {image.id}"):
            rows.extend(_rows(image, file, find, problems))
    return ParsedLabels(
        tuple(rows),
        classes=tuple(dict.fromkeys(category.name for category in file.categories.values())),
        keypoints=file.keypoints,
        notes=_crowd_note(file),
        problems=tuple(problems.sentences),
    )


def write(dataset: Dataset, path: Path) -> None:
    """Write a data set as COCO, with the sizes of the upright images.

    Images are not copied; their paths are relative to the JSON file's folder.

    A path that ends in ``.json`` is a file that holds all splits and states the split of each
    image; any other is a folder to make, with ``train.json``, ``val.json`` and so on.
    """
    with creating(path) as unfinished:
        if path.suffix.lower() == ".json":
            _write_file(dataset, unfinished, path.parent)
            return
        unfinished.mkdir()
        for part in (dataset.part(split) for split in SPLITS):
            if part.samples:
                _write_file(part, unfinished / f"{part.samples[0].split}.json", path)


def _write_file(dataset: Dataset, file: Path, folder: Path) -> None:
    """Write the file of a folder; the file may lie elsewhere while it is written."""
    write_file(dataset, file, [format_path(image_file(sample), folder) for sample in dataset])


def write_file(dataset: Dataset, file: Path, names: Sequence[str]) -> None:
    """Write a data set as one COCO file.

    Args:
        dataset: The data set.
        file: The file to write.
        names: The ``file_name`` of each sample.

    Raises:
        ImageError: If the size of an image is not known and cannot be read.
    """
    ids = {name: number for number, name in enumerate(dataset.classes, start=1)}
    numbered = list(enumerate(dataset, start=1))
    content = {
        "images": [
            image_entry(number, sample, name)
            for (number, sample), name in zip(numbered, names, strict=True)
        ],
        "annotations": [
            annotation_entry(number, sample, ids[sample.label])
            for number, sample in numbered
            if sample.label is not None and sample.box is not None
        ],
        "categories": [
            {"id": number, "name": name, **keypoint_entries(dataset.keypoints)}
            for name, number in ids.items()
        ],
    }
    file.write_text(json.dumps(content, ensure_ascii=False, allow_nan=False), encoding="utf-8")


def image_entry(number: int, sample: Sample, name: str) -> dict[str, Any]:
    """The entry of ``images`` for a sample, with its ``file_name``.

    Raises:
        ImageError: If the image's size is not known and cannot be read.
    """
    width, height = size_of(sample)
    return {
        "id": number,
        "file_name": name,
        "width": width,
        "height": height,
        "split": sample.split,
    }


def annotation_entry(number: int, sample: Sample, category_id: Id) -> dict[str, Any]:
    """The entry of ``annotations`` for a sample with a box; image and entry have one number."""
    x_min, y_min, x_max, y_max = sample.box or (0.0, 0.0, 0.0, 0.0)
    width, height = add(x_max, -x_min), add(y_max, -y_min)
    entry: dict[str, Any] = {
        "id": number,
        "image_id": number,
        "category_id": category_id,
        "bbox": [shortest(value) for value in (x_min, y_min, width, height)],
        "area": width * height,
        "iscrowd": 0,
    }
    if sample.keypoints is not None:
        entry["keypoints"] = list(map(shortest, chain.from_iterable(sample.keypoints)))
        entry["num_keypoints"] = sum(visibility > 0 for *_, visibility in sample.keypoints)
    return entry


def keypoint_entries(keypoints: KeypointSet | None) -> dict[str, Any]:
    """The keys of a category that name its keypoints."""
    if keypoints is None:
        return {}
    return {
        "keypoints": list(keypoints.names),
        "skeleton": [[keypoint + 1 for keypoint in pair] for pair in keypoints.skeleton],
        "flip_pairs": [[keypoint + 1 for keypoint in pair] for pair in keypoints.flip_pairs],
    }


def _rows(
    image: CocoImage, file: CocoFile, find: Callable[[str], Path], problems: Problems
) -> list[Row]:
    annotations = file.annotations[image.id]
    row = Row(
        f"{file.name}: image {image.id}",
        find(image.file_name),
        split=parse_split(image.split),
        stated_wh=(image.width, image.height) if image.width and image.height else None,
    )
    if not annotations:
        return [row]
    rows = []
    for annotation in annotations:
        origin = f"{file.name}: annotation {annotation.id}"
        with problems.at(origin):
            if not annotation.iscrowd:
                rows.append(_with_subject(replace(row, origin=origin), annotation, file))
    return rows


def _with_subject(row: Row, annotation: CocoAnnotation, file: CocoFile) -> Row:
    category = file.categories[annotation.category_id]
    keypoints = _keypoints(annotation, category, file.keypoints)
    box = box_of(annotation.bbox) if annotation.bbox else _hull(keypoints)
    return replace(row, label=category.name or None, box=box, keypoints=keypoints)


def _keypoints(
    annotation: CocoAnnotation, category: CocoCategory, keypoints: KeypointSet | None
) -> Keypoints | None:
    if not annotation.keypoints:
        return None
    if keypoints is None or not category.keypoints:
        raise DataError(
            f"has keypoints, but category {category.name} does not name them. Add the list "
            "'keypoints' to the category."
        )
    return make_keypoints(annotation.keypoints, keypoints)


def box_of(bbox: Sequence[float]) -> Box:
    """The ``xyxy`` box of a ``bbox``.

    Raises:
        DataError: If it has not four values.
    """
    if len(bbox) != 4:  # noqa: PLR2004  (x, y, width, height)
        raise DataError(f"bbox has {len(bbox)} values; it is [x, y, width, height]. Correct it.")
    x, y, width, height = bbox
    return x, y, add(x, width), add(y, height)


def _hull(keypoints: Keypoints | None) -> Box:
    labelled = [(x, y) for x, y, visibility in keypoints or () if visibility]
    if not labelled:
        raise DataError("has neither a bbox nor a labelled keypoint. Add one, or remove it.")
    xs, ys = zip(*labelled, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def _crowd_note(file: CocoFile) -> tuple[str, ...]:
    crowds = [[one.iscrowd for one in found] for found in file.annotations.values()]
    count = sum(bool(is_crowd) for flags in crowds for is_crowd in flags)
    left_out = sum(bool(flags) and all(flags) for flags in crowds)
    if not count:
        return ()
    return (
        f"{file.name}: {format_count(count, 'crowd annotation', 'crowd annotations')} ignored; "
        f"{format_count(left_out, 'image', 'images')} without other annotations left out.",
    )
