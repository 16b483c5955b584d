"""A data set → a HOG localizer.

Each class has a linear support vector machine that tells its windows from background and from the
windows of the other classes. Classes whose windows have one shape share the windows, and share the
regression from a window to the true box.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from onebox.boxes import paired_iou
from onebox.classic.examples import (
    Example,
    Progress,
    Reading,
    positives,
    read_examples,
    try_windows,
)
from onebox.classic.filter_bank import Bank
from onebox.classic.hog_localizer import HogLocalizer, Machines
from onebox.classic.packages import require_classic
from onebox.classic.pyramid import level_sides
from onebox.classic.score_calibration import Calibration, calibrate
from onebox.classic.settings import HogSettings
from onebox.classic.svms import fit_bank
from onebox.classic.windows import Shape, window_shape
from onebox.errors import DataError
from onebox.mean_box import mean_box, size_of
from onebox.model_card import ModelCard
from onebox.structures import Dataset, Sample

_LEAST_HELD_OUT = 10


def train(
    data: Dataset, settings: HogSettings, *, progress: Progress | None = None
) -> HogLocalizer:
    """Train a localizer on the ``train`` split, and calibrate its scores on ``val``.

    Args:
        data: Keypoints are passed over. Where ``val`` has fewer than ten images with a box, scores
            are calibrated on the training images, and promise too much.
        settings: All there are.
        progress: Called after each image that was read, with those done and all there are.

    Returns:
        The localizer; the same for the same data, settings and machine.

    Raises:
        DataError: If a class has no training image with a box, or none that a window can show,
            if there is no background, or if images cannot be read.
        OneboxError: If scikit-image or scikit-learn is not installed.
    """
    check(data)
    generator = np.random.default_rng(settings.seed)
    samples = _drawn(data.part("train").samples, data, settings, generator)
    held_out = _drawn(_located(data.part("val").samples), data, settings, generator)
    if len(held_out) < _LEAST_HELD_OUT:
        held_out = []
    shapes, reading = _plan(samples, data.classes, settings)
    examples = read_examples([*samples, *held_out], reading, progress or _in_silence)
    learned, unseen = examples[: len(samples)], examples[len(samples) :]
    banks = tuple(_bank(learned, shape, shapes[shape], reading, generator) for shape in shapes)
    machines = Machines(settings, reading.sides, banks)
    shown = unseen or tuple(example for example in learned if example.truth is not None)
    machines = replace(machines, calibration=_calibration(machines, shown))
    facts = ModelCard(
        data.classes,
        reading.sides[0],
        mean_box(data.part("train")),
        recipe=settings.model_dump(),
        provenance={"learned_from": len(samples), "calibrated_on": "val" if unseen else "train"},
    )
    return HogLocalizer(machines, facts)


def check(data: Dataset) -> None:
    """Refuse what cannot be learned, before any image is read.

    Raises:
        DataError: If a class has no training image with a box.
        OneboxError: If scikit-image or scikit-learn is not installed.
    """
    for package in ("skimage", "sklearn"):
        require_classic(package)
    name = data.name or "data set"
    shown = {sample.label for sample in _located(data.part("train").samples)}
    missing = [label for label in data.classes if label not in shown]
    if missing or not data.classes:
        what = f"of {', '.join(missing)} " if missing else ""
        raise DataError(
            f"{name}: has no training image {what}with a box. Add some, or remove the class."
        )


def _located(samples: Sequence[Sample]) -> list[Sample]:
    return [sample for sample in samples if sample.box is not None and sample.label is not None]


def _drawn(
    samples: Sequence[Sample], data: Dataset, settings: HogSettings, generator: np.random.Generator
) -> list[Sample]:
    """As many samples as are used, at least one of each class, in their own order."""
    order = generator.permutation(len(samples))
    firsts = {samples[place].label: place for place in reversed(order.tolist())}
    kept = [firsts[label] for label in data.classes if label in firsts]
    rest = [place for place in order.tolist() if place not in set(kept)]
    return [samples[place] for place in sorted([*kept, *rest][: max(len(kept), settings.images)])]


def _plan(
    samples: Sequence[Sample], classes: tuple[str, ...], settings: HogSettings
) -> tuple[dict[Shape, tuple[int, ...]], Reading]:
    """The windows of each class and the levels of the pyramid, by the training boxes."""
    located = _located(samples)
    sizes = np.array([size_of(sample) for sample in located], dtype=np.float64)
    boxes = np.array([sample.box for sample in located], dtype=np.float64)
    widths, heights = (boxes[:, 2:] - boxes[:, :2]).T
    labels = np.array([classes.index(str(sample.label)) for sample in located])
    shapes: dict[Shape, tuple[int, ...]] = {}
    for number in range(len(classes)):
        aspect = float(np.median((widths / heights)[labels == number]))
        shape = window_shape(aspect, settings)
        shapes[shape] = (*shapes.get(shape, ()), number)
    sides = level_sides(np.sqrt(widths * heights) / sizes.max(axis=1), settings)
    rows, columns = zip(*shapes, strict=True)
    return shapes, Reading(settings, sides, (max(rows), max(columns)), classes)


def _bank(
    examples: Sequence[Example],
    shape: Shape,
    members: tuple[int, ...],
    reading: Reading,
    generator: np.random.Generator,
) -> Bank:
    """Learn one shape.

    Raises:
        DataError: If no window shows a class, or none shows background.
    """
    tried = [try_windows(example, shape, reading.settings) for example in examples]
    shown = {one.example.label for one in tried if len(positives(one, reading.settings))}
    for number in members:
        if number not in shown:
            raise DataError(
                f"class {reading.classes[number]!r}: no window comes near any of its boxes; they "
                "are too small or too narrow for HOG windows. Crop the images closer around "
                "their subjects, or use another recipe."
            )
    return fit_bank(tried, shape, members, reading.settings, generator)


def _calibration(machines: Machines, examples: Sequence[Example]) -> Calibration:
    answers = [machines.answer(example.pyramid) for example in examples]
    boxes = np.stack([agreed.box for _, agreed in answers])
    truths = np.stack([example.truth for example in examples if example.truth is not None])
    return calibrate(
        np.array([agreed.agreement for _, agreed in answers]),
        paired_iou(boxes, truths),
        np.stack([best for best, _ in answers]),
        np.array([example.label for example in examples]),
    )


def _in_silence(done: int, total: int) -> None:
    """Say nothing of progress."""
