"""One prediction as a row of a results file, and what all rows of a file have in common."""

import json
from dataclasses import dataclass, field
from typing import Any

from onebox.prediction.writers import certainty
from onebox.prediction.writers.certainty import Certainty
from onebox.structures import KeypointSet, Prediction


@dataclass(frozen=True, slots=True)
class Row:
    """The prediction for one image or frame.

    Attributes:
        image: The image's name; for a frame, the name of its video or camera.
        prediction: The prediction.
        frame: The frame's number, from 0; None for an image.
        time_s: Seconds from the first frame to this one; None for an image.
    """

    image: str
    prediction: Prediction
    frame: int | None = None
    time_s: float | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """What the rows of a file have in common.

    Attributes:
        classes: The model's class names, in the order of the probabilities.
        keypoints: The model's keypoints; None for a model without keypoints.
        has_presence: Whether predictions have the probability that a subject is present.
        has_frames: Whether some rows are frames of a video or camera.
        certainty: What predictions say of how sure they are.
    """

    classes: tuple[str, ...]
    keypoints: KeypointSet | None = None
    has_presence: bool = False
    has_frames: bool = False
    certainty: Certainty = field(default_factory=Certainty)


def as_json(row: Row, layout: Layout) -> dict[str, Any]:
    """The row by name; with keypoints, ``keypoints`` maps each name to ``[x, y, confidence]``."""
    prediction = row.prediction
    values: dict[str, Any] = {
        "image": row.image,
        **moment(row),
        "label": prediction.label,
        "score": prediction.score,
        "box": list(prediction.box),
        "probabilities": dict(zip(layout.classes, prediction.probabilities, strict=True)),
    }
    if prediction.present is not None:
        values["present"] = prediction.present
    values |= certainty.as_json(prediction, layout.certainty)
    if layout.keypoints is not None:
        points = map(list, prediction.keypoints or ())
        values["keypoints"] = dict(zip(layout.keypoints.names, points, strict=True))
    return values


def as_json_line(row: Row, layout: Layout) -> str:
    """One JSON object, without a line break."""
    return json.dumps(as_json(row, layout))


def moment(row: Row) -> dict[str, int | float | None]:
    """Number and time of a frame; empty for an image."""
    return {} if row.frame is None else {"frame": row.frame, "time_s": row.time_s}


def flat_keypoints(prediction: Prediction, keypoints: KeypointSet | None) -> list[float]:
    """``x, y, confidence`` of one keypoint after another; empty without keypoints."""
    points = () if keypoints is None else prediction.keypoints or ()
    return [number for point in points for number in point]
