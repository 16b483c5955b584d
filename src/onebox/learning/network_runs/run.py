"""A network's run: prepare, decode, fit, and finish; new or resumed."""

import time
from collections.abc import Mapping
from pathlib import Path

from onebox.disk import check_space
from onebox.errors import OneboxError, SettingError, StoppedError
from onebox.learning.data.decoded_cache import Decoded, decode
from onebox.learning.fitting.fit import FitLimits, Fitted, fit
from onebox.learning.fitting.history import History
from onebox.learning.network_runs.facts import check_facts, count_keypoints, read_facts
from onebox.learning.network_runs.finish import PreparedRun, finish
from onebox.learning.network_runs.initial_weights import find_start
from onebox.learning.network_runs.job import STOPPED
from onebox.learning.network_runs.parallel_run import (
    check_count,
    decode_few,
    end_of_training,
    fit_on_workers,
)
from onebox.learning.network_runs.resolve import learns_presence, resolve, resolve_freezing
from onebox.learning.network_runs.time_budget import measure_reserve_s
from onebox.learning.networks.network import Network
from onebox.progress import Listener, Listeners
from onebox.recipes.loading import read_recipe
from onebox.recipes.recipe import Recipe
from onebox.runs.folder import check_resumable, choose_folder, last_checkpoint
from onebox.runs.options import RunOptions
from onebox.runs.results import Run, write_recipe
from onebox.structures import Dataset

_BYTES_PER_WEIGHT = 4
# Of every weight: in each of two checkpoints the network, its average and AdamW's two moments; in
# one more while it is written; and in weights.safetensors and model.onnx.
_COPIES = 14
_LEAST_STEPS = 200  # below it, smaller images may teach more than the few steps do; not tuned


def train_network(data: Dataset, recipe: Recipe, options: RunOptions, listener: Listener) -> Run:
    """Train a network, export it, and evaluate the exported file.

    The data has validation images. A resumed run has its own recipe in place of the given one.

    Raises:
        OneboxError: If weights cannot be had, the disk is full or nothing was trained.
        StoppedError: If it was stopped before its first epoch ended.
        DataError: If images cannot be read.
        SettingError: If settings are wrong or do not fit together.
        ModelError: If the exported model does not match the network.
    """
    if options.resume is None:
        prepared = prepare(data, recipe, options)
    else:
        prepared = _prepare_resumed(data, options.resume)
    if options.workers is not None:
        check_count(options.workers, data, prepared)
    reserve_s = _reserve_s(prepared, data, options, listener)
    weights = sum(weight.numel() for weight in prepared.network.parameters())
    needed = weights * _BYTES_PER_WEIGHT * _COPIES
    repair = "choose a folder on another disk with --out"
    check_space(prepared.folder, needed, what="checkpoints and model", repair=repair)
    if options.workers is None:
        decoded = {split: _decode(data, split, prepared, listener) for split in ("train", "val")}
        _write_facts(prepared, data, decoded)
        listener.begin(prepared.folder)
        fitted = _fit(prepared, decoded, reserve_s, options, listener)
    else:
        listener.begin(prepared.folder)
        ends_at = end_of_training(_budget_s(prepared, reserve_s, options))
        fitted = fit_on_workers(prepared, data, options.workers, ends_at, listener)
        decoded = decode_few(data, prepared.recipe.decoded_side)
    _check_fitted(prepared, fitted, listener)
    return finish(prepared, data, decoded, fitted, listener)


def prepare(data: Dataset, recipe: Recipe, options: RunOptions) -> PreparedRun:
    """Resolve the recipe of a new run, and make its network with the initial weights.

    Raises:
        OneboxError: If weights cannot be had.
        SettingError: If settings are wrong or do not fit together.
        ModelError: If a weights file does not fit.
    """
    folder = choose_folder(options.out, data.name)
    initial = find_start(resolve(recipe, data), options.weights)
    presence = learns_presence(initial.recipe, data)
    network = initial.network(len(data.classes), count_keypoints(data), presence=presence)
    resolved = resolve_freezing(initial.recipe, len(data.part("train")))
    return PreparedRun(folder, resolved, network, initial.name)


