"""A network's run: prepare, decode, fit, and finish; new or resumed."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from onebox.disk import check_space
from onebox.errors import OneboxError, SettingError
from onebox.files import write_atomically
from onebox.learning.data.decoded_cache import Decoded, decode
from onebox.learning.fitting.fit import FitLimits, Fitted, fit
from onebox.learning.fitting.history import History
from onebox.learning.network_runs.finish import PreparedRun, finish
from onebox.learning.network_runs.initial_weights import find_start
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
        DataError: If images cannot be read.
        SettingError: If settings are wrong or do not fit together.
        ModelError: If the exported model does not match the network.
    """
    if options.resume is None:
        prepared = prepare(data, recipe, options)
    else:
        prepared = _prepare_resumed(data, options.resume)
    reserve_s = _reserve_s(prepared, data, options, listener)
    weights = sum(weight.numel() for weight in prepared.network.parameters())
    needed = weights * _BYTES_PER_WEIGHT * _COPIES
    repair = "choose a folder on another disk with --out"
    check_space(prepared.folder, needed, what="checkpoints and model", repair=repair)
    decoded = {split: _decode(data, split, prepared, listener) for split in ("train", "val")}
    _write_facts(prepared, data, decoded)
    listener.begin(prepared.folder)
    fitted = _fit(prepared, decoded, reserve_s, options, listener)
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
    network = initial.network(len(data.classes), _count_keypoints(data), presence=presence)
    resolved = resolve_freezing(initial.recipe, len(data.part("train")))
    return PreparedRun(folder, resolved, network, initial.name)


def _prepare_resumed(data: Dataset, folder: Path) -> PreparedRun:
    check_resumable(folder)
    recipe = read_recipe(folder / "recipe.toml")
    facts = _read_facts(folder)
    if facts["classes"] != list(data.classes):
        raise SettingError(
            f"--resume {folder}: was trained on the classes {', '.join(facts['classes'])}, and the "
            f"data has {', '.join(data.classes)}. Start a new run."
        )
    network = Network(
        recipe,
        classes=len(data.classes),
        keypoints=_count_keypoints(data),
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
    return decode(part, prepared.recipe.model.size, progress=listener.advance)


def _count_keypoints(data: Dataset) -> int:
    return 0 if data.keypoints is None else len(data.keypoints.names)


# What an earlier run noted of its data.
def _read_facts(folder: Path) -> dict[str, Any]:
    file = folder / "checkpoints" / "data.json"
    try:
        facts: dict[str, Any] = json.loads(file.read_text("utf-8"))
        return {name: facts[name] for name in ("classes", "weights", "digests")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingError(
            f"{file}: cannot be read ({error}), and a run cannot be resumed without it. Start a "
            "new run."
        ) from error


# Write what a resumed run must know; for a resumed run, check that the data is unchanged.
def _write_facts(prepared: PreparedRun, data: Dataset, decoded: Mapping[str, Decoded]) -> None:
    facts = {
        "classes": list(data.classes),
        "weights": prepared.weights,
        "digests": {split: rows.digest for split, rows in decoded.items()},
    }
    if prepared.resume is None:
        prepared.checkpoints.mkdir(parents=True, exist_ok=True)
        write_recipe(prepared.recipe, prepared.folder)
        write_atomically(prepared.checkpoints / "data.json", json.dumps(facts, indent=1).encode())
    elif _read_facts(prepared.folder) != facts:
        raise SettingError(
            f"--resume {prepared.folder}: its images or labels have changed since. Start a new "
            f"run, with --weights {prepared.folder / 'weights.safetensors'} to keep what it "
            "learned."
        )


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
    minutes = prepared.recipe.train.minutes
    spent_s = time.monotonic() - options.started_s + reserve_s
    budget_s = None if minutes is None else max(1.0, minutes * 60 - spent_s)
    fitted = fit(
        prepared.network,
        prepared.recipe,
        decoded,
        prepared.checkpoints,
        Listeners([history, listener]),
        FitLimits(prepared.resume, budget_s),
    )
    if fitted.checkpoint is None:
        raise OneboxError(
            f"{prepared.folder}: training was stopped before its first epoch ended; there is "
            "nothing to export."
        )
    if fitted.is_out_of_time and fitted.steps < _LEAST_STEPS:
        listener.note(
            f"only {fitted.steps} training steps fitted into --minutes {minutes:g}. Give it more "
            f"time, or more steps with smaller images (--set model.size, now "
            f"{prepared.recipe.model.size})."
        )
    return fitted
