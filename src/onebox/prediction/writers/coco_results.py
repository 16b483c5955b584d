"""A COCO results list; images and categories are numbered from 1 in their own order.

An image that could not be read keeps its number and has no entry. The image's name stands beside
its number, since the numbers are ours; a frame has its own number, and ``frame`` and ``time_s``.
With keypoints, an entry has ``keypoints`` as ``x, y, confidence`` one after another: evaluation by
COCO's own rules passes over the third.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from onebox.boxes import from_xyxy
from onebox.prediction.writers.json_lines import object_in
from onebox.prediction.writers.kinds import Held, Kind, Whole
from onebox.prediction.writers.records import Layout, Row, flat_keypoints

_ANSWERED = "category_id"


def entry(row: Row, layout: Layout, number: int) -> dict[str, object]:
    """The entry of one image."""
    answer = row.prediction
    moment = {} if row.frame is None else {"frame": row.frame, "time_s": row.time_s}
    keypoints = flat_keypoints(answer, layout.keypoints)
    return {
        "image_id": number,
        "file_name": row.image,
        **moment,
        _ANSWERED: layout.classes.index(answer.label) + 1,
        "bbox": from_xyxy(np.array([answer.box]), "xywh")[0].tolist(),
        "score": answer.score,
        **({} if layout.keypoints is None else {"keypoints": keypoints}),
    }


def held(lines: Iterator[str], layout: Layout) -> Iterator[Held]:  # noqa: ARG001
    """What the lines hold.

    Raises:
        ValueError: If a line is none of ours.
    """
    for line in lines:
        row = object_in(line, "image_id", "file_name")
        yield Held(row["file_name"], row.get("frame"), row["image_id"], _ANSWERED in row)


def _line(row: Row, layout: Layout, number: int) -> str:
    return f"{json.dumps(entry(row, layout, number))}\n"


def _unread(image: str, number: int) -> str:
    return f"{json.dumps({'image_id': number, 'file_name': image})}\n"


def _pack(lines: Iterator[str], layout: Layout, path: Path) -> None:  # noqa: ARG001
    with path.open("w", encoding="utf-8") as file:
        between = "[\n"
        for line in lines:
            if _ANSWERED in object_in(line, "image_id"):
                file.write(f"{between}{line.rstrip()}")
                between = ",\n"
        file.write("\n]\n" if between == ",\n" else "[]\n")


def _unpack(path: Path, layout: Layout) -> Iterator[str]:  # noqa: ARG001
    try:
        entries = json.loads(path.read_bytes())
    except ValueError:
        entries = [None]  # refused as a line, with its place
    for one in entries:
        yield f"{json.dumps(one)}\n"


COCO = Kind(
    b"[",
    line=_line,
    held=held,
    unread=_unread,
    whole=Whole(_pack, _unpack),
)
