"""A data set → a HOG localizer.

Each class has a linear SVM that separates its windows from background and from the windows of the
other classes. Classes with the same window shape share their windows and their box regression.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from onebox.boxes import box_sizes, paired_iou
from onebox.classic.examples import (
    Example,
    ExampleReader,
    Progress,
    lay_windows,
    positives,
    read_examples,
)
from onebox.classic.filter_bank import FilterBank
from onebox.classic.hog_localizer import HogLocalizer, HogModel
from onebox.classic.packages import require_classic
from onebox.classic.pyramid import level_lengths
from onebox.classic.score_calibration import Calibration, fit_calibration
from onebox.classic.settings import HogSettings
from onebox.classic.svms import fit_filter_bank
from onebox.classic.windows import WindowShape, window_shape
from onebox.errors import DataError
from onebox.image_sizes import size_of
from onebox.mean_box import mean_box
from onebox.model_card import ModelCard
from onebox.structures import Dataset, Sample

# Images to calibrate on. Not tuned; a logistic curve of fewer is mostly noise. Half of 18
# validation images must be enough: the others are taken for the split cal.
_MIN_HELD_OUT = 9


def train(
    data: Dataset, settings: HogSettings, *, progress: Progress | None = None
) -> HogLocalizer:
    """Train a localizer on the ``train`` split, and calibrate its scores on ``val``.

    Args:
        data: The data set; its keypoints are ignored. If ``val`` has fewer than nine images with a
            box, scores are calibrated on the training images, and are too high.
        settings: All settings.
        progress: Called after each image is read, with the number done and the total.

    Returns:
        The localizer; the same for the same data, settings and machine.

    Raises:
        DataError: If a class has no training image with a box, or none that a window fits, if
            there is no background, or if images cannot be read.
        OneboxError: If scikit-image or scikit-learn is not installed.
    """
    check(data)
    generator = np.random.default_rng(settings.seed)
    samples = _draw(data.part("train").samples, data, settings, generator)
    held_out = _draw(_located(data.part("val").samples), data, settings, generator)
    if len(held_out) < _MIN_HELD_OUT:
        held_out = []
    shapes, reader = _plan_windows(samples, data.classes, settings)
    examples = read_examples([*samples, *held_out], reader, progress)
    seen, unseen = examples[: len(samples)], examples[len(samples) :]
    banks = tuple(_fit_bank(seen, shape, shapes[shape], reader, generator) for shape in shapes)
    model = HogModel(settings, reader.level_lengths, banks)
    shown = unseen or tuple(example for example in seen if example.truth is not None)
    card = ModelCard(
        data.classes,
        reader.level_lengths[0],
        mean_box(data.part("train")),
        sigma=True,
        recipe=settings.model_dump(),
        provenance={"learned_from": len(samples), "calibrated_on": "val" if unseen else "train"},
    )
    return HogLocalizer(replace(model, calibration=_calibrate(model, shown)), card)


def check(data: Dataset) -> None:
    """Refuse what cannot be trained on, before any image is read.

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


def _draw(
    samples: Sequence[Sample], data: Dataset, settings: HogSettings, generator: np.random.Generator
) -> list[Sample]:
    """Random samples up to the maximum, at least one of each class, in their original order."""
    order = generator.permutation(len(samples)).tolist()
    firsts = {samples[index].label: index for index in reversed(order)}
    required = [firsts[label] for label in data.classes if label in firsts]
    preferred = list(dict.fromkeys([*required, *order]))
    chosen = preferred[: max(len(required), settings.images)]
    return [samples[index] for index in sorted(chosen)]


def _plan_windows(
    samples: Sequence[Sample], classes: tuple[str, ...], settings: HogSettings
) -> tuple[dict[WindowShape, tuple[int, ...]], ExampleReader]:
    """Choose window shapes, each with its classes, and pyramid levels, from the training boxes."""
    located = _located(samples)
    image_sizes = np.array([size_of(sample) for sample in located], dtype=np.float64)
    widths, heights = box_sizes(np.array([sample.box for sample in located], dtype=np.float64)).T
    labels = np.array([classes.index(str(sample.label)) for sample in located])
    shapes: dict[WindowShape, tuple[int, ...]] = {}
    for class_index in range(len(classes)):
        aspect = float(np.median((widths / heights)[labels == class_index]))
        shape = window_shape(aspect, settings)
        shapes[shape] = (*shapes.get(shape, ()), class_index)
    lengths = level_lengths(np.sqrt(widths * heights) / image_sizes.max(axis=1), settings)
    rows, columns = zip(*shapes, strict=True)
    return shapes, ExampleReader(settings, lengths, (max(rows), max(columns)), classes)


def _fit_bank(
    examples: Sequence[Example],
    shape: WindowShape,
    class_indices: tuple[int, ...],
    reader: ExampleReader,
    generator: np.random.Generator,
) -> FilterBank:
    windows = [lay_windows(example, shape, reader.settings) for example in examples]
    shown = {each.example.class_index for each in windows if len(positives(each, reader.settings))}
    for class_index in class_indices:
        if class_index not in shown:
            raise DataError(
                f"class {reader.classes[class_index]!r}: no window comes near any of its boxes; "
                "they are too small or too narrow for HOG windows. Crop the images closer around "
                "their subjects, or use another recipe."
            )
    return fit_filter_bank(windows, shape, class_indices, reader.settings, generator)


def _calibrate(model: HogModel, examples: Sequence[Example]) -> Calibration:
    decision_values, votes = zip(
        *(model.localize(example.pyramid) for example in examples), strict=True
    )
    truths = [example.truth for example in examples if example.truth is not None]
    return fit_calibration(
        np.array([each.agreement for each in votes]),
        paired_iou(np.stack([each.box for each in votes]), np.stack(truths)),
        np.stack(decision_values),
        np.array([example.class_index for example in examples]),
    )
