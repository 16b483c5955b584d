"""Predictions as text: JSON lines, CSV, and COCO results."""

import csv
import io
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from onebox.boxes import from_xyxy
from onebox.errors import OneboxError
from onebox.structures import Prediction

Named = tuple[str, Prediction]
"""A picture as the user named it, and the answer for it."""

_COLUMNS = ("image", "label", "score", "x_min", "y_min", "x_max", "y_max")


def as_json_line(named: Named, classes: Sequence[str]) -> str:
    """One JSON object: the picture, the answer, and the probability of each class."""
    image, prediction = named
    return json.dumps(
        {
            "image": image,
            "label": prediction.label,
            "score": prediction.score,
            "box": list(prediction.box),
            "probabilities": dict(zip(classes, prediction.probabilities, strict=True)),
        }
    )


def as_csv(answers: Iterable[Named], classes: Sequence[str]) -> str:  # noqa: ARG001
    """A header and one row a picture; it reads back as labels."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    for image, prediction in answers:
        writer.writerow([image, prediction.label, prediction.score, *prediction.box])
    return text.getvalue()


def as_coco(answers: Iterable[Named], classes: Sequence[str]) -> str:
    """A COCO results list; pictures and categories are numbered from 1 in their own order.

    The picture's name stands beside its number, since the numbers are ours.
    """
    number = {name: place for place, name in enumerate(classes, start=1)}
    results = [
        {
            "image_id": place,
            "file_name": image,
            "category_id": number[prediction.label],
            "bbox": from_xyxy(np.array([prediction.box]), "xywh")[0].tolist(),
            "score": prediction.score,
        }
        for place, (image, prediction) in enumerate(answers, start=1)
    ]
    return json.dumps(results, indent=1)


WRITERS: Mapping[str, Callable[[Iterable[Named], Sequence[str]], str]] = {
    "csv": as_csv,
    "coco": as_coco,
}


def write_results(path: Path, text: str) -> None:
    """Write a results file beside its place, then rename.

    Raises:
        OneboxError: If it cannot be written.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        beside.write_text(text, "utf-8")
        beside.replace(path)
    except OSError as error:
        raise OneboxError(f"{path}: cannot be written ({error.strerror}).") from error
    finally:
        beside.unlink(missing_ok=True)
