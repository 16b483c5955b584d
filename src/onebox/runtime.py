"""The runtime: ``model.onnx`` in, predictions out, without PyTorch.

The file holds the whole way from pixels to the answer: resizing, normalising, the network, the
decoding of the box. What is left here is to read pictures and to name the classes.
"""

import dataclasses
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy import ndarray

from onebox import images
from onebox.errors import ModelError
from onebox.images import Source
from onebox.structures import Box, Joints, Prediction

SCHEMA_VERSION = 1
METADATA_KEY = "onebox"
INPUT = "image"
OUTPUTS = ("box", "probability", "score")
JOINTS_OUTPUT = "keypoints"

_ERRORS_ONLY = 3


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a network, for a person to read.

    Attributes:
        name: What it is for: ``backbone``, ``vectorizer``, ``box_head`` and so on.
        kind: What it is.
        layers: Modules that hold no others.
        parameters: Numbers that were learned.
        multiply_adds: For one picture.
        shapes: Of what it makes of one picture.
    """

    name: str
    kind: str
    layers: int
    parameters: int
    multiply_adds: int
    shapes: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What a model file says of itself.

    Attributes:
        classes: Names of the classes, in the order of the probabilities.
        size: Side of the square that the network sees, in pixels.
        mean_box: The mean training box as ``xyxy`` in shares of the picture's sides; None where
            no training picture had a box.
        joints: The joints it finds, in the order of the predictions' keypoints; None for none.
        recipe: The settings it was trained with, as plain values.
        provenance: What made it: versions, weights, data.
        figures: What it scored, by split.
        parts: What the network is made of, in the order in which data flows.
    """

    classes: tuple[str, ...]
    size: int
    mean_box: Box | None = None
    joints: Joints | None = None
    recipe: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    figures: Mapping[str, Any] = field(default_factory=dict)
    parts: tuple[Part, ...] = ()

    def as_json(self) -> str:
        """The text that stands in the file's metadata."""
        return json.dumps({"schema_version": SCHEMA_VERSION, **dataclasses.asdict(self)})

    @classmethod
    def from_json(cls, text: str) -> "ModelFacts":
        """Read the text of `as_json`.

        Raises:
            ValueError: If the text is of another schema, or lacks something.
        """
        facts = json.loads(text)
        if not isinstance(facts, dict) or "schema_version" not in facts:
            raise ValueError("has no schema_version")
        version = facts.pop("schema_version")
        if version != SCHEMA_VERSION:
            raise ValueError(f"is of schema {version}, and this onebox reads {SCHEMA_VERSION}")
        names = {each.name for each in dataclasses.fields(cls)}
        if missing := {"classes", "size"} - facts.keys():
            raise ValueError(f"lacks {', '.join(sorted(missing))}")
        known = {name: value for name, value in facts.items() if name in names}
        mean_box = known.get("mean_box")
        known["mean_box"] = None if mean_box is None else tuple(mean_box)
        known["joints"] = _joints_of(known.get("joints"))
        known["parts"] = tuple(_part_of(part) for part in known.get("parts", ()))
        return cls(**{**known, "classes": tuple(known["classes"])})


def _part_of(facts: Mapping[str, Any]) -> Part:
    shapes = tuple(tuple(int(length) for length in shape) for shape in facts["shapes"])
    return Part(**{**facts, "shapes": shapes})


def _joints_of(facts: Mapping[str, Any] | None) -> Joints | None:
    if facts is None:
        return None
    pairs = {
        name: tuple((int(first), int(second)) for first, second in facts[name])
        for name in ("skeleton", "flip_pairs")
    }
    return Joints(tuple(facts["names"]), **pairs)


class Localizer:
    """A loaded model.

    Attributes:
        facts: What the model file says of itself.
        name: The file.
    """

    def __init__(self, session: onnxruntime.InferenceSession, facts: ModelFacts, name: str) -> None:
        self.facts = facts
        self.name = name
        self._session = session
        self._outputs = OUTPUTS if facts.joints is None else (*OUTPUTS, JOINTS_OUTPUT)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the probabilities."""
        return self.facts.classes

    @property
    def mean_box(self) -> Box | None:
        """The mean training box, in shares of the picture's sides."""
        return self.facts.mean_box

    @property
    def joints(self) -> Joints | None:
        """What the keypoints of its predictions are called; None without joints."""
        return self.facts.joints

    def predict(self, source: Source) -> Prediction:
        """Find the subject of one picture.

        Args:
            source: A path, encoded bytes, a Pillow picture, or an array of uint8 with shape
                (height, width), (height, width, 3) or (height, width, 4).

        Returns:
            The class, how sure, and the box in pixels of the upright picture.

        Raises:
            PictureError: If the picture cannot be read.
        """
        picture = images.load(source, at_least=self.facts.size)
        found = self._session.run(self._outputs, {INPUT: picture.pixels[None]})
        box, probability, score = found[: len(OUTPUTS)]
        return Prediction(
            label=self.facts.classes[int(probability[0].argmax())],
            score=float(score[0]),
            box=_unshrunk(box[0].tolist(), picture),
            probabilities=tuple(probability[0].tolist()),
            keypoints=None if self.facts.joints is None else _points(found[-1][0], picture),
        )


def load(path: str | os.PathLike[str]) -> Localizer:
    """Load a model file that `onebox train` made.

    Raises:
        ModelError: If the file is missing, no ONNX file, or no onebox model.
    """
    file = Path(path)
    session = _open_session(file)
    text = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    if text is None:
        raise ModelError(
            f"{file}: is an ONNX file but no onebox model: it has no '{METADATA_KEY}' metadata. "
            "Name a model.onnx that onebox train wrote."
        )
    try:
        facts = ModelFacts.from_json(text)
    except (ValueError, TypeError) as error:
        raise ModelError(f"{file}: its metadata cannot be read: it {error}.") from error
    outputs = {output.name for output in session.get_outputs()}
    wanted = {*OUTPUTS, *(() if facts.joints is None else [JOINTS_OUTPUT])}
    if missing := wanted - outputs:
        raise ModelError(f"{file}: lacks the outputs {', '.join(sorted(missing))}. Export it anew.")
    return Localizer(session, facts, str(file))


def _open_session(file: Path) -> onnxruntime.InferenceSession:
    if not file.is_file():
        inside = file / "model.onnx"
        hint = f" Did you mean {inside}?" if inside.is_file() else ""
        what = "is a folder, not a model" if file.is_dir() else "does not exist. Correct the path"
        raise ModelError(f"{file}: {what}.{hint}")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    try:
        return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own errors share no other parent
        raise ModelError(
            f"{file}: is not an ONNX model that ONNX Runtime {onnxruntime.__version__} can open "
            f"({_first_line(error)})."
        ) from error


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _unshrunk(box: list[float], picture: images.Picture) -> Box:
    """A box on the decoded pixels, on the whole picture."""
    scale = np.array([*picture.scale_xy, *picture.scale_xy])
    frame = np.array([*picture.size_wh, *picture.size_wh])
    x_min, y_min, x_max, y_max = np.minimum(np.array(box) * scale, frame).tolist()
    return x_min, y_min, x_max, y_max


def _points(joints: ndarray, picture: images.Picture) -> tuple[tuple[float, float, float], ...]:
    """Joints on the decoded pixels, on the whole picture."""
    scaled = joints * np.array([*picture.scale_xy, 1.0])
    limits = np.array([*picture.size_wh, 1.0])
    return tuple((x, y, confidence) for x, y, confidence in np.minimum(scaled, limits).tolist())
