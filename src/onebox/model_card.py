"""The model card: what a model file says about itself, and its text in the file.

The text is JSON under the key ``onebox``, wherever a container keeps such things: in the metadata
of an ONNX file, in the runtime information of an OpenVINO ``.xml``, in an array of an ``.npz``.
"""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from onebox.confidence.records import Calibration
from onebox.errors import ModelError
from onebox.files import write_atomically
from onebox.model_bytes import read_model_bytes
from onebox.optional import require
from onebox.structures import Box, KeypointSet

SCHEMA_VERSION = 1
METADATA_KEY = "onebox"
MOST_LETTERS = 16 * 2**20
"""Letters of the longest card that is read; a card of a thousand classes is a hundredth of it."""

_MOST_INTERCEPT = 100  # of a calibration of keypoints: likewise
_MOST_SCALE = 30  # of a calibration: e to half its square is still a number
_MOST_PX = 2**14  # a network of this size would need memory that no machine has


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a network, for a person to read.

    Attributes:
        name: Its role: ``backbone``, ``vectorizer``, ``box_head`` and so on.
        kind: Its architecture, as ``resnet18``.
        layers: Number of modules without submodules.
        parameters: Number of learned parameters.
        multiply_adds: Number of multiply-add operations for one image.
        shapes: Shapes of its outputs for one image.
    """

    name: str
    kind: str
    layers: int
    parameters: int
    multiply_adds: int
    shapes: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What a model file says about itself.

    Attributes:
        classes: Class names, in the order of the probabilities.
        size: Width and height of the network's input, in pixels.
        mean_box: The mean training box as ``xyxy`` in normalized coordinates; None if no training
            image has a box.
        keypoints: The keypoints it predicts, in the order of the predictions; None for none.
        presence: Whether it predicts the probability that the subject is in the image.
        refine_margin: Width of the refinement crop over width of the first box, and likewise for
            the height; None for a model without a refinement pass.
        refine_square: Whether that crop is a square, as long as ``refine_margin`` times the longer
            edge of the box, filled with grey beyond the image.
        sigma: Whether it predicts a standard deviation for each edge of the box; a model of an
            older version does not.
        distance: Whether it measures how far an image's features are from those of training images.
        calibration: What calibration found for predictions without the refinement pass; None if
            the model is not calibrated.
        refined_calibration: The same for predictions with it; None also for a model without one.
        recipe: The settings it was trained with, as plain values.
        provenance: Where it comes from: versions, weights, data.
        metrics: Its metrics, by split.
        parts: The parts of the network, in the order in which data flows.
    """

    classes: tuple[str, ...]
    size: int
    mean_box: Box | None = None
    keypoints: KeypointSet | None = None
    presence: bool = False
    refine_margin: float | None = None
    refine_square: bool = False
    sigma: bool = False
    distance: bool = False
    calibration: Calibration | None = None
    refined_calibration: Calibration | None = None
    recipe: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    parts: tuple[Part, ...] = ()

    @property
    def active_calibration(self) -> Calibration | None:
        """The calibration of the predictions that this model makes."""
        return self.calibration if self.refine_margin is None else self.refined_calibration

    def as_dict(self) -> dict[str, Any]:
        """The card as plain values, with the version of this schema."""
        return {"schema_version": SCHEMA_VERSION, **dataclasses.asdict(self)}

    def as_json(self) -> str:
        """The text that a model file holds."""
        return json.dumps(self.as_dict())

    @classmethod
    def from_dict(cls, stored: object) -> "ModelCard":
        """Check what `as_dict` gave; unknown keys, which a later onebox may write, are ignored.

        Raises:
            ValueError: If it has another schema, or a key is missing or wrong.
        """
        if not isinstance(stored, dict) or "schema_version" not in stored:
            raise ValueError("has no schema_version")
        if (version := stored["schema_version"]) != SCHEMA_VERSION:
            raise ValueError(f"is of schema {version}, and this onebox reads {SCHEMA_VERSION}")
        try:
            card = _CARD.validate_python(stored)
        except (ValidationError, RecursionError) as error:
            raise ValueError(_describe(error)) from error
        if problem := _problem(card):
            raise ValueError(problem)
        return card

    @classmethod
    def from_json(cls, text: str) -> "ModelCard":
        """Read the text of `as_json`.

        Raises:
            ValueError: If it is not JSON; else see `from_dict`.
        """
        try:
            stored = parse_json(text)
        except ValueError as error:
            raise ValueError(f"is not JSON ({error})") from error
        return cls.from_dict(stored)