def _prepare_resumed(data: Dataset, folder: Path) -> PreparedRun:
    check_resumable(folder)
    recipe = read_recipe(folder / "recipe.toml")
    facts = read_facts(folder)
    if facts["classes"] != list(data.classes):
        raise SettingError(
            f"--resume {folder}: was trained on the classes {', '.join(facts['classes'])}, and the "
            f"data has {', '.join(data.classes)}. Start a new run."
        )
    network = Network(
        recipe,
        classes=len(data.classes),
        keypoints=count_keypoints(data),
        presence=learns_presence(recipe, data),
    )
    return PreparedRun(folder, recipe, network, facts["weights"], last_checkpoint(folder))


# Seconds of a new run's time budget that are kept for what comes after training.
def _reserve_s(
    prepared: PreparedRun, data: Dataset, options: RunOptions, listener: Listener
) -> float:
    minutes = prepared.recipe.train.minutes
    if minutes is None or prepared.resume is not None:
        return 0.0
    listener.stage("Measuring how long export and evaluation take")
    reserve_s = measure_reserve_s(prepared, data)
    needed_s = time.monotonic() - options.started_s + reserve_s
    if needed_s >= minutes * 60:
        raise SettingError(
            f"--minutes {minutes:g}: preparation, export and evaluation alone take {needed_s:.0f} "
            f"seconds. Give at least {2 * needed_s / 60:.1f} minutes."
        )
    return reserve_s


def _decode(data: Dataset, split: str, prepared: PreparedRun, listener: Listener) -> Decoded:
    listener.stage(f"Decoding {split} images")
    part = data.part("train" if split == "train" else "val")
    return decode(part, prepared.recipe.decoded_side, progress=listener.advance)


def _write_facts(prepared: PreparedRun, data: Dataset, decoded: Mapping[str, Decoded]) -> None:
    facts = {
        "classes": list(data.classes),
        "weights": prepared.weights,
        "digests": {split: rows.digest for split, rows in decoded.items()},
    }
    is_resumed = prepared.resume is not None
    if not is_resumed:
        prepared.checkpoints.mkdir(parents=True, exist_ok=True)
        write_recipe(prepared.recipe, prepared.folder)
    check_facts(prepared.folder, facts, is_resumed=is_resumed)


# Seconds that a new run may train; None for no limit.
def _budget_s(prepared: PreparedRun, reserve_s: float, options: RunOptions) -> float | None:
    minutes = prepared.recipe.train.minutes
    spent_s = time.monotonic() - options.started_s + reserve_s
    return None if minutes is None else max(1.0, minutes * 60 - spent_s)


def _fit(
    prepared: PreparedRun,
    decoded: Mapping[str, Decoded],
    reserve_s: float,
    options: RunOptions,
    listener: Listener,
) -> Fitted:
    listener.stage("Training")
    is_resumed = prepared.resume is not None
    history = History(prepared.folder / "history.csv", is_resumed=is_resumed)
    budget_s = _budget_s(prepared, reserve_s, options)
    return fit(
        prepared.network,
        prepared.recipe,
        decoded,
        prepared.checkpoints,
        Listeners([history, listener]),
        FitLimits(prepared.resume, budget_s),
    )


def _check_fitted(prepared: PreparedRun, fitted: Fitted, listener: Listener) -> None:
    if fitted.checkpoint is None:
        kind = StoppedError if fitted.is_interrupted else OneboxError
        raise kind(f"{prepared.folder}: {STOPPED}")
    minutes = prepared.recipe.train.minutes
    if fitted.is_out_of_time and fitted.steps < _LEAST_STEPS:
        listener.note(
            f"only {fitted.steps} training steps fitted into --minutes {minutes:g}. Give it more "
            f"time, or more steps with smaller images (--set model.size, now "
            f"{prepared.recipe.model.size})."
        )
