"""A COCO results list; images and categories are numbered from 1 in their own order.

An image that could not be read has no entry, and takes a number, which it finds free if the file is
continued.
Since the numbers are ours, each entry also has the image's name, and ``frame`` and ``time_s`` for
a frame. Outer and inner boxes are ``outer_bbox`` and ``inner_bbox``, written as ``bbox`` is.
Keypoints are ``x, y, confidence`` one after another: COCO's own evaluation ignores the third
number.
"""

import json
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path

import numpy as np

from onebox.boxes import from_xyxy
from onebox.prediction.writers import certainty
from onebox.prediction.writers.json_lines import is_record
from onebox.prediction.writers.kinds import ContinueError, Kind, Record
from onebox.prediction.writers.records import Layout, Row, flat_keypoints, moment
from onebox.structures import Box

_CATEGORY = "category_id"
_START = 64  # bytes that hold the first key
_BBOXES = {"outer_box": "outer_bbox", "inner_box": "inner_bbox"}


def record(row: Row, layout: Layout) -> Record:
    """The entry of a row, with the image's name and without its number."""
    answer = row.prediction
    keypoints = flat_keypoints(answer, layout.keypoints)
    return {
        "image": row.image,
        **moment(row),
        _CATEGORY: layout.classes.index(answer.label) + 1,
        "bbox": _bbox(answer.box),
        "score": answer.score,
        **_certainty(row, layout),
        **({} if layout.keypoints is None else {"keypoints": keypoints}),
    }


def _certainty(row: Row, layout: Layout) -> Record:
    """As in JSON lines, but with boxes as COCO has them."""
    known = certainty.as_json(row.prediction, layout.certainty)
    return {
        _BBOXES.get(name, name): _bbox(value) if name in _BBOXES else value
        for name, value in known.items()
    }


def _bbox(box: Box | None) -> list[float] | None:
    """Left, top, width and height."""
    return None if box is None else from_xyxy(np.array([box]), "xywh")[0].tolist()


def entries(records: Iterable[Record]) -> Iterator[Record]:
    """Number the images and name them as COCO does; images that cannot be read have no entry.

    An image keeps the number that its record has, or that it took while it could not be read.
    Other images take the next number that no earlier record has: the first ones are those that
    images of a finished file took which could not be read then.

    Raises:
        ValueError: If a number is none, or a prediction has no category.
    """
    taken, unreadable = set[int](), dict[tuple[str, int | None], int]()
    free = (number for number in count(1) if number not in taken)
    for one in records:
        key = one["image"], one.get("frame")
        number = one.get("image_id") or unreadable.pop(key, None) or next(free)
        if not _is_number(number):
            raise ValueError(f"{number!r} is no number of an image")
        if "image_id" in one:
            taken.add(number)
        if one.get("is_readable", True):
            yield _entry(one, number)
        else:
            unreadable[key] = number


def _entry(one: Record, number: int) -> Record:
    if _CATEGORY not in one:
        raise ValueError(f"{one['image']} has no {_CATEGORY}")
    rest = {name: value for name, value in one.items() if name not in {"image", "image_id"}}
    return {"image_id": number, "file_name": one["image"], **rest}


def _write(records: Iterable[Record], layout: Layout, path: Path) -> None:  # noqa: ARG001
    with path.open("w", encoding="utf-8") as file:
        separator = "[\n"
        for entry in entries(records):
            file.write(f"{separator}{json.dumps(entry)}")
            separator = ",\n"
        file.write("[]\n" if separator == "[\n" else "\n]\n")


def _read(path: Path, layout: Layout) -> Iterator[Record]:  # noqa: ARG001
    try:
        listed = json.loads(path.read_bytes())
    except ValueError:
        listed = None
    if not isinstance(listed, list):
        raise ContinueError(path, "is no list of COCO results")
    for number, entry in enumerate(listed, 1):
        found = entry if isinstance(entry, dict) else {}
        record = {"image": found.pop("file_name", None), **found}
        if not (is_record(record) and _CATEGORY in record and _is_number(record.get("image_id"))):
            raise ContinueError(path, f"entry {number} is no COCO result of onebox")
        yield record


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_results(path: Path) -> bool:
    """Whether there is no entry or the first is a result; a list of labels begins otherwise."""
    with path.open("rb") as file:
        start = b"".join(file.read(_START).split())
    return start in {b"", b"[", b"[]"} or start.startswith(b'[{"image_id":')


COCO = Kind(
    "coco",
    b"[",
    record=record,
    write=_write,
    read=_read,
    is_results=_is_results,
    numbers_images=True,
)