def parse_json(text: str) -> Any:  # noqa: ANN401 - whatever the text holds
    """Parse JSON in which no key is there twice.

    Raises:
        ValueError: If the text is no JSON, is longer than any card or too deep, or has a key twice.
    """
    if len(text) > MOST_LETTERS:
        raise ValueError(f"{len(text)} letters, and {MOST_LETTERS} are the most")
    try:
        return json.loads(text, object_pairs_hook=_without_repeats)
    except RecursionError as error:
        raise ValueError("it has too many objects inside each other") from error


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is there twice")
    return found


_CARD = TypeAdapter(ModelCard)


def read_card(text: str | None, file: Path) -> ModelCard:
    """The card in a model file, from the text under `METADATA_KEY`; None if it has no such entry.

    Raises:
        ModelError: If there is no text, or it is not a card.
    """
    if text is None:
        raise ModelError(
            f"{file}: is a model, but not of onebox: it has no '{METADATA_KEY}' metadata. Name a "
            "file that onebox train or onebox export wrote."
        )
    try:
        return ModelCard.from_json(text)
    except ValueError as error:
        raise ModelError(f"{file}: its metadata cannot be read: it {error}.") from error


def write_card(file: Path, card: ModelCard) -> None:
    """Write a card into an ONNX file, in place of all metadata that the file has.

    Raises:
        OneboxError: If onnx is not installed, or the file cannot be written.
    """
    model = load_onnx(file)
    put_card(model, card)
    write_atomically(file, model.SerializeToString())


def load_onnx(file: Path) -> Any:  # noqa: ANN401 - an onnx.ModelProto
    """Read an ONNX file, to change it; other files that it names are not read.

    Raises:
        ModelError: If the system refuses to read it.
        OneboxError: If onnx is not installed.
    """
    return require("onnx", extra="int8").load_model_from_string(read_model_bytes(file))


def put_card(model: Any, card: ModelCard) -> None:  # noqa: ANN401
    """Put a card into an ``onnx.ModelProto``, in place of all metadata that it has.

    Raises:
        OneboxError: If onnx is not installed.
    """
    onnx = require("onnx", extra="int8")
    onnx.helper.set_model_props(model, {METADATA_KEY: card.as_json()})
    for entity in (*model.graph.node, *model.graph.value_info, *model.graph.input):
        del entity.metadata_props[:]  # PyTorch's exporter leaves call stacks with local paths here
        entity.doc_string = ""


def _problem(card: ModelCard) -> str:
    """What a card says that no model can do; empty if there is nothing."""
    if not card.classes or len(set(card.classes)) < len(card.classes):
        return "has no classes, or one of them twice"
    if not 1 <= card.size <= _MOST_PX:
        return f"has the size {card.size}, which is not between 1 and {_MOST_PX}"
    margin = 1.0 if card.refine_margin is None else card.refine_margin
    if not (isfinite(margin) and margin > 0):
        return f"has the refine_margin {margin}, which is not positive"
    names = () if card.keypoints is None else card.keypoints.names
    both = filter(None, (card.calibration, card.refined_calibration))
    return next(filter(None, (_calibration_problem(each, len(names)) for each in both)), "")


def _calibration_problem(calibration: Calibration, keypoints: int) -> str:
    model = calibration.keypoints
    if model is not None and len(model.intercepts) != keypoints:
        return f"has a calibration of {len(model.intercepts)} keypoints, and {keypoints} keypoints"
    if model is not None and not (
        0 <= model.slope <= _MOST_SCALE
        and all(abs(each) <= _MOST_INTERCEPT for each in model.intercepts)
    ):
        return (
            f"has a calibration of keypoints whose slope is not in [0, {_MOST_SCALE}], or with an "
            f"intercept not in [-{_MOST_INTERCEPT}, {_MOST_INTERCEPT}]"
        )
    iou = calibration.iou
    if not all(0 < each <= _MOST_SCALE for each in (calibration.temperature, iou.deviation)):
        return f"has a calibration whose temperature or deviation is not in (0, {_MOST_SCALE}]"
    if not (isfinite(iou.intercept) and isfinite(iou.slope)):
        return "has a calibration whose line is not finite"
    if len(calibration.scores) != len(calibration.is_wrong):
        return "has a calibration with other numbers of scores than of answers"
    return ""


def _describe(error: ValidationError | RecursionError) -> str:
    """The missing keys, or else the first wrong key, of a card."""
    if isinstance(error, RecursionError):
        return "has too many objects inside each other"
    problems = error.errors(include_url=False)
    paths = [(".".join(map(str, problem["loc"])), problem) for problem in problems]
    if missing := [path for path, problem in paths if problem["type"] == "missing"]:
        return f"lacks {', '.join(missing)}"
    path, problem = paths[0]
    return f"has a wrong {path} ({problem['msg']})"
