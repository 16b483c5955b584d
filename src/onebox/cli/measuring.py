"""``onebox evaluate`` and ``onebox info``."""

import dataclasses
import json
from pathlib import Path
from typing import Annotated

import typer

from onebox import evaluation, reading, runtime
from onebox.cli.console import counting, note, show_table
from onebox.cli.options import AsJson, DataName, OnMultiple
from onebox.errors import SettingError, suggest
from onebox.structures import SPLITS, Dataset

ModelFile = Annotated[Path, typer.Argument(metavar="MODEL", help="A model.onnx of onebox.")]


def evaluate(
    model: ModelFile,
    data: DataName,
    split: Annotated[str, typer.Option(help="train, val, test, or all.")] = "test",
    report: Annotated[Path | None, typer.Option(help="Write an HTML report.")] = None,
    on_multiple: OnMultiple = "error",
    as_json: AsJson = False,
) -> None:
    """Measure a model on labelled pictures."""
    localizer = runtime.load(model)
    samples = _part(reading.read(data, on_multiple=on_multiple), split)
    with counting("Measuring") as progress:
        measured = evaluation.evaluate(localizer, samples, progress=progress)
    if report is not None:
        _write_report(measured, report, {"Model": str(model), "Data": data, "Split": split})
    figures = measured.as_json()
    if as_json:
        typer.echo(json.dumps(figures))
        return
    if measured.is_collapsed:
        note("the model answers hardly better than with one box for all pictures.")
    rows = {name: json.dumps(value) for name, value in measured.overall.as_json().items()}
    show_table(f"{model} on {data}, {split}", rows)


def info(model: ModelFile, as_json: AsJson = False) -> None:
    """Print what a model file says of itself."""
    facts = dataclasses.asdict(runtime.load(model).facts)
    if as_json:
        typer.echo(json.dumps(facts))
    else:
        show_table(str(model), {name: json.dumps(value) for name, value in facts.items()})


def _part(data: Dataset, split: str) -> Dataset:
    """The samples of a split.

    Raises:
        SettingError: If there is no split of that name.
    """
    if split == "all":
        return data
    for known in SPLITS:
        if split == known:
            return data.part(known)
    choices = (*SPLITS, "all")
    raise SettingError(
        f"--split '{split}' is not one of {', '.join(choices)}.{suggest(split, choices)}"
    )


def _write_report(measured: evaluation.Report, path: Path, facts: dict[str, str]) -> None:
    from onebox.report import write_report

    write_report(measured, path, facts=facts)
