"""``onebox evaluate`` and ``onebox info``."""

import dataclasses
import json
from pathlib import Path
from typing import Annotated

import typer

from onebox import evaluation, runtime
from onebox.cli.console import counting, note, show_table
from onebox.cli.options import (
    AsJson,
    DataName,
    FormatName,
    OnBad,
    OnMultiple,
    Reading,
    check_choice,
    read_labels,
)
from onebox.cli.outputs import prepare_file
from onebox.structures import SPLITS, Dataset

_PARTS = (*SPLITS, "all")
_HTML = b"<!doctype html>"

ModelFile = Annotated[Path, typer.Argument(metavar="MODEL", help="A model.onnx of onebox.")]


def evaluate(
    model: ModelFile,
    data: DataName,
    split: Annotated[
        str, typer.Option(metavar="|".join(_PARTS), help="The pictures to measure on.")
    ] = "test",
    report: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="Write a report with pictures.")
    ] = None,
    format_name: FormatName = None,
    on_multiple: OnMultiple = "error",
    on_bad: OnBad = "error",
    as_json: AsJson = False,
) -> None:
    """Measure a model on labelled pictures."""
    check_choice("--split", split, _PARTS)
    localizer = runtime.load(model)
    if report is not None:
        prepare_file("--report", report, _HTML)
    everything = read_labels(data, Reading(format_name, on_multiple, on_bad))
    for sentence in everything.notes:
        note(sentence)
    samples = _part(everything, split)
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
    show_table(f"{model} on {data}, {split}", measured.overall.as_json())


def info(model: ModelFile, as_json: AsJson = False) -> None:
    """Print what a model file says of itself."""
    facts = dataclasses.asdict(runtime.load(model).facts)
    if as_json:
        typer.echo(json.dumps(facts))
    else:
        show_table(str(model), facts)


def _part(data: Dataset, split: str) -> Dataset:
    """The samples of a split, or all of them."""
    return next((data.part(known) for known in SPLITS if known == split), data)


def _write_report(measured: evaluation.Report, path: Path, facts: dict[str, str]) -> None:
    from onebox.report import write_report

    write_report(measured, path, facts=facts)
