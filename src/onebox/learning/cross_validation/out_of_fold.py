"""Out-of-fold predictions: one short training for each fold, from the same initial weights.

All images are decoded once, whatever their split. The network of a fold trains on the other folds
and predicts the fold's images directly, without export.
"""

import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float64, Int64
from numpy import ndarray

from onebox.audit.job import AuditOptions
from onebox.audit.records import OutOfFold
from onebox.boxes import paired_iou
from onebox.errors import SettingError
from onebox.folds.assignment import assign_folds
from onebox.folds.copies import Pair, find_copies, group_copies, thumbnail
from onebox.learning.cross_validation.looks import (
    MARGINS,
    Look,
    Viewer,
    join_looks,
    mean_look,
    select_look,
    whole_windows,
    windows_around,
)
from onebox.learning.cross_validation.schedule import fold_recipe
from onebox.learning.data.decoded_cache import Decoded, content_digest, decode
from onebox.learning.fitting.feature_cache import to_planes
from onebox.learning.fitting.fit import FitLimits, fit
from onebox.learning.network_runs.initial_weights import Start, find_start
from onebox.learning.network_runs.resolve import learns_presence, resolve
from onebox.learning.networks.network import Network
from onebox.progress import Listener
from onebox.recipes.recipe import Recipe
from onebox.structures import Dataset

_BATCH = 32  # images that are predicted at once
_LISTS_S = 6.0  # for the lists and the page after the last fold; not tuned
_TRAINED_SHARE = 0.8  # of the images, where the data set names no split


def predict_out_of_fold(
    data: Dataset, recipe: Recipe, options: AuditOptions, listener: Listener
) -> OutOfFold:
    """Predict every image of a data set by a network that was not trained on it.

    Raises:
        OneboxError: If weights cannot be had or the disk is full.
        DataError: If images cannot be read.
        SettingError: If settings are wrong, do not fit together, or leave no time to train.
        KeyboardInterrupt: If the user stopped it.
    """
    trained = len(data.part("train")) or round(_TRAINED_SHARE * len(data))
    data = replace(data, samples=tuple(replace(sample, split="train") for sample in data))
    start = find_start(resolve(recipe, data), options.weights)
    listener.stage("Decoding images")
    decoded = decode(data, start.recipe.model.size, progress=listener.advance)
    copies = _find_copies(data, decoded)
    groups = group_copies(copies, len(data))
    folds = assign_folds(decoded.labels, groups, options.folds, recipe.train.seed)
    job = _Job(data, start, decoded, options, listener)
    looks = list(job.run(folds, trained))
    order = np.argsort(np.argsort(folds, kind="stable"))
    whole, windows = (select_look(join_looks(each), order) for each in zip(*looks, strict=True))
    return _as_record(whole, windows, decoded, copies)


