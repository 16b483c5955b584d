"""``onebox train`` and ``onebox demo``."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onebox.cli.console import TrainingBar, note, show_table
from onebox.cli.options import AsJson, DataName, OnMultiple
from onebox.errors import SettingError

if TYPE_CHECKING:
    from onebox.learning.finishing import Run

_HEADLINES = ("images", "mean_iou", "iou_at", "class_accuracy", "mean_box_iou")


def train(
    data: DataName,
    recipe: Annotated[
        str | None, typer.Option(help="A recipe's name (see onebox recipes), or a TOML file.")
    ] = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="One setting, as train.epochs=20; repeatable.")
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(help="A safetensors file for the backbone.")
    ] = None,
    no_pretrained: Annotated[bool, typer.Option(help="Start from no weights.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="The run's folder; by default runs/NAME.")
    ] = None,
    resume: Annotated[Path | None, typer.Option(help="Go on with the run in this folder.")] = None,
    seed: Annotated[int | None, typer.Option(help="Everything random follows from it.")] = None,
    on_multiple: OnMultiple = "error",
    as_json: AsJson = False,
) -> None:
    """Train a model on pictures with labels, and measure it on those it has not seen."""
    import onebox

    asked = [*(changes or [])]
    if seed is not None:
        asked.append(f"train.seed={seed}")
    if no_pretrained:
        asked.append("model.pretrained=false")
    _check_options(resume, {"--recipe": recipe, "--set": asked, "--weights": weights, "--out": out})
    if weights is not None and no_pretrained:
        raise SettingError("--weights and --no-pretrained exclude each other; leave one out.")
    chosen = onebox.read_recipe(recipe or "default", asked)
    samples = onebox.read(data, on_multiple=on_multiple, classes=chosen.data.classes)
    with TrainingBar() as bar:
        run = onebox.train(samples, chosen, weights=weights, out=out, resume=resume, listener=bar)
    _print_run(run, as_json=as_json)


def demo(
    out: Annotated[
        Path | None, typer.Option(help="The run's folder; by default the next runs/synth-blobs.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Train on generated discs from no weights, in about a minute on two cores."""
    import onebox

    with TrainingBar() as bar:
        run = onebox.train(onebox.read("synth:blobs"), "demo", out=out, listener=bar)
    _print_run(run, as_json=as_json)


def _check_options(resume: Path | None, others: dict[str, object]) -> None:
    """A resumed run goes on by its own recipe.

    Raises:
        SettingError: If an option would change it.
    """
    given = [name for name, value in others.items() if value]
    if resume is not None and given:
        raise SettingError(
            f"--resume goes on with the recipe of {resume}; leave out {', '.join(given)}."
        )


def _print_run(run: "Run", *, as_json: bool) -> None:
    if run.is_interrupted:
        note("training was stopped; the best epoch so far is exported. Go on with --resume.")
    if as_json:
        paths = {"folder": run.folder, "model": run.model, "report": run.report}
        facts = {name: str(path) for name, path in paths.items()}
        typer.echo(json.dumps({**facts, "epochs": run.epochs, "figures": run.figures}))
        return
    for split, figures in run.figures.items():
        rows = {name: _shown(figures[name]) for name in _HEADLINES}
        show_table(f"{split} pictures", rows)
    show_table("files", {"model": str(run.model), "report": str(run.report)})


def _shown(figure: object) -> str:
    if isinstance(figure, float):
        return f"{figure:.3f}"
    if isinstance(figure, dict):
        return ", ".join(f"> {name}: {_shown(value)}" for name, value in figure.items())
    return "-" if figure is None else str(figure)
