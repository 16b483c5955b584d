"""The runtime: ``model.onnx`` in, predictions out, without PyTorch.

The file holds the whole way from pixels to the answer: resizing, normalising, the network, the
decoding of the box. What is left here is to read images and to name the classes.
"""

import dataclasses
import json
import os
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy import ndarray

from onebox import images, streaming
from onebox.errors import ModelError
from onebox.images import LoadedImage, Source
from onebox.inference import (
    INPUT,
    KEYPOINTS_OUTPUT,
    OUTPUTS,
    PRESENCE_OUTPUT,
    Found,
    Looks,
    outputs_of,
)
from onebox.refinement import FINER
from onebox.sessions import CPU, Provider, Sessions
from onebox.streaming import Answer
from onebox.structures import Box, KeypointSet, Prediction
from onebox.threads import resolve_threads

__all__ = [
    "INPUT",
    "KEYPOINTS_OUTPUT",
    "METADATA_KEY",
    "OUTPUTS",
    "PRESENCE_OUTPUT",
    "SCHEMA_VERSION",
    "Localizer",
    "ModelFacts",
    "Part",
    "load",
    "outputs_of",
]

SCHEMA_VERSION = 1
METADATA_KEY = "onebox"


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a network, for a person to read.

    Attributes:
        name: What it is for: ``backbone``, ``vectorizer``, ``box_head`` and so on.
        kind: What it is.
        layers: Modules that hold no others.
        parameters: Numbers that were learned.
        multiply_adds: For one image.
        shapes: Of what it makes of one image.
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
        mean_box: The mean training box as ``xyxy`` in shares of the image's sides; None where
            no training image had a box.
        keypoints: The keypoints it finds, in the order of the predictions' keypoints; None for none.
        presence: Whether it says how probable it is that the subject is there.
        refinement: Sides of the part that is looked at again over sides of the first box; None
            where one look is as good.
        recipe: The settings it was trained with, as plain values.
        provenance: What made it: versions, weights, data.
        metrics: What it scored, by split.
        parts: What the network is made of, in the order in which data flows.
    """

    classes: tuple[str, ...]
    size: int
    mean_box: Box | None = None
    keypoints: KeypointSet | None = None
    presence: bool = False
    refinement: float | None = None
    recipe: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
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
        known["keypoints"] = _keypoints_of(known.get("keypoints"))
        known["parts"] = tuple(_part_of(part) for part in known.get("parts", ()))
        return cls(**{**known, "classes": tuple(known["classes"])})


def _part_of(facts: Mapping[str, Any]) -> Part:
    shapes = tuple(tuple(int(length) for length in shape) for shape in facts["shapes"])
    return Part(**{**facts, "shapes": shapes})


def _keypoints_of(facts: Mapping[str, Any] | None) -> KeypointSet | None:
    if facts is None:
        return None
    pairs = {
        name: tuple((int(first), int(second)) for first, second in facts[name])
        for name in ("skeleton", "flip_pairs")
    }
    return KeypointSet(tuple(facts["names"]), **pairs)


class Localizer:
    """A loaded model. Threads may share one.

    Attributes:
        facts: What the model file says of itself.
        name: The file.
    """

    def __init__(self, sessions: Sessions, facts: ModelFacts, name: str) -> None:
        self.facts = facts
        self.name = name
        self._sessions = sessions
        self._looks = Looks(_outputs(facts), facts.refinement)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the probabilities."""
        return self.facts.classes

    @property
    def mean_box(self) -> Box | None:
        """The mean training box, in shares of the image's sides."""
        return self.facts.mean_box

    @property
    def keypoints(self) -> KeypointSet | None:
        """What the keypoints of its predictions are called; None without keypoints."""
        return self.facts.keypoints

    def predict(self, source: Source) -> Prediction:
        """Find the subject of one image.

        Args:
            source: A path, encoded bytes, a Pillow image, or an array of uint8 with shape
                (height, width), (height, width, 3) or (height, width, 4).

        Returns:
            The class, how sure, and the box in pixels of the upright image; ``present`` says
            whether there is a subject at all, where the model learned that.

        Raises:
            ImageError: If the image cannot be read.
        """
        return self._locate(self._sessions.single, [self._opened(source)])[0]

    def predict_many(
        self,
        sources: Iterable[Source],
        *,
        threads: int | None = None,
        batch: int = 1,
    ) -> Generator[Answer, None, None]:
        """Find the subjects of many images, as fast as all threads can.

        Each thread decodes an image and runs the model on it, so that the two overlap. Answers
        come in the order of the sources, as they are made. Memory does not grow with their
        number: the sources may be endless. Closing the iterator stops the threads.

        Args:
            sources: What `predict` takes, drawn from as answers are taken; in a thread of their
                own, where ``threads`` is more than 1.
            threads: By default those that the model was loaded for.
            batch: Images that the model sees in one call, as a GPU wants it. Those of one size
                among ``batch`` in a row go together; threads then only decode. On a processor
                it gains nothing.

        Returns:
            An answer for each source. An image that cannot be read does not stop the others:
            its answer has an ``error`` in place of a ``prediction``.

        Raises:
            ValueError: If ``threads`` or ``batch`` is less than 1.
        """
        workers = self._sessions.threads if threads is None else resolve_threads(threads)
        if batch < 1:
            raise ValueError(f"batch must be at least 1, got {batch}.")
        if batch > 1 and self._sessions.takes_batches:
            locate = partial(self._locate, self._sessions.single)
            return streaming.predict_batches(
                self._opened, locate, sources, threads=workers, batch=batch
            )
        return streaming.predict_each(self._predict_beside, sources, threads=workers)

    def with_refinement(self, margin: float | None) -> "Localizer":
        """The same model with another second look, or none; see `ModelFacts`."""
        facts = dataclasses.replace(self.facts, refinement=margin)
        return Localizer(self._sessions, facts, self.name)

    def _predict_beside(self, source: Source) -> Prediction:
        """Answer in one of several threads."""
        return self._locate(self._sessions.stream, [self._opened(source)])[0]

    def _opened(self, source: Source) -> LoadedImage:
        # A part that is looked at again has the pixels for it only if the image has more.
        looks = 1 if self.facts.refinement is None else FINER
        return images.load(source, at_least=looks * self.facts.size)

    def _locate(
        self, session: onnxruntime.InferenceSession, images: Sequence[LoadedImage]
    ) -> list[Prediction]:
        found = self._looks.find(session, [image.pixels for image in images])
        pairs = zip(found, images, strict=True)
        return [_prediction(one, image, self.classes) for one, image in pairs]


