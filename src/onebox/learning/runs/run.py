"""A run: data and recipe in, a folder that a person can read out.

::

    runs/NAME/  model.onnx  recipe.toml  weights.safetensors  metrics.json  history.csv
                report.html  samples.png  checkpoints/

HOG windows leave ``model.npz`` in place of ``model.onnx``, and no weights, history and checkpoints.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from onebox.disk import check_space
from onebox.errors import OneboxError, SettingError, suggest
from onebox.files import write_whole
from onebox.learning.data.decoded_cache import Decoded, decode
from onebox.learning.fitting.history import History
from onebox.learning.fitting.module import Bounds, Fitted, fit
from onebox.learning.networks.network import Network
from onebox.learning.runs import hog_run, time_budget
from onebox.learning.runs.artifacts import Plan, Run, finish, write_recipe
from onebox.learning.runs.initial_weights import find_start
from onebox.learning.runs.preflight import check_data, learns_presence, settle, with_rest
from onebox.progress import Listener, Silent
from onebox.recipes.loading import read_recipe
from onebox.recipes.recipe import Recipe
from onebox.run_folder import check_hog_start, check_resumable, choose_folder, last_checkpoint
from onebox.structures import SPLITS, Dataset

_BYTES_A_WEIGHT = 4
_VAL_MEASURED = 4  # times: for the metrics, and for each second look that is asked
_COPIES = 14  # of every weight: two checkpoints of network, average and AdamW's two, and one beside


def train(
    data: Dataset,
    recipe: Recipe | str | Path = "default",
    *,
    weights: str | Path | None = None,
    out: str | Path | None = None,
    resume: str | Path | None = None,
    listener: Listener | None = None,
) -> Run:
    """Train a model, export it, and measure it on images it has not seen.

    Args:
        data: Read by `onebox.read`.
        recipe: A recipe (`onebox.read_recipe` changes single settings), the name of one that
            comes with the package, or a TOML file.
        weights: A safetensors file of a backbone, or the ``weights.safetensors`` of an earlier
            run; None takes timm's, unless the recipe says ``pretrained = false``. HOG windows
            start from none.
        out: The run's folder; None chooses a free name below ``runs``.
        resume: The folder of an earlier run to go on with, by its own recipe.
        listener: Hears of the progress.

    Returns:
        The run's folder and metrics.

    Raises:
        OneboxError: If weights cannot be had, the disk is full or nothing was trained.
        DataError: If the images cannot be trained on.
        SettingError: If settings are wrong or do not fit together.
        ModelError: If the exported model does not match the network.
    """
    listener = listener or Silent()
    data = check_data(data, listener.note)
    for note in data.notes:
        listener.note(note)
    settings = recipe if isinstance(recipe, Recipe) else read_recipe(recipe)
    if settings.hog is not None:
        check_hog_start(weights, resume)
        _check_classes(data, settings)
        folder = choose_folder(None if out is None else Path(out), data.name)
        return hog_run.train(data, settle(settings, data), folder, listener)
    if resume is None:
        plan = _new_plan(data, settings, weights, out)
    else:
        plan = _resumed_plan(data, Path(resume))
    check_space(
        plan.folder,
        sum(weight.numel() for weight in plan.network.parameters()) * _BYTES_A_WEIGHT * _COPIES,
        what="checkpoints and model",
        repair="choose a folder on another disk with --out",
    )
    decoded = {split: _decoded(data, split, plan, listener) for split in ("train", "val")}
    _write_plan(plan, data, decoded)
    fitted = _fit(plan, decoded, listener)
    return finish(plan, data, decoded, fitted, listener)


def _check_classes(data: Dataset, settings: Recipe) -> None:
    """See that the data has no class but those that the recipe declares.

    Raises:
        SettingError: If it has others.
    """
    declared = settings.data.classes
    strangers = [name for name in data.classes if declared and name not in declared]
    if strangers:
        raise SettingError(
            f"[data] classes has no '{strangers[0]}', and {data.name or 'the data set'} does."
            f"{suggest(strangers[0], declared)}"
        )


def _new_plan(
    data: Dataset, settings: Recipe, weights: str | Path | None, out: str | Path | None
) -> Plan:
    _check_classes(data, settings)
    folder = choose_folder(None if out is None else Path(out), data.name)
    start = find_start(settle(settings, data), None if weights is None else Path(weights))
    presence = learns_presence(start.recipe, data)
    network = start.network(len(data.classes), _keypoint_count(data), presence=presence)
    rested = with_rest(start.recipe, len(data.part("train")))
    settled, deadline = time_budget.plan(rested, network, _work(data))
    return Plan(folder, settled, network, start.name, deadline=deadline)


def _work(data: Dataset) -> time_budget.Work:
    counts = {split: len(data.part(split)) for split in SPLITS}
    return time_budget.Work(
        counts["train"], counts["val"], _VAL_MEASURED * counts["val"] + counts["test"]
    )


def _keypoint_count(data: Dataset) -> int:
    return 0 if data.keypoints is None else len(data.keypoints.names)


def _read_facts(folder: Path) -> dict[str, Any]:
    """What an earlier run noted of its data.

    Raises:
        SettingError: If the note is missing or damaged.
    """
    file = folder / "checkpoints" / "data.json"
    try:
        facts: dict[str, Any] = json.loads(file.read_text("utf-8"))
        return {name: facts[name] for name in ("classes", "weights", "digests")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingError(
            f"{file}: cannot be read ({error}), and without it a run cannot go on. Start a new run."
        ) from error


def _resumed_plan(data: Dataset, folder: Path) -> Plan:
    """A plan from a folder that an earlier run left.

    Raises:
        SettingError: If the folder holds no run to go on with, or one of other classes.
    """
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
        keypoints=_keypoint_count(data),
        presence=learns_presence(recipe, data),
    )
    return Plan(folder, recipe, network, facts["weights"], last_checkpoint(folder))


def _decoded(data: Dataset, split: str, plan: Plan, listener: Listener) -> Decoded:
    listener.stage(f"Decoding {split} images")
    part = data.part("train" if split == "train" else "val")
    return decode(part, plan.recipe.model.size, progress=listener.advance)


def _write_plan(plan: Plan, data: Dataset, decoded: Mapping[str, Decoded]) -> None:
    """Write what a resumed run must know; a resumed run sees that the data is still the same.

    Raises:
        SettingError: If a resumed run's data changed.
    """
    facts = {
        "classes": list(data.classes),
        "weights": plan.weights,
        "digests": {split: rows.digest for split, rows in decoded.items()},
    }
    file = plan.checkpoints / "data.json"
    if plan.resume is None:
        plan.checkpoints.mkdir(parents=True, exist_ok=True)
        write_recipe(plan.recipe, plan.folder)
        write_whole(file, json.dumps(facts, indent=1).encode())
    elif _read_facts(plan.folder) != facts:
        raise SettingError(
            f"--resume {plan.folder}: its images or labels have changed since. Start a new run, "
            f"with --weights {plan.folder / 'weights.safetensors'} to keep what it learned."
        )


def _fit(plan: Plan, decoded: Mapping[str, Decoded], listener: Listener) -> Fitted:
    """Train, with one row of history for each epoch.

    Raises:
        OneboxError: If it was stopped before an epoch ended.
    """
    listener.stage("Training")
    history = History(plan.folder / "history.csv", listener, is_resumed=plan.resume is not None)
    fitted = fit(
        plan.network,
        plan.recipe,
        decoded,
        plan.checkpoints,
        history,
        Bounds(plan.resume, plan.deadline),
    )
    if fitted.kept is None:
        raise OneboxError(
            f"{plan.folder}: training was stopped before its first epoch ended; there is nothing "
            "to export."
        )
    return fitted
