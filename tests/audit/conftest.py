"""A data set of images that are never opened, and predictions for it."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from onebox.audit.records import OutOfFold
from onebox.structures import Dataset, Sample, as_box

SIZE = (200, 100)
COUNT = 40


@pytest.fixture
def boxes():
    """Right boxes, in pixels."""
    rng = np.random.default_rng(0)
    low = rng.uniform([10, 5], [80, 30], (COUNT, 2))
    return np.concatenate([low, low + rng.uniform([40, 30], [90, 60], (COUNT, 2))], axis=1).round()


@pytest.fixture
def data(boxes):
    """Cats and dogs in turn, every fifth a test image."""
    samples = [
        Sample(
            Path(f"images/{row:02d}.jpg"),
            "cat" if row % 2 else "dog",
            as_box(box.tolist()),
            "test" if row % 5 == 0 else "train",
            size_wh=SIZE,
        )
        for row, box in enumerate(boxes)
    ]
    return Dataset(tuple(samples), ("cat", "dog"), name="labels.csv")


@pytest.fixture
def found(boxes):
    """Predictions near the right labels: two pixels off, with a class probability of 0.9."""
    rng = np.random.default_rng(1)
    near = boxes + rng.normal(0, 2, boxes.shape)
    is_cat = np.arange(COUNT) % 2 == 1
    probabilities = np.where(is_cat[:, None], [0.9, 0.1], [0.1, 0.9])
    sides = np.array([*SIZE, *SIZE], np.float64)
    return OutOfFold(
        near / sides, np.full((COUNT, 4), 2.0) / sides, probabilities, None, None, copies=()
    )


@pytest.fixture
def relabel():
    """Change the label of one sample: ``relabel(data, 3, label="dog")``."""

    def change(data, row, **facts):
        samples = list(data.samples)
        samples[row] = dataclasses.replace(samples[row], **facts)
        return dataclasses.replace(data, samples=tuple(samples))

    return change
