"""The records that flow through the house: samples in, predictions out.

A `Sample` is an image with what is known of it, a `Dataset` is its samples with the names they
use, a `Prediction` is the answer for one image. All are frozen; what they hold was checked by
whoever made them.
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float
from numpy import ndarray

Box = tuple[float, float, float, float]
Keypoints = tuple[tuple[float, float, int], ...]
Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")

PRESENT = 0.5
"""From this probability on, an answer says that the subject is in the image."""


@runtime_checkable
class Rendered(Protocol):
    """An image that is drawn when it is asked for: whatever NumPy can make an array of."""

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> ndarray:  # noqa: ANN401, FBT001
        """Draw the image: uint8 of shape (height, width, 3)."""
        ...


@dataclass(frozen=True, slots=True)
class Sample:
    """One image and what is known of it.

    Attributes:
        image: The image's file, or an image that is drawn when asked for.
        label: What the subject is; None where the image has no subject.
        box: ``xyxy`` in pixels of the upright image; None where there is no subject.
        split: ``train``, ``val`` or ``test``.
        keypoints: ``(x, y, visibility)`` for each keypoint of the data set, in pixels of the upright
            image; visibility as in COCO: 0 not labelled, 1 hidden, 2 visible.
        size_wh: Width and height of the upright image.
        origin: Where the label stands, as ``labels.csv:2``; for messages, never compared.
    """

    image: Path | Rendered
    label: str | None = None
    box: Box | None = None
    split: Split = "train"
    keypoints: Keypoints | None = None
    size_wh: tuple[int, int] | None = None
    origin: str = field(default="", compare=False)

    @property
    def name(self) -> str:
        """The image as messages and reports call it."""
        return str(self.image)

    @property
    def has_subject(self) -> bool:
        """Whether the image has a label or a box; one with neither shows no subject."""
        return self.label is not None or self.box is not None


@dataclass(frozen=True, slots=True)
class KeypointSet:
    """The fixed set of keypoints of a data set.

    Attributes:
        names: One for each keypoint, in the order of every sample's keypoints.
        skeleton: Pairs of keypoint indices (from 0) that a drawing connects.
        flip_pairs: Pairs of keypoint indices (from 0) that a mirrored image swaps.
    """

    names: tuple[str, ...]
    skeleton: tuple[tuple[int, int], ...] = ()
    flip_pairs: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Dataset:
    """Samples, and the names they use.

    Attributes:
        samples: In the order of the label files.
        classes: The names a label may have, in the order a model numbers them.
        keypoints: The keypoints of the samples' keypoints, or None.
        name: What the user asked to read, for messages and reports.
        notes: What the reader met and put right, one sentence each.
    """

    samples: tuple[Sample, ...]
    classes: tuple[str, ...]
    keypoints: KeypointSet | None = None
    name: str = ""
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        """The number of samples."""
        return len(self.samples)

    def __iter__(self) -> Iterator[Sample]:
        """The samples, in order."""
        return iter(self.samples)

    def part(self, split: Split) -> "Dataset":
        """The samples of one split, with the same names."""
        chosen = tuple(sample for sample in self.samples if sample.split == split)
        return dataclasses.replace(self, samples=chosen)

    def boxes(self) -> Float[ndarray, "n 4"]:
        """The ``xyxy`` boxes of the samples that have one, in order."""
        boxes = [sample.box for sample in self.samples if sample.box is not None]
        return np.array(boxes, dtype=np.float64).reshape(-1, 4)


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer for one image.

    Attributes:
        label: The most probable class.
        score: How sure, in [0, 1]: the label's probability, times the overlap expected of the box,
            times ``present``; a network without one of these estimates leaves its factor out.
        box: ``xyxy`` in pixels of the upright image.
        probabilities: One for each class, in the model's order of classes.
        keypoints: ``(x, y, confidence)`` for each keypoint of the model, in pixels of the upright
            image; None from a model without keypoints.
        present: Probability that the subject is in the image; None from a model whose training
            images all show it. Label, score and box are given all the same.
    """

    label: str
    score: float
    box: Box
    probabilities: tuple[float, ...]
    keypoints: tuple[tuple[float, float, float], ...] | None = None
    present: float | None = None

    @property
    def has_subject(self) -> bool:
        """Whether the answer is that the subject is there: always, from a model without say."""
        return self.present is None or self.present >= PRESENT
