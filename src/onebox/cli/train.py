"""``onebox train`` and ``onebox demo``."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onebox.cli.console import TrainingBar, note, show_table
from onebox.cli.options import AsJson, DataName, FormatName, OnBad, OnMultiple, Reading, read_labels
from onebox.errors import SettingError

if TYPE_CHECKING:
    from onebox.runs.results import Run

_HEADLINES = (
    "images", "mean_iou", "iou_at", "class_accuracy", "mean_box_iou", "pck_0.2",
    "presence_auroc", "false_box_rate",
)  # fmt: skip


def train(
    data: DataName,
    recipe: Annotated[
        str | None, typer.Option(help="A recipe's name (see onebox recipes), or a TOML file.")
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="One setting, as train.epochs=20; repeatable."
        ),
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(help="A safetensors file for the backbone.")
    ] = None,
    no_pretrained: Annotated[
        bool, typer.Option("--no-pretrained", help="Start from no weights.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="The run's folder; by default runs/NAME.")
    ] = None,
    resume: Annotated[Path | None, typer.Option(help="Go on with the run in this folder.")] = None,
    minutes: Annotated[
        float | None, typer.Option(help="End in so many minutes; plans epochs and size.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Everything random follows from it.")
    ] = None,
    format_name: FormatName = None,
    on_multiple: OnMultiple = "error",
    on_bad: OnBad = "error",
    as_json: AsJson = False,
) -> None:
    """Train a model on labelled images, and measure it.

    Leaves one folder: model.onnx (model.npz of HOG windows), report.html, and what it takes to go
    on. The metrics are of images that it was not trained on.
    """
    from onebox.recipes.loading import read_recipe
    from onebox.runs.options import RunOptions
    from onebox.runs.train import run

    started_s = time.monotonic()
    others = {
        "--recipe": recipe is not None,
        "--set": bool(changes),
        "--weights": weights is not None,
        "--no-pretrained": no_pretrained,
        "--out": out is not None,
        "--minutes": minutes is not None,
        "--seed": seed is not None,
    }
    _check_options(resume, [name for name, is_given in others.items() if is_given])
    if weights is not None and no_pretrained:
        raise SettingError("--weights and --no-pretrained exclude each other; leave one out.")
    asked = [*(changes or []), *(["model.pretrained=false"] if no_pretrained else [])]
    asked += [] if minutes is None else [f"train.minutes={minutes}"]
    name = _recipe_of(resume) or ("default" if recipe is None else recipe)
    chosen = read_recipe(name, asked)
    chosen = chosen if seed is None else chosen.with_seed(seed)
    how = Reading(format_name, on_multiple, on_bad)
    samples = read_labels(data, how, classes=chosen.data.classes)
    with TrainingBar() as bar:
        bar.stage("Loading PyTorch")
        finished = run(samples, chosen, RunOptions(started_s, weights, out, resume), bar)
    _print_run(finished, as_json=as_json)


def demo(
    out: Annotated[
        Path | None, typer.Option(help="The run's folder; by default the next runs/synth-blobs.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Train on generated discs, from no weights, in 90 seconds."""
    import onebox

    with TrainingBar() as bar:
        bar.stage("Loading PyTorch")
        run = onebox.train(onebox.read("synth:blobs"), "demo", out=out, listeners=[bar])
    _print_run(run, as_json=as_json)


def _check_options(resume: Path | None, given: list[str]) -> None:
    """A resumed run goes on by its own recipe.

    Raises:
        SettingError: If an option would change it.
    """
    if resume is not None and given:
        raise SettingError(
            f"--resume goes on with the recipe of {resume}; leave out {', '.join(given)}."
        )


def _recipe_of(resume: Path | None) -> Path | None:
    """The recipe of a run to go on with, whose classes may be declared in it."""
    file = None if resume is None else resume / "recipe.toml"
    return file if file is not None and file.is_file() else None


def _print_run(run: "Run", *, as_json: bool) -> None:
    if run.is_interrupted:
        note(
            "training was stopped; the epoch that is kept so far is exported. "
            f"Go on with --resume {run.folder}."
        )
    if any(metrics["is_collapsed"] for metrics in run.metrics.values()):
        note("the model answers hardly better than with one box for all images.")
    if as_json:
        paths = {"folder": run.folder, "model": run.model, "report": run.report}
        facts = {name: str(path) for name, path in paths.items()}
        typer.echo(json.dumps({**facts, "epochs": run.epochs, "metrics": run.metrics}))
        return
    for split, metrics in run.metrics.items():
        show_table(
            f"{split} images", {name: metrics[name] for name in _HEADLINES if name in metrics}
        )
    show_table("files", {"model": run.model, "report": run.report})
