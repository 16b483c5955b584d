"""Runs that are not trained: each predicts the left part of the true box."""

import dataclasses
from functools import partial

import numpy as np
import pytest

from onebox.evaluation import summarize
from onebox.metrics import compare
from onebox.runs.results import Run
from onebox.structures import Dataset, Prediction, Sample


@pytest.fixture
def pets():
    """Sixteen images of cats and dogs, four of them for the test."""
    rng = np.random.default_rng(0)
    splits = ["train"] * 8 + ["val"] * 2 + ["cal"] * 2 + ["test"] * 4
    samples = []
    for number, split in enumerate(splits):
        noise = rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)
        label = "cat" if number % 2 else "dog"
        samples.append(Sample(Pixels(noise, number), label, (0.0, 0.0, 8.0, 8.0), split))
    return Dataset(tuple(samples), ("cat", "dog"), name="pets", notes=("one row was skipped.",))


@dataclasses.dataclass(frozen=True)
class Pixels:
    """An image with a name that does not change."""

    pixels: np.ndarray = dataclasses.field(repr=False, compare=False)
    number: int

    def __array__(self, dtype=None, copy=None):
        return self.pixels


@pytest.fixture
def trained(monkeypatch):
    """The calls of training, which is replaced; ``trained.fail`` is asked before each.

    A run writes recipe, checkpoint and model. The IoU of its boxes is 0.5 + seed / 10, and 0.05
    less for each image of its test part before the present one.
    """
    calls = Calls()
    monkeypatch.setattr("onebox.runs.repeats.one_run.run", partial(_run, calls))
    return calls


class Calls:
    def __init__(self):
        self.asked = []
        self.fail = lambda number: None

    def folders(self):
        return [(options.resume or options.out).name for _, _, options in self.asked]


def _run(calls, data, recipe, options, listener):
    calls.asked.append((data, recipe, options))
    folder = options.resume or options.out
    (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
    (folder / "checkpoints/last.safetensors").touch()
    (folder / "recipe.toml").touch()
    calls.fail(len(calls.asked) - 1)
    reports = {split: _report(data.part(split), recipe.train.seed) for split in ("val", "test")}
    metrics = {split: report.as_json() for split, report in reports.items()}
    return Run(folder, metrics, epochs=7, reports=reports)


def _report(part, seed):
    outcomes = []
    for number, sample in enumerate(part):
        iou = 0.5 + seed / 10 - 0.05 * number
        answer = Prediction(
            "cat", 0.75, (0.0, 0.0, 8 * iou, 8.0), (0.75, 0.25), sigma=(1.0, 1.0, 1.0, 1.0)
        )
        mean_box = (0.0, 0.0, 0.5, 0.5)
        outcomes.append(compare(sample, answer, size_wh=(8, 8), mean_box=mean_box))
    return summarize(outcomes, part.classes)