def load(
    path: str | os.PathLike[str],
    *,
    threads: int | None = None,
    providers: Sequence[Provider] = (CPU,),
) -> Localizer:
    """Load a model file that `onebox train` made.

    Args:
        path: The file.
        threads: That share the work; by default all cores that the process may use.
        providers: What runs the model, in order of preference, by ONNX Runtime's names.

    Raises:
        ModelError: If the file is missing, no ONNX file, or no onebox model.
        SettingError: If this ONNX Runtime lacks a provider.
        ValueError: If ``threads`` is less than 1.
    """
    file = Path(path)
    sessions = Sessions(file, resolve_threads(threads), providers)
    text = sessions.single.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    if text is None:
        raise ModelError(
            f"{file}: is an ONNX file but no onebox model: it has no '{METADATA_KEY}' metadata. "
            "Name a model.onnx that onebox train wrote."
        )
    try:
        facts = ModelFacts.from_json(text)
    except (ValueError, TypeError) as error:
        raise ModelError(f"{file}: its metadata cannot be read: it {error}.") from error
    outputs = {output.name for output in sessions.single.get_outputs()}
    if missing := {*_outputs(facts)} - outputs:
        raise ModelError(f"{file}: lacks the outputs {', '.join(sorted(missing))}. Export it anew.")
    return Localizer(sessions, facts, str(file))


def _outputs(facts: ModelFacts) -> tuple[str, ...]:
    return outputs_of(keypoints=facts.keypoints is not None, presence=facts.presence)


def _prediction(found: Found, image: LoadedImage, classes: tuple[str, ...]) -> Prediction:
    # Plain numbers: for so few, arrays cost more than the arithmetic, right after a network's run.
    keypoints, presence = found.get(KEYPOINTS_OUTPUT), found.get(PRESENCE_OUTPUT)
    probabilities = found["probability"].tolist()
    return Prediction(
        label=classes[probabilities.index(max(probabilities))],
        score=float(found["score"]),
        box=_unshrunk(found["box"].tolist(), image),
        probabilities=tuple(probabilities),
        keypoints=None if keypoints is None else _points(keypoints, image),
        present=None if presence is None else float(presence),
    )


def _unshrunk(box: list[float], image: LoadedImage) -> Box:
    """A box on the decoded pixels, on the whole image."""
    (across, down), (width, height) = image.scale_xy, map(float, image.size_wh)
    x_min, y_min, x_max, y_max = box
    return (
        min(x_min * across, width),
        min(y_min * down, height),
        min(x_max * across, width),
        min(y_max * down, height),
    )


def _points(keypoints: ndarray, image: LoadedImage) -> tuple[tuple[float, float, float], ...]:
    """Keypoints on the decoded pixels, on the whole image."""
    scaled = keypoints * np.array([*image.scale_xy, 1.0])
    limits = np.array([*image.size_wh, 1.0])
    return tuple((x, y, confidence) for x, y, confidence in np.minimum(scaled, limits).tolist())
