"""The records that flow through the package: samples in, predictions out.

A `Sample` is an image with its ground truth, a `Dataset` is samples with the names they use, a
`Prediction` is a model's answer for one image. All are frozen. A `Sample` checks its values when it
is made; code that receives one does not check them again.
"""

import dataclasses
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from onebox.errors import DataError, format_box, suggest

Box = tuple[float, float, float, float]
Keypoints = tuple[tuple[float, float, int], ...]
Split = Literal["train", "val", "cal", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "cal", "test")
VISIBILITIES = (0, 1, 2)
"""Visibility of a keypoint, as in COCO: not labelled, hidden, visible."""

PRESENT = 0.5
"""Probability from which a prediction says that the subject is in the image; not tuned."""

LEAST_LENGTH = 1e-3  # pixels; divides a sigma


@runtime_checkable
class Rendered(Protocol):
    """An image that is drawn on demand: any object that NumPy can turn into an array."""

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> ndarray:  # noqa: ANN401, FBT001
        """Draw the image: uint8 of shape (height, width, 3)."""
        ...


OpenedImage = io.BufferedReader | io.BytesIO
"""A file of an encoded image, open for reading."""


@runtime_checkable
class PackedImage(Protocol):
    """An encoded image that lies in a shard, a file of many images.

    A frozen record of where it lies, which can be compared, hashed and sent to other processes.
    ``str`` gives a name that no other image has.
    """

    @property
    def shard(self) -> str:
        """Path or URI of the shard."""
        ...

    @property
    def name(self) -> str:
        """Name of the image in the shard, which may contain folders."""
        ...

    @property
    def upright_wh(self) -> tuple[int, int] | None:
        """Width and height of the upright image, if the shard states them."""
        ...

    def open(self) -> OpenedImage:
        """Open the encoded image, to read a part of it.

        Raises:
            ImageError: If the shard cannot be read.
        """
        ...

    def read(self) -> bytes:
        """The encoded image.

        Raises:
            ImageError: If the shard cannot be read.
        """
        ...


@dataclass(frozen=True, slots=True)
class Sample:
    """One image and its ground truth.

    Attributes:
        image: Path of the image file, an image in a shard, or one that is drawn on demand.
        label: Class of the subject; None if the image has no subject.
        box: ``xyxy`` in pixels of the upright image; None if the image has no subject.
        split: ``train``, ``val``, ``cal`` (calibration) or ``test``.
        keypoints: ``(x, y, visibility)`` for each keypoint of the data set, in pixels of the
            upright image; visibility is 0 (not labelled), 1 (hidden) or 2 (visible), as in COCO.
        size_wh: Width and height of the upright image; None to look it up (`size_of`).
        origin: File and line of the label, as ``labels.csv:2``; for messages, never compared.
    """

    image: Path | PackedImage | Rendered
    label: str | None = None
    box: Box | None = None
    split: Split = "train"
    keypoints: Keypoints | None = None
    size_wh: tuple[int, int] | None = None
    origin: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        """Refuse values that no image can have.

        Raises:
            DataError: If the box has no positive width and height, a number is not finite, a
                visibility is not 0, 1 or 2, the size is not positive, or the split is unknown.
        """
        problem = (
            _split_problem(self.split)
            or _size_problem(self.size_wh)
            or (self.box is not None and box_problem(self.box))
            or keypoint_problem(self.keypoints or ())
        )
        if problem:
            raise DataError(f"{self.origin or self.name}: {problem}")

    @property
    def name(self) -> str:
        """Name of the image in messages and reports."""
        return str(self.image)

    @property
    def file_name(self) -> str:
        """Name of the image without its folder; the whole name if it is drawn on demand."""
        image = self.encoded
        return self.name if image is None else image.name.rpartition("/")[2]

    @property
    def encoded(self) -> Path | PackedImage | None:
        """The image if it is encoded in a file of its own or in a shard; None if it is drawn."""
        return self.image if isinstance(self.image, Path | PackedImage) else None

    @property
    def has_subject(self) -> bool:
        """Whether the sample has a label or a box."""
        return self.label is not None or self.box is not None


def mirrored_order(count: int, flip_pairs: Iterable[tuple[int, int]]) -> list[int]:
    """For each keypoint of a mirrored image, which keypoint of the image it is.

    Examples:
        >>> mirrored_order(3, [(0, 1)])
        [1, 0, 2]
    """
    order = list(range(count))
    for left, right in flip_pairs:
        order[left], order[right] = right, left
    return order


@dataclass(frozen=True, slots=True)
class KeypointSet:
    """The keypoints that all samples of a data set share.

    Attributes:
        names: Name of each keypoint, in the order of every sample's keypoints.
        skeleton: Pairs of keypoint indices (from 0) that a drawing connects.
        flip_pairs: Pairs of keypoint indices (from 0) that a mirrored image swaps.
    """

    names: tuple[str, ...]
    skeleton: tuple[tuple[int, int], ...] = ()
    flip_pairs: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Dataset:
    """Samples with the class names and keypoints that they use.

    Attributes:
        samples: Samples in the order of the label files.
        classes: Class names, in the order in which a model numbers them.
        keypoints: Names, skeleton and flip pairs of the samples' keypoints; None without keypoints.
        name: Path or name that the user asked to read, for messages and reports.
        notes: What the reader corrected or left out, one sentence each.
    """

    samples: tuple[Sample, ...]
    classes: tuple[str, ...]
    keypoints: KeypointSet | None = None
    name: str = ""
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.samples)

    def __iter__(self) -> Iterator[Sample]:
        return iter(self.samples)

    def part(self, split: Split) -> "Dataset":
        """The samples of one split, with the same classes and keypoints."""
        chosen = tuple(sample for sample in self.samples if sample.split == split)
        return dataclasses.replace(self, samples=chosen)

    def boxes(self) -> Float[ndarray, "n 4"]:
        """The ``xyxy`` boxes of the samples that have one, in order."""
        boxes = [sample.box for sample in self.samples if sample.box is not None]
        return np.array(boxes, dtype=np.float64).reshape(-1, 4)


