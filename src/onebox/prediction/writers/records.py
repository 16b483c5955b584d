"""One answer as it stands in a file, and what all answers of a file have in common."""

import json
from dataclasses import dataclass
from typing import Any

from onebox.structures import KeypointSet, Prediction


@dataclass(frozen=True, slots=True)
class Row:
    """The answer for one image.

    Attributes:
        image: The image's name; a frame has that of its video.
        prediction: The answer.
        frame: The number of the frame, from 0; None for an image.
        time_s: When the frame is shown, in seconds from the start.
    """

    image: str
    prediction: Prediction
    frame: int | None = None
    time_s: float | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """What the rows of a file have in common.

    Attributes:
        classes: The model's, in the order of the probabilities.
        keypoints: The model's; None for none.
        has_presence: Whether the model says how probable it is that the subject is there.
        has_frames: Whether some rows are frames of a video.
    """

    classes: tuple[str, ...]
    keypoints: KeypointSet | None = None
    has_presence: bool = False
    has_frames: bool = False


def as_json(row: Row, layout: Layout) -> dict[str, Any]:
    """The answer by name; with keypoints, ``keypoints`` has ``[x, y, confidence]`` for each."""
    prediction = row.prediction
    moment = {} if row.frame is None else {"frame": row.frame, "time_s": row.time_s}
    present = {} if prediction.present is None else {"present": prediction.present}
    keypoints = (
        {} if layout.keypoints is None else {"keypoints": _by_name(prediction, layout.keypoints)}
    )
    return {
        "image": row.image,
        **moment,
        "label": prediction.label,
        "score": prediction.score,
        "box": list(prediction.box),
        "probabilities": dict(zip(layout.classes, prediction.probabilities, strict=True)),
        **present,
        **keypoints,
    }


def as_json_line(row: Row, layout: Layout) -> str:
    """One JSON object, without the end of the line."""
    return json.dumps(as_json(row, layout))


def flat_keypoints(prediction: Prediction, keypoints: KeypointSet | None) -> list[float]:
    """The numbers of all keypoints, one keypoint after another; none without keypoints."""
    points = () if keypoints is None else prediction.keypoints or ()
    return [number for point in points for number in point]


def _by_name(prediction: Prediction, keypoints: KeypointSet) -> dict[str, list[float]]:
    points = prediction.keypoints or ()
    return {name: list(point) for name, point in zip(keypoints.names, points, strict=True)}
