"""Wrong labels, injected into a data set at random: what `audit.py` has to find."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy import ndarray

from onebox.boxes import clip_boxes, paired_iou
from onebox.image_sizes import size_of
from onebox.structures import Box, Dataset, Sample, as_box

BOX_KINDS = ("shift", "scale", "side", "other")
CLASS_KIND = "class"
Moved = tuple[ndarray, int | None]
"""A wrong box, and the side that was moved if it was one side."""

_MOST_IOU = 0.85  # with the right box; a label nearer to it is hardly a fault
_TRIES = 1000


@dataclass(frozen=True, slots=True)
class Faulty:
    """A data set with faults, and what they are.

    Attributes:
        data: The data set; the faulty labels replace the right ones.
        kinds: Kind of fault by row.
        sides: Index of the side that was moved, by row; of faults of kind ``side`` alone.
    """

    data: Dataset
    kinds: dict[int, str]
    sides: dict[int, int]


def inject(data: Dataset, fraction: float, kinds: Sequence[str], seed: int) -> Faulty:
    """Give a fraction of the images with a box a fault each; the kinds take turns."""
    generator = np.random.default_rng(seed)
    boxed = [row for row, sample in enumerate(data) if sample.box is not None]
    chosen = generator.choice(boxed, round(fraction * len(boxed)), replace=False)
    samples, sides = list(data.samples), {}
    of_row = {int(row): kinds[turn % len(kinds)] for turn, row in enumerate(chosen)}
    for row, kind in of_row.items():
        if kind == CLASS_KIND:
            others = [name for name in data.classes if name != samples[row].label]
            samples[row] = dataclasses.replace(samples[row], label=str(generator.choice(others)))
            continue
        box, side = wrong_box(samples[row], kind, data, generator)
        samples[row] = dataclasses.replace(samples[row], box=box)
        if side is not None:
            sides[row] = side
    return Faulty(dataclasses.replace(data, samples=tuple(samples)), of_row, sides)


def wrong_box(
    sample: Sample, kind: str, data: Dataset, generator: np.random.Generator
) -> tuple[Box, int | None]:
    """A wrong box of a kind for a sample, and the side that was moved if it was one side.

    Raises:
        ValueError: If none is found, as for a data set whose boxes are all the same.
    """
    right = np.array([sample.box], np.float64)
    size = np.array(size_of(sample), np.float64)
    for _ in range(_TRIES):
        box, side = _KINDS[kind](right[0], size, data, generator)
        box = clip_boxes(box[None], (size[0], size[1]))
        is_box = (box[0, 2:] - box[0, :2] >= 2).all()  # pixels
        if is_box and paired_iou(box, right)[0] <= _MOST_IOU:
            return as_box(box[0].tolist()), side
    raise ValueError(f"{sample.name}: found no wrong box of kind {kind}.")


def _shifted(box: ndarray, size: ndarray, data: Dataset, generator: np.random.Generator) -> Moved:
    """Both coordinates by 10 to 30 % of the box's width and height."""
    del size, data
    move = generator.uniform(0.1, 0.3, 2) * generator.choice([-1, 1], 2) * (box[2:] - box[:2])
    return box + np.tile(move, 2), None


def _scaled(box: ndarray, size: ndarray, data: Dataset, generator: np.random.Generator) -> Moved:
    """Width and height by a factor of 1.25 to 1.7, larger or smaller, about the centre."""
    del size, data
    factor = np.exp(generator.uniform(np.log(1.25), np.log(1.7)) * generator.choice([-1, 1]))
    centre, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2
    return np.concatenate([centre - factor * half, centre + factor * half]), None


def _one_side(box: ndarray, size: ndarray, data: Dataset, generator: np.random.Generator) -> Moved:
    """One side by 15 to 40 % of the box's width or height, outwards or inwards."""
    del size, data
    side = int(generator.integers(4))
    length = (box[2:] - box[:2])[side % 2]
    moved = box.copy()
    moved[side] += generator.uniform(0.15, 0.4) * generator.choice([-1, 1]) * length
    return moved, side


def _of_other(box: ndarray, size: ndarray, data: Dataset, generator: np.random.Generator) -> Moved:
    """The box of another image, in the pixels of that image."""
    del box, size
    other = data.samples[int(generator.integers(len(data)))]
    return np.array(other.box, np.float64), None


_Kind = Callable[[ndarray, ndarray, Dataset, np.random.Generator], Moved]
_KINDS: dict[str, _Kind] = {
    "shift": _shifted,
    "scale": _scaled,
    "side": _one_side,
    "other": _of_other,
}
