"""What a model file says of itself: the record, and its text in the file's metadata."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from onebox.structures import Box, KeypointSet

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
class ModelCard:
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
    def from_json(cls, text: str) -> "ModelCard":
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
