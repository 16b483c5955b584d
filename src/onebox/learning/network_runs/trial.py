"""A trial of a search for settings: a network fitted and validated, with nothing exported.

The images of the split ``test`` are never read.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import torch

from onebox.learning.data.decoded_cache import Decoded, decode
from onebox.learning.fitting.checkpointing import select_checkpoint
from onebox.learning.fitting.epochs import count_epochs
from onebox.learning.fitting.fit import fit
from onebox.learning.network_runs.initial_weights import find_start
from onebox.learning.network_runs.resolve import resolve
from onebox.learning.network_runs.run import prepare
from onebox.progress import EpochMetrics, Listener, Silent, StopTraining
from onebox.recipes.recipe import Recipe
from onebox.runs.options import RunOptions
from onebox.structures import Dataset

Report = Callable[[float, float], None]
"""Told of each validation: the fraction of the schedule, and the metric of the trial so far.

It may raise `StopTraining`, which ends the trial; nothing is reported after that.
"""


@dataclass(frozen=True, slots=True)
class TrialPlace:
    """Where and how a trial trains.

    Attributes:
        folder: A folder for checkpoints, empty or new; they are not read again.
        threads: Cores that the trial may use.
        weights: Initial weights, as in `onebox.train`.
    """

    folder: Path
    threads: int
    weights: Path | None = None


def run_trial(data: Dataset, recipe: Recipe, place: TrialPlace, report: Report) -> None:
    """Train a network on the ``train`` images, and report its mean IoU on the ``val`` images.

    The metric is the one that a full training would choose its weights by: of the best epoch so
    far, or of the latest. The last report has the fraction 1.

    Raises:
        OneboxError: If weights cannot be had or the disk is full.
        DataError: If images cannot be read.
        SettingError: If settings are wrong or do not fit together.
        KeyboardInterrupt: If the user stopped it.
    """
    torch.set_num_threads(place.threads)
    options = RunOptions(time.monotonic(), place.weights, place.folder)
    prepared = prepare(data, recipe, options)
    side = prepared.recipe.decoded_side
    decoded = {split: decode(data.part(split), side) for split in ("train", "val")}
    is_best = select_checkpoint(prepared.recipe, decoded["val"]) == "best"
    prepared.checkpoints.mkdir(parents=True, exist_ok=True)
    validations = _Validations(report, is_best=is_best)
    fitted = fit(prepared.network, prepared.recipe, decoded, prepared.checkpoints, validations)
    if fitted.is_interrupted:
        raise KeyboardInterrupt
    validations.end()


def count_trial_epochs(data: Dataset, recipe: Recipe) -> int:
    """Epochs of every trial of a recipe, which the full training has, too."""
    return count_epochs(len(data.part("train")), recipe)


def settings_of_weights(
    data: Dataset, recipe: Recipe, weights: Path | None, changes: Mapping[str, Any]
) -> dict[str, Any]:
    """Those of some settings that the initial weights decide, with the values that they ask for.

    An earlier run's weights decide the architecture; a network from scratch has no frozen stages.

    Raises:
        OneboxError: If weights cannot be had.
        SettingError: If the weights cannot be read, or the recipe does not fit the data.
    """
    start = find_start(resolve(recipe.changed(changes), data), weights).recipe
    settings = start.model_dump(mode="json")
    kept = {name: reduce(getitem, name.split("."), settings) for name in changes}
    return {name: kept[name] for name, value in changes.items() if kept[name] != value}


def decode_splits(data: Dataset, side: int, listener: Listener) -> dict[str, str]:
    """Decode the ``train`` and ``val`` images once for all trials, to that side; their digests.

    Raises:
        DataError: If images cannot be decoded; the message names all of them.
    """
    digests = {}
    for split in ("train", "val"):
        listener.stage(f"Decoding {split} images")
        decoded: Decoded = decode(
            data.part("train" if split == "train" else "val"), side, progress=listener.advance
        )
        digests[split] = decoded.digest
    return digests


@dataclass(slots=True)
class _Validations(Silent):
    """A listener that reports each validation."""

    report: Report
    is_best: bool
    fraction: float = field(default=0.0, init=False)
    metric: float | None = field(default=None, init=False)
    is_stopped: bool = field(default=False, init=False)

    def advance(self, done: int, total: int) -> None:
        self.fraction = done / total

    def epoch(self, metrics: EpochMetrics) -> None:
        value = metrics.val_mean_iou
        if value != value:  # noqa: PLR0124 - not a number: no validation in this epoch
            return
        if self.metric is None or not self.is_best or value > self.metric:
            self.metric = value
        try:
            self.report(self.fraction, self.metric)
        except StopTraining:
            self.is_stopped = True
            raise

    def end(self) -> None:
        """Report the end of a schedule that ended before its last step."""
        if self.metric is not None and self.fraction < 1 and not self.is_stopped:
            self.report(1.0, self.metric)
