"""Training, by whatever system the recipe names: data and recipe in, a folder of results out.

::

    runs/NAME/  model.onnx  recipe.toml  weights.safetensors  metrics.json  history.csv
                report.html  samples.png  checkpoints/

HOG windows leave ``model.npz`` in place of ``model.onnx``, and no weights, history and checkpoints.
Only a network needs PyTorch, which is imported after the checks.
"""

import importlib
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from onebox.errors import OneboxError, SettingError
from onebox.progress import Listener, Listeners
from onebox.recipes.loading import read_recipe
from onebox.recipes.recipe import Recipe
from onebox.runs import hog_run
from onebox.runs.folder import check_folder, choose_folder
from onebox.runs.options import RunOptions
from onebox.runs.preflight import check_classes, check_data
from onebox.runs.results import Run
from onebox.structures import Dataset


def train(
    data: Dataset,
    recipe: Recipe | str | Path = "default",
    *,
    weights: str | Path | None = None,
    out: str | Path | None = None,
    resume: str | Path | None = None,
    listeners: Iterable[Listener] = (),
) -> Run:
    """Train a model, export it, and evaluate the exported file.

    Args:
        data: Read by `onebox.read`.
        recipe: A recipe (`onebox.read_recipe` changes single settings), the name of one that
            comes with the package, or a TOML file.
        weights: Initial weights: a safetensors file of a backbone, or the ``weights.safetensors``
            of an earlier run; None takes timm's, unless the recipe says ``pretrained = false``.
            HOG windows have none.
        out: The run's folder; None chooses a free name below ``runs``.
        resume: The folder of an interrupted run to continue, by its own recipe.
        listeners: Told of the progress; each may stop the run by raising `StopTraining`.

    Returns:
        The run's folder and metrics.

    Raises:
        OneboxError: If weights cannot be had, the disk is full, a package is missing or nothing
            was trained.
        DataError: If the images cannot be trained on.
        SettingError: If settings are wrong or do not fit together.
        ModelError: If the exported model does not match the network.
    """
    start, folder, resumed = (
        None if each is None else Path(each) for each in (weights, out, resume)
    )
    options = RunOptions(time.monotonic(), start, folder, resumed)
    return run(data, recipe, options, Listeners(listeners))


def run(data: Dataset, recipe: Recipe | str | Path, options: RunOptions, listener: Listener) -> Run:
    """Train as `train` does, for the command line, which also knows when its own work began.

    Raises:
        OneboxError: As `train`, and its children.
    """
    settings = recipe if isinstance(recipe, Recipe) else read_recipe(recipe)
    if settings.hog is not None:
        _check_hog_options(options)
    check_folder(options.out, options.resume)
    data = check_data(data, listener.note)
    for note in data.notes:
        listener.note(note)
    check_classes(data, settings)
    if settings.hog is not None:
        result = hog_run.train(data, settings, choose_folder(options.out, data.name), listener)
    else:
        result = _import_train_network()(data, settings, options, listener)
    listener.finish(result.folder)
    return result


def _import_train_network() -> Callable[[Dataset, Recipe, RunOptions, Listener], Run]:
    try:
        module = importlib.import_module("onebox.learning.network_runs.run")
    except ModuleNotFoundError as error:
        raise OneboxError(
            f"onebox.train needs the package '{error.name}' for this recipe, which the light "
            "install leaves out. Install it with: pip install 'onebox[train]'"
        ) from error
    train_network: Callable[[Dataset, Recipe, RunOptions, Listener], Run] = module.train_network
    return train_network


def _check_hog_options(options: RunOptions) -> None:
    missing = {"weights": "no weights to start from", "resume": "no checkpoints to resume from"}
    for name, reason in missing.items():
        value = getattr(options, name)
        if value is not None:
            raise SettingError(
                f"--{name} {value}: HOG windows are trained in one go and have {reason}. "
                f"Leave --{name} out."
            )
    if options.workers is not None:
        raise SettingError(
            "--devices, --on and --workers: HOG windows are trained in one go, by one process. "
            "Leave them out."
        )
