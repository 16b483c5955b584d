"""Predictions as text: JSON lines, CSV, and COCO results.

From a model with joints, each answer has its keypoints too, and from one that says whether the
subject is there, the probability of that; from one without, nothing speaks of them. Label, box and
score are those of the model also where it says that the subject is not there.
"""

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from onebox.boxes import from_xyxy
from onebox.formats.writing import path_text
from onebox.structures import Joints, Prediction

Named = tuple[str, Prediction | None]
"""A picture by its name, and the answer for it; None where it could not be read."""

_PER_JOINT = ("x", "y", "confidence")
_COLUMNS = ("image", "label", "score", "x_min", "y_min", "x_max", "y_max")


@dataclass(frozen=True, slots=True)
class Writer:
    """A kind of results file.

    Attributes:
        write: Pictures with their answers, the model's classes, and its joints → the file's text.
        beginning: How every such text begins.
    """

    write: Callable[[Iterable[Named], Sequence[str], Joints | None], str]
    beginning: bytes


def as_json_line(
    image: str, prediction: Prediction, classes: Sequence[str], joints: Joints | None = None
) -> str:
    """One JSON object: the picture, the answer, and the probability of each class.

    With joints, ``keypoints`` has ``[x, y, confidence]`` under the name of each.
    """
    present = {} if prediction.present is None else {"present": prediction.present}
    keypoints = {} if joints is None else {"keypoints": _by_name(prediction, joints)}
    return json.dumps(
        {
            "image": image,
            "label": prediction.label,
            "score": prediction.score,
            "box": list(prediction.box),
            "probabilities": dict(zip(classes, prediction.probabilities, strict=True)),
            **present,
            **keypoints,
        }
    )


def as_csv(
    answers: Iterable[Named],
    classes: Sequence[str],  # noqa: ARG001
    joints: Joints | None = None,
) -> str:
    """A header and one row a picture that was read; it reads back as labels.

    Where the answers have it, ``present`` is the next column. With joints, each has three more:
    ``NAME_x``, ``NAME_y`` and ``NAME_confidence``.
    """
    answered = [(image, prediction) for image, prediction in answers if prediction is not None]
    has_presence = any(prediction.present is not None for _, prediction in answered)
    presence = ("present",) if has_presence else ()
    names = () if joints is None else joints.names
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    of_joints = [f"{name}_{part}" for name in names for part in _PER_JOINT]
    writer.writerow([*_COLUMNS, *presence, *of_joints])
    for image, prediction in answered:
        row = [image, prediction.label, prediction.score, *prediction.box]
        present = [prediction.present] if has_presence else []
        writer.writerow([*row, *present, *_flat(prediction, joints)])
    return text.getvalue()


def as_coco(answers: Iterable[Named], classes: Sequence[str], joints: Joints | None = None) -> str:
    """A COCO results list; pictures and categories are numbered from 1 in their own order.

    A picture that could not be read keeps its number and has no entry. The picture's name stands
    beside its number, since the numbers are ours. With joints, an entry has ``keypoints`` as
    ``x, y, confidence`` one after another: evaluation by COCO's own rules passes over the third.
    """
    number = {name: place for place, name in enumerate(classes, start=1)}
    results = [
        {
            "image_id": place,
            "file_name": image,
            "category_id": number[prediction.label],
            "bbox": from_xyxy(np.array([prediction.box]), "xywh")[0].tolist(),
            "score": prediction.score,
            **({} if joints is None else {"keypoints": _flat(prediction, joints)}),
        }
        for place, (image, prediction) in enumerate(answers, start=1)
        if prediction is not None
    ]
    return json.dumps(results, indent=1)


def _by_name(prediction: Prediction, joints: Joints) -> dict[str, list[float]]:
    points = prediction.keypoints or ()
    return {name: list(point) for name, point in zip(joints.names, points, strict=True)}


def _flat(prediction: Prediction, joints: Joints | None) -> list[float]:
    """The numbers of all joints, one joint after another; none without joints."""
    points = () if joints is None else prediction.keypoints or ()
    return [number for point in points for number in point]


WRITERS: Mapping[str, Writer] = {
    "csv": Writer(as_csv, ",".join(_COLUMNS).encode()),
    "coco": Writer(as_coco, b"["),
}


def named_in(file: Path, image: Path) -> str:
    """A picture's name in a results file: as the user wrote it where that leads to the picture.

    Names in a file resolve against its folder, as they do in label files. What is no plain file
    (``/dev/stdout``) has no folder that counts.
    """
    is_plain = not file.exists() or (file.is_file() and not file.is_symlink())
    leads_there = image.is_absolute() or file.parent.resolve() == Path.cwd()
    return path_text(image, file.parent) if is_plain and not leads_there else str(image)