@dataclass(frozen=True, slots=True)
class Prediction:
    """A model's answer for one image.

    Attributes:
        label: The most probable class.
        score: Confidence in [0, 1]: the label's probability, times the expected IoU of the box,
            times ``present``; a factor that the model does not estimate is left out.
        box: ``xyxy`` in pixels of the upright image.
        probabilities: Probability of each class, in the model's order of classes.
        keypoints: ``(x, y, confidence)`` for each keypoint of the model, in pixels of the upright
            image; None from a model without keypoints.
        present: Probability that the subject is in the image; None from a model whose training
            images all show it. Label, score and box are set even if it is low.
        sigma: Standard deviation of each edge of the box, in pixels; None from a model of an
            older version.
        distance: Cosine distance of the features inside the box from those of the most similar
            training images; None from a model that does not keep such features.
        expected_iou: IoU with the true box that is expected; None from a model that is not
            calibrated, as are the next five.
        p_iou50: Probability that the IoU is at least 0.5.
        p_iou75: Probability that the IoU is at least 0.75.
        novelty: How much the image differs from the training images; 0 for an average
            calibration image. None also without ``distance``.
        familiar: Fraction of the calibration images that are at least as novel, in (0, 1].
        is_familiar: Whether ``familiar`` exceeds 0.05: of images like the calibration images, about
            5 % do not. None also if there were too few calibration images to tell.
        outer_box: Contains the true box with the coverage asked for; None if none was.
        inner_box: Lies within the true box with the coverage asked for; None if none was, or if
            no such box has a size.
        accepted: Whether the prediction is sure enough for the risk asked for; None if none was.
    """

    label: str
    score: float
    box: Box
    probabilities: tuple[float, ...]
    keypoints: tuple[tuple[float, float, float], ...] | None = None
    present: float | None = None
    sigma: Box | None = None
    distance: float | None = None
    expected_iou: float | None = None
    p_iou50: float | None = None
    p_iou75: float | None = None
    novelty: float | None = None
    familiar: float | None = None
    is_familiar: bool | None = None
    outer_box: Box | None = None
    inner_box: Box | None = None
    accepted: bool | None = None

    @property
    def spread(self) -> float | None:
        """Mean over the four edges of ``sigma``, relative to the box's width or height."""
        if self.sigma is None:
            return None
        x_min, y_min, x_max, y_max = self.box
        width, height = max(x_max - x_min, LEAST_LENGTH), max(y_max - y_min, LEAST_LENGTH)
        left, top, right, bottom = self.sigma
        return ((left + right) / width + (top + bottom) / height) / 4

    @property
    def has_subject(self) -> bool:
        """Whether ``present`` reaches `PRESENT`; True if the model does not estimate it."""
        return self.present is None or self.present >= PRESENT


def choose_evenly(samples: Sequence[Sample], most: int) -> list[Sample]:
    """At most that many samples, evenly spread: label files are often sorted by class."""
    positions = np.linspace(0, len(samples) - 1, min(most, len(samples)))
    return [samples[round(position)] for position in positions.tolist()]


def as_box(values: Iterable[float]) -> Box:
    """Make a box of exactly four numbers."""
    x_min, y_min, x_max, y_max = values
    return x_min, y_min, x_max, y_max


def box_problem(box: Box) -> str:
    """Say why a box is not a valid ``xyxy`` box and how to repair it; empty if it is valid."""
    if not all(map(isfinite, box)):
        return f"box {format_box(box)} is not made of finite numbers. Correct or remove it."
    x_min, y_min, x_max, y_max = box
    if x_min < x_max and y_min < y_max:
        return ""
    return (
        f"box {format_box(box)} is {x_max - x_min:.6g} x {y_max - y_min:.6g} pixels; width "
        "and height must be positive. Swap its corners or remove it."
    )


def keypoint_problem(keypoints: Keypoints) -> str:
    """Say which keypoint has a wrong position or visibility; empty if all are valid."""
    for number, (x, y, visibility) in enumerate(keypoints, start=1):
        if not (isfinite(x) and isfinite(y)):
            return f"keypoint {number} is at {x}, {y}, which is not finite. Correct it."
        if visibility not in VISIBILITIES:
            return f"keypoint {number} has visibility {visibility}, not 0, 1 or 2. Correct it."
    return ""


def _split_problem(split: str) -> str:
    if split in SPLITS:
        return ""
    return f"split {split!r} is not one of {', '.join(SPLITS)}.{suggest(split, SPLITS)} Correct it."


def _size_problem(size_wh: tuple[int, int] | None) -> str:
    if size_wh is None or min(size_wh) > 0:
        return ""
    width, height = size_wh
    return f"size_wh is {width} x {height}; width and height must be positive. Correct it."
