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
from onebox.second_look import part_around
from onebox.structures import PRESENT, Box, Joints, Prediction

SCHEMA_VERSION = 1
METADATA_KEY = "onebox"
INPUT = "image"
OUTPUTS = ("box", "probability", "score")
JOINTS_OUTPUT = "keypoints"
PRESENCE_OUTPUT = "presence"

_ERRORS_ONLY = 3
_SMALLEST = 1e-6
_FINER = 2  # times the network's size that a picture keeps for a second look

Found = dict[str, Any]
"""Arrays of one picture by the names of their outputs, in the pixels that were shown."""


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
        presence: Whether it says how probable it is that the subject is there.
        second_look: Sides of the part that is looked at again over sides of the first box; None
            where one look is as good.
        recipe: The settings it was trained with, as plain values.
        provenance: What made it: versions, weights, data.
        figures: What it scored, by split.
        parts: What the network is made of, in the order in which data flows.
    """

    classes: tuple[str, ...]
    size: int
    mean_box: Box | None = None
    joints: Joints | None = None
    presence: bool = False
    second_look: float | None = None
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
        self._outputs = outputs_of(joints=facts.joints is not None, presence=facts.presence)

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
            The class, how sure, and the box in pixels of the upright picture; ``present`` says
            whether there is a subject at all, where the model learned that.

        Raises:
            PictureError: If the picture cannot be read.
        """
        margin = self.facts.second_look
        # A part that is looked at again has the pixels for it only if the picture has more.
        looks = 1 if margin is None else _FINER
        picture = images.load(source, at_least=looks * self.facts.size)
        found = self._look(picture.pixels)
        if margin is not None and found.get(PRESENCE_OUTPUT, 1.0) >= PRESENT:
            found = self._look_again(picture.pixels, found, margin)
        joints, presence = found.get(JOINTS_OUTPUT), found.get(PRESENCE_OUTPUT)
        return Prediction(
            label=self.facts.classes[int(found["probability"].argmax())],
            score=float(found["score"]),
            box=_unshrunk(found["box"].tolist(), picture),
            probabilities=tuple(found["probability"].tolist()),
            keypoints=None if joints is None else _points(joints, picture),
            present=None if presence is None else float(presence),
        )

    def with_second_look(self, margin: float | None) -> "Localizer":
        """The same model with another second look, or none; see `ModelFacts`."""
        facts = dataclasses.replace(self.facts, second_look=margin)
        return Localizer(self._session, facts, self.name)

    def _look(self, pixels: ndarray) -> Found:
        answers = self._session.run(self._outputs, {INPUT: pixels[None]})
        return {name: answer[0] for name, answer in zip(self._outputs, answers, strict=True)}

    def _look_again(self, pixels: ndarray, found: Found, margin: float) -> Found:
        """The answer for the part around the first box; the first answer where it shows all."""
        height, width = pixels.shape[:2]
        part = part_around(tuple(found["box"].tolist()), (width, height), margin)
        if part is None:
            return found
        left, top, right, bottom = part
        again = self._look(np.ascontiguousarray(pixels[top:bottom, left:right]))
        again["box"] = again["box"] + np.array([left, top, left, top], dtype=np.float32)
        if JOINTS_OUTPUT in again:
            again[JOINTS_OUTPUT] = again[JOINTS_OUTPUT] + np.array([left, top, 0], np.float32)
        if PRESENCE_OUTPUT in again:  # whether there is a subject at all, the whole picture tells
            seen = max(float(again[PRESENCE_OUTPUT]), _SMALLEST)
            again["score"] = again["score"] / seen * found[PRESENCE_OUTPUT]
            again[PRESENCE_OUTPUT] = found[PRESENCE_OUTPUT]
        return again


def outputs_of(*, joints: bool, presence: bool) -> tuple[str, ...]:
    """The outputs of a model file, in order."""
    also = {JOINTS_OUTPUT: joints, PRESENCE_OUTPUT: presence}
    return (*OUTPUTS, *(name for name, is_there in also.items() if is_there))


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
    wanted = outputs_of(joints=facts.joints is not None, presence=facts.presence)
    if missing := {*wanted} - outputs:
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
