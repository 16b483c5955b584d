"""``onebox train`` and ``onebox demo``."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onebox import reading
from onebox.cli.cluster_options import On, Workers
from onebox.cli.console import COLLAPSED, ConsoleListener, print_note, print_table
from onebox.cli.experiment_loggers import Loggers, opened_loggers
from onebox.cli.options import AsJson, DataName, FormatName, OnBad, OnMultiple, RunFolder
from onebox.cli.train_placement import Devices, read_placement
from onebox.cli.train_repeats import (
    Folds,
    Repetition,
    Seeds,
    asked_repeats,
    check_single_run,
    train_repeats,
)
from onebox.cli.training_options import (
    Changes,
    NoPretrained,
    RecipeName,
    Seed,
    Weights,
    all_changes,
    check_start,
    read_changed_recipe,
)
from onebox.errors import SettingError
from onebox.progress import Listeners
from onebox.runs.folder import check_folder

if TYPE_CHECKING:
    from onebox.runs.results import Run

_HEADLINES = (
    "images", "mean_iou", "iou_at", "class_accuracy", "mean_box_iou", "pck_0.2",
    "presence_auroc", "false_box_rate",
)  # fmt: skip


def train(
    data: DataName,
    recipe: RecipeName = None,
    changes: Changes = None,
    weights: Weights = None,
    no_pretrained: NoPretrained = False,
    out: RunFolder = None,
    resume: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Resume the run in this folder, with its own recipe."),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(
            metavar="M", help="Finish within this many minutes, export and evaluation included."
        ),
    ] = None,
    seed: Seed = None,
    seeds: Seeds = None,
    folds: Folds = None,
    devices: Devices = None,
    on: On = None,
    workers: Workers = None,
    format_name: FormatName = None,
    on_multiple: OnMultiple = "error",
    on_bad: OnBad = "error",
    log: Loggers = None,
    as_json: AsJson = False,
) -> None:
    """Train a model on labelled images, export and evaluate it.

    Writes one folder with the model (model.onnx; model.npz for a HOG recipe), a report, and what
    a resumed run needs. The metrics are measured on images that were not trained on.
    """
    started_s = time.monotonic()
    from onebox.runs.options import RunOptions
    from onebox.runs.train import run

    others = {
        "--recipe": recipe is not None,
        "--set": bool(changes),
        "--weights": weights is not None,
        "--no-pretrained": no_pretrained,
        "--out": out is not None,
        "--minutes": minutes is not None,
        "--seed": seed is not None,
        "--seeds": seeds is not None,
        "--folds": folds is not None,
    }
    _check_options([name for name, is_given in others.items() if is_given], resume)
    repeats = asked_repeats(seeds, folds, resume)
    placed = read_placement(devices, on, workers)
    if repeats is not None:
        check_single_run({"--devices": devices, "--log": log})
    check_folder(out, resume if repeats is None else None)
    changed = all_changes(changes, minutes=minutes, no_pretrained=no_pretrained)
    name = recipe if resume is None else resume / "recipe.toml"
    settings = read_changed_recipe(name, changed, seed)
    samples = reading.read(
        data, format_name, on_multiple=on_multiple, on_bad=on_bad, classes=settings.data.classes
    )
    options = RunOptions(started_s, weights, out, resume, placed if repeats is None else None)
    if repeats is not None:
        train_repeats(samples, settings, options, Repetition(repeats, on, workers), as_json=as_json)
        return
    with ConsoleListener() as progress:
        if settings.hog is None or log:
            progress.stage("Loading PyTorch")
        with opened_loggers(log, progress.note) as loggers:
            result = run(samples, settings, options, Listeners([progress, *loggers]))
    _print_run(result, as_json=as_json)


def demo(out: RunFolder = None, as_json: AsJson = False) -> None:
    """Train on generated discs, from scratch, in 90 seconds."""
    import onebox

    check_folder(out, None)
    with ConsoleListener() as progress:
        progress.stage("Loading PyTorch")
        result = onebox.train(reading.read("synth:blobs"), "demo", out=out, listeners=[progress])
    _print_run(result, as_json=as_json)


def _check_options(given: Sequence[str], resume: Path | None) -> None:
    """Check that no two options exclude each other; a resumed run keeps its own recipe."""
    if resume is not None and given:
        raise SettingError(
            f"--resume continues with the recipe of {resume}; leave out {', '.join(given)}."
        )
    check_start(given)


def _print_run(run: "Run", *, as_json: bool) -> None:
    if run.is_interrupted:
        print_note(
            "training was stopped; the checkpoint kept so far is exported. "
            f"Continue with --resume {run.folder}."
        )
    if any(metrics["is_collapsed"] for metrics in run.metrics.values()):
        print_note(COLLAPSED)
    if as_json:
        paths = {"folder": run.folder, "model": run.model, "report": run.report}
        facts = {name: str(path) for name, path in paths.items()}
        typer.echo(json.dumps({**facts, "epochs": run.epochs, "metrics": run.metrics}))
        return
    for split, metrics in run.metrics.items():
        headlines = {name: metrics[name] for name in _HEADLINES if name in metrics}
        print_table(f"{split} images", headlines)
    print_table("files", {"model": run.model, "report": run.report})