@dataclass(frozen=True, slots=True)
class _Job:
    data: Dataset
    start: Start
    decoded: Decoded
    options: AuditOptions
    listener: Listener

    def run(self, folds: Int64[ndarray, " n"], trained: int) -> Iterator[tuple[Look, Look]]:
        """Train and predict each fold in turn.

        Yields:
            The looks at the whole images of the fold and at windows, in the order of its rows.

        Raises:
            SettingError: If the time budget leaves no time to train.
            KeyboardInterrupt: If the user stopped it.
        """
        count = self.options.folds
        predict_s = self._rehearse_s() if self.start.recipe.train.minutes else 0.0
        for fold in range(count):
            kept, held = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
            self.listener.stage(f"Training fold {fold + 1} of {count}")
            recipe = fold_recipe(self.start.recipe, images=trained, kept=len(kept), folds=count)
            budget_s = self._budget_s(count - fold, predict_s * len(held))
            yield self._predict(self._trained(recipe, kept, held, budget_s), held)

    def _network(self) -> Network:
        keypoints = 0 if self.data.keypoints is None else len(self.data.keypoints.names)
        presence = learns_presence(self.start.recipe, self.data)
        return self.start.network(len(self.data.classes), keypoints, presence=presence)

    def _trained(
        self,
        recipe: Recipe,
        kept: Int64[ndarray, " kept"],
        held: Int64[ndarray, " held"],
        budget_s: float | None,
    ) -> Network:
        network = self._network()
        parts = {"train": self.decoded.select(kept), "val": self.decoded.select(held)}
        with tempfile.TemporaryDirectory() as folder:
            limits = FitLimits(budget_s=budget_s)
            fitted = fit(network, recipe, parts, Path(folder), self.listener, limits)
        if fitted.is_interrupted:
            raise KeyboardInterrupt
        return network

    def _predict(self, network: Network, rows: Int64[ndarray, " n"]) -> tuple[Look, Look]:
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        size, pairs = self.start.recipe.model.size, self.decoded.flip_pairs
        viewer = Viewer(network.to(device).eval(), size, pairs)
        looks: list[tuple[Look, Look]] = []
        with torch.inference_mode():
            for first in range(0, len(rows), _BATCH):
                squares = self.decoded.pixels[rows[first : first + _BATCH].tolist()]
                images = to_planes(torch.from_numpy(np.ascontiguousarray(squares)).to(device))
                looks.append(_look_at(viewer, images))
        whole, windows = zip(*looks, strict=True)
        return join_looks(whole), join_looks(windows)

    def _rehearse_s(self) -> float:
        """Seconds that the prediction of an image takes, by an untrained network."""
        rows = np.arange(min(_BATCH, len(self.decoded)))
        begin = time.monotonic()
        self._predict(self._network(), rows)
        return (time.monotonic() - begin) / len(rows)

    def _budget_s(self, folds_left: int, predict_s: float) -> float | None:
        """Seconds that the next fold may train; None without a time budget.

        Raises:
            SettingError: If there are none.
        """
        minutes = self.start.recipe.train.minutes
        if minutes is None:
            return None
        used_s = time.monotonic() - self.options.started_s
        budget_s = (minutes * 60 - used_s - _LISTS_S) / folds_left - predict_s
        if budget_s <= 0:
            needed_s = used_s + _LISTS_S + folds_left * predict_s
            raise SettingError(
                f"--minutes {minutes:g}: without any training, the audit takes {needed_s:.0f} "
                f"seconds. Give at least {2 * needed_s / 60:.1f} minutes."
            )
        return budget_s


def _look_at(viewer: Viewer, images: torch.Tensor) -> tuple[Look, Look]:
    def look(windows: torch.Tensor) -> Look:
        both = (False, True)
        return mean_look([viewer.look(images, windows, is_flipped=each) for each in both])

    whole = look(whole_windows(len(images)))
    return whole, mean_look([look(windows_around(whole.boxes, margin)) for margin in MARGINS])


def _as_record(whole: Look, windows: Look, decoded: Decoded, copies: Sequence[Pair]) -> OutOfFold:
    """Boxes of the looks that agree better with the labels; the classes of all looks."""
    everything = mean_look([whole, windows])
    chosen = max(windows, whole, key=lambda look: _mean_iou(look, decoded))
    points, present = chosen.keypoints, everything.present
    # Where the looks disagree, neither is certain.
    disagreement = np.abs(_boxes(whole) - _boxes(windows))
    return OutOfFold(
        boxes=_boxes(chosen),
        sigmas=np.hypot(chosen.sigmas.double().numpy(), disagreement),
        probabilities=everything.log_probabilities.exp().double().numpy(),
        keypoints=None if points is None else points.double().numpy(),
        present=None if present is None else present.double().numpy(),
        copies=tuple(copies),
    )


def _mean_iou(look: Look, decoded: Decoded) -> float:
    ious = paired_iou(_boxes(look), decoded.boxes.astype(np.float64))
    return float(ious[decoded.has_box].mean())


def _boxes(look: Look) -> Float64[ndarray, "n 4"]:
    """Its boxes, cut at the frame as the labels are."""
    return look.boxes.double().numpy().clip(0, 1)


def _find_copies(data: Dataset, decoded: Decoded) -> tuple[Pair, ...]:
    thumbnails = np.stack([thumbnail(decoded.pixels[row]) for row in range(len(data))])
    return find_copies(thumbnails, [content_digest(sample) for sample in data])
