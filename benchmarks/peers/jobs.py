"""Input and output of a worker: two JSON files, upright images, a clock.

Workers run in environments of their own, so this module imports only Pillow.
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

_MAX_LENGTH = 640  # width or height of a decoded image, in pixels


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
    """Data, time budget and initial weights of one training.

    Attributes:
        samples: The samples of all splits.
        minutes: Time budget of training, including reading the images.
        seed: Seed of everything random, as far as the package allows.
        weights: A safetensors file of timm's ``mobilenetv2_100`` with ``pad_type`` ``same``.
        options: Options of the worker.
        answer: The file for the answer; the worker may write to its folder.
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
        """The class names in the samples, in alphabetical order."""
        return sorted({sample.label for sample in self.samples})


@dataclass(frozen=True, slots=True)
class Budget:
    """A clock that runs from its creation to the end of training."""

    minutes: float
    start: float = field(default_factory=time.monotonic)

    @property
    def spent(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.start

    @property
    def fraction(self) -> float:
        """Fraction of the budget that is used; 1 or more when it is used up."""
        return self.spent / (self.minutes * 60)


def read_job() -> Job:
    """The job named on the command line, with the path of its answer."""
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
    """Write a box for each test image, or None.

    ``seconds`` is the training time; ``about`` describes the training.
    """
    packages = ("torch", "torchvision", "timm", "fastai", "ultralytics")
    installed = {one.name.lower(): one.version for one in importlib.metadata.distributions()}
    versions = {name: installed[name] for name in packages if name in installed}
    content = {"seconds": seconds, "boxes": boxes, "about": {**about, "versions": versions}}
    job.answer.write_text(json.dumps(content), "utf-8")


def image(sample: Sample) -> Image.Image:
    """The upright image in RGB, shrunk to the largest size that any package reads."""
    with Image.open(sample.image) as stored:
        stored.draft("RGB", (_MAX_LENGTH, _MAX_LENGTH))
        upright = ImageOps.exif_transpose(stored).convert("RGB")
    upright.thumbnail((_MAX_LENGTH, _MAX_LENGTH), Image.Resampling.BICUBIC)
    return upright


def scaled(box: Sequence[float], width: float, height: float) -> Box:
    """A box with x multiplied by ``width`` and y by ``height``."""
    left, top, right, bottom = box
    return left * width, top * height, right * width, bottom * height
