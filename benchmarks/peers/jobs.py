"""What a peer is handed and what it hands back: two JSON files, upright images, a clock.

Workers run in environments of their own, so this imports nothing but NumPy's and Pillow's world.
Boxes are ``xyxy`` in pixels of the upright image.
"""

import importlib.metadata
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

Box = tuple[float, float, float, float]

_LONGEST = 640  # pixels that a decoded image keeps on its longer side


@dataclass(frozen=True, slots=True)
class Sample:
    """An image with its subject."""

    image: Path
    label: str
    box: Box
    split: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Job:
    """What to train on, for how long, from which weights.

    Attributes:
        samples: Of all splits.
        minutes: Of training; reading the images counts.
        seed: Everything random follows from it, as far as the peer allows.
        weights: A safetensors file of timm's ``mobilenetv2_100`` with ``pad_type`` ``same``.
        options: Of the peer.
        answer: Where the answer goes; its folder may be written to.
    """

    samples: tuple[Sample, ...]
    minutes: float
    seed: int
    weights: Path
    options: dict[str, Any]
    answer: Path

    def part(self, split: str) -> list[Sample]:
        """The samples of one split, in order."""
        return [sample for sample in self.samples if sample.split == split]

    @property
    def labels(self) -> list[str]:
        """The names that occur, in alphabetical order."""
        return sorted({sample.label for sample in self.samples})


@dataclass(frozen=True, slots=True)
class Budget:
    """A clock that runs from its making to the end of training."""

    minutes: float
    start: float = field(default_factory=time.monotonic)

    @property
    def spent(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.start

    @property
    def share(self) -> float:
        """Of the budget that is spent; 1 and more when it is over."""
        return self.spent / (self.minutes * 60)


def read_job() -> Job:
    """The job that the command line names, and where its answer goes."""
    job, answer = (Path(word) for word in sys.argv[1:3])
    content = json.loads(job.read_text("utf-8"))
    samples = tuple(
        Sample(**{**each, "image": Path(each["image"]), "box": tuple(each["box"])})
        for each in content.pop("samples")
    )
    weights = Path(content.pop("weights"))
    return Job(samples=samples, weights=weights, answer=answer, **content)


def write_answer(
    job: Job, boxes: Sequence[Box | None], seconds: float, about: dict[str, object]
) -> None:
    """Hand back a box for each test image, None where there is no answer.

    ``seconds`` are those of training; ``about`` says how far it came.
    """
    packages = ("torch", "torchvision", "timm", "fastai", "ultralytics")
    installed = {one.name.lower(): one.version for one in importlib.metadata.distributions()}
    versions = {name: installed[name] for name in packages if name in installed}
    content = {"seconds": seconds, "boxes": boxes, "about": {**about, "versions": versions}}
    job.answer.write_text(json.dumps(content), "utf-8")


def image(sample: Sample) -> Image.Image:
    """The upright image in RGB, shrunk where its longer side is beyond what any peer reads."""
    with Image.open(sample.image) as stored:
        stored.draft("RGB", (_LONGEST, _LONGEST))
        upright = ImageOps.exif_transpose(stored).convert("RGB")
    upright.thumbnail((_LONGEST, _LONGEST), Image.Resampling.BICUBIC)
    return upright


def scaled(box: Sequence[float], width: float, height: float) -> Box:
    """A box with its sides multiplied: x by ``width``, y by ``height``."""
    left, top, right, bottom = box
    return left * width, top * height, right * width, bottom * height
