"""Out-of-fold predictions: one short training for each fold, from the same initial weights.

All images are decoded once, whatever their split. The network of a fold trains on the other folds
and predicts the fold's images directly, without export.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from onebox.audit.job import AuditOptions
from onebox.audit.records import OutOfFold
from onebox.boxes import paired_iou
from onebox.errors import OneboxError, SettingError
from onebox.folds.assignment import assign_folds
from onebox.folds.copies import Pair, find_copies, group_copies, thumbnail
from onebox.image_digests import content_digest
from onebox.learning.cross_validation.fold_networks import DecodedImages, Fold, FoldTrainer
from onebox.learning.cross_validation.looks import Look, join_looks, mean_look, select_look
from onebox.learning.data.decoded_cache import Decoded
from onebox.learning.network_runs.initial_weights import find_start
from onebox.learning.network_runs.resolve import resolve
from onebox.progress import Listener
from onebox.recipes.recipe import Recipe
from onebox.structures import Dataset
from onebox.tasks import IN_ORDER, TaskRunner, listeners_of, rounds_left

_LISTS_S = 6.0  # for the lists and the page after the last fold; not tuned
_TRAINED_SHARE = 0.8  # of the images, where the data set names no split


def predict_out_of_fold(
    data: Dataset,
    recipe: Recipe,
    options: AuditOptions,
    listener: Listener,
    runner: TaskRunner = IN_ORDER,
) -> OutOfFold:
    """Predict every image of a data set by a network that was not trained on it.

    Raises:
        OneboxError: If weights cannot be had, the disk is full or a worker process died.
        DataError: If images cannot be read.
        SettingError: If settings are wrong, do not fit together, or leave no time to train.
        KeyboardInterrupt: If the user stopped it.
    """
    trained = len(data.part("train")) or round(_TRAINED_SHARE * len(data))
    data = replace(data, samples=tuple(replace(sample, split="train") for sample in data))
    start = find_start(resolve(recipe, data), options.weights)
    images = DecodedImages(data, start.recipe.decoded_side)
    decoded = images.get(listener)
    copies = _find_copies(data, decoded)
    groups = group_copies(copies, len(data))
    folds = assign_folds(decoded.labels, groups, options.folds, recipe.train.seed)
    trainer = FoldTrainer(data, images, start, options.folds, trained)
    looks = _Job(trainer, decoded, options, runner, listener).run(folds)
    order = np.argsort(np.argsort(folds, kind="stable"))
    whole, windows = (select_look(join_looks(each), order) for each in zip(*looks, strict=True))
    return _as_record(whole, windows, decoded, copies)


@dataclass(frozen=True, slots=True)
class _Job:
    trainer: FoldTrainer
    decoded: Decoded
    options: AuditOptions
    runner: TaskRunner
    listener: Listener

    def run(self, folds: Int64[ndarray, " n"]) -> list[tuple[Look, Look]]:
        """Train and predict all folds.

        Returns:
            For each fold, the looks at its whole images and at windows, in the order of its rows.

        Raises:
            OneboxError: If a fold failed; the error of the first that did.
        """
        count = self.options.folds
        names = (f"fold {fold + 1}" for fold in range(count))
        listeners = [self.listener] * count
        if self.runner.at_once > 1:
            listeners = listeners_of(self.listener, names, self.runner)
        looks: dict[int, tuple[Look, Look]] = {}
        for fold, found in self.runner.map(self.trainer.run, self._draw(folds), listeners):
            if isinstance(found, OneboxError):
                raise found
            looks[fold] = found
        return [looks[fold] for fold in range(count)]

    def _draw(self, folds: Int64[ndarray, " n"]) -> Iterator[Fold]:
        """The folds, each with its share of the time that is left then."""
        count, predict_s = self.options.folds, 0.0
        if self.trainer.start.recipe.train.minutes:
            predict_s = self.trainer.rehearse_s(self.decoded) * self.runner.at_once
        for fold in range(count):
            kept, held = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
            yield Fold(fold, held, kept, self._budget_s(count - fold, predict_s * len(held)))

    def _budget_s(self, folds_left: int, predict_s: float) -> float | None:
        """Seconds that the next fold may train; None without a time budget.

        Raises:
            SettingError: If there are none.
        """
        minutes = self.trainer.start.recipe.train.minutes
        if minutes is None:
            return None
        used_s = time.monotonic() - self.options.started_s
        rounds = rounds_left(folds_left, self.runner.at_once)
        after_s = predict_s + self.runner.start_s
        budget_s = (minutes * 60 - used_s - _LISTS_S) / rounds - after_s
        if budget_s <= 0:
            needed_s = used_s + _LISTS_S + rounds * after_s
            raise SettingError(
                f"--minutes {minutes:g}: without any training, the audit takes {needed_s:.0f} "
                f"seconds. Give at least {2 * needed_s / 60:.1f} minutes."
            )
        return budget_s


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
    """Its boxes, cut at the frame as the labels are, with the edges in order."""
    edges = look.boxes.double().numpy().clip(0, 1)
    low, high = edges[:, :2], edges[:, 2:]
    return np.hstack([np.minimum(low, high), np.maximum(low, high)])


def _find_copies(data: Dataset, decoded: Decoded) -> tuple[Pair, ...]:
    thumbnails = np.stack([thumbnail(decoded.pixels[row]) for row in range(len(data))])
    return find_copies(thumbnails, [content_digest(sample) for sample in data])
