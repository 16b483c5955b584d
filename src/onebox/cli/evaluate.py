"""``onebox evaluate`` and ``onebox info``."""

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from onebox import evaluation, loading
from onebox.cli.console import counting, note, show_rows, show_table
from onebox.cli.options import (
    AsJson,
    DataName,
    FormatName,
    OnBad,
    OnMultiple,
    Reading,
    Threads,
    check_choice,
    read_labels,
)
from onebox.cli.output_checks import prepare_file
from onebox.diagram import draw_network, shapes_text
from onebox.errors import ModelError
from onebox.files import write_atomically
from onebox.model_card import ModelCard, Part
from onebox.structures import SPLITS, Dataset

_PARTS = (*SPLITS, "all")
_HTML = b"<!doctype html>"
_SVG = b"<svg"
_SAYS_NOTHING = "does not say what it is made of: it holds no network, or an older onebox wrote it"
_PART_COLUMNS = ("part", "kind", "layers", "parameters", "multiply-adds", "makes")
_KEYPOINT_COLUMNS = ("keypoint", "pck_0.2", "mean_error")

ModelFile = Annotated[
    Path, typer.Argument(metavar="MODEL", help="A model file of onebox: model.onnx, or model.npz.")
]


def evaluate(
    model: ModelFile,
    data: DataName,
    split: Annotated[
        str, typer.Option(metavar="|".join(_PARTS), help="The images to measure on.")
    ] = "test",
    report: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="Write a report with images.")
    ] = None,
    format_name: FormatName = None,
    on_multiple: OnMultiple = "error",
    on_bad: OnBad = "error",
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """Measure a model on labelled images."""
    check_choice("--split", split, _PARTS)
    localizer = loading.load(model, threads=threads)
    if report is not None:
        prepare_file("--report", report, _HTML)
    how = Reading(format_name, on_multiple, on_bad)
    everything = read_labels(data, how, known_labels=localizer.classes)
    for sentence in everything.notes:
        note(sentence)
    samples = _part(everything, split)
    with counting("Measuring") as progress:
        measured = evaluation.evaluate(localizer, samples, progress=progress)
    if report is not None:
        _write_report(measured, report, {"Model": str(model), "Data": data, "Split": split})
    metrics = measured.as_json()
    if as_json:
        typer.echo(json.dumps(metrics))
        return
    if measured.is_collapsed:
        note("the model answers hardly better than with one box for all images.")
    show_table(f"{model} on {data}, {split}", measured.overall.as_json())
    if keypoints := measured.per_keypoint():
        show_rows("keypoints", _keypoint_rows(keypoints), sides="<>>")


def info(
    model: ModelFile,
    diagram: Annotated[
        Path | None, typer.Option(metavar="FILE.svg", help="Draw the network into this file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print what a model file says of itself and is made of."""
    facts = loading.load(model).card
    if diagram is not None:
        _draw(model, facts, diagram)
    known = dataclasses.asdict(facts)
    if as_json:
        typer.echo(json.dumps(known))
        return
    told = {name: value for name, value in known.items() if name != "parts"}
    if told.get("keypoints"):
        told["keypoints"] = told["keypoints"]["names"]
    show_table(str(model), told)
    if facts.parts:
        show_rows("parts", _part_rows(facts.parts), sides="<<>>><")
    else:
        note(f"{model}: {_SAYS_NOTHING}.")


def _draw(model: Path, facts: ModelCard, path: Path) -> None:
    if not facts.parts:
        raise ModelError(
            f"{model}: {_SAYS_NOTHING}, so that there is nothing to draw. Train it anew, or name a "
            "model of a network."
        )
    prepare_file("--diagram", path, _SVG)
    write_atomically(path, draw_network(facts).encode())


def _part_rows(parts: Sequence[Part]) -> list[tuple[str, ...]]:
    """What each part of a network is and takes, below the names of the columns, and the sums."""
    counts = [(part.layers, part.parameters, part.multiply_adds) for part in parts]
    rows = [
        (part.name, part.kind, *_grouped(row), shapes_text(part))
        for part, row in zip(parts, counts, strict=True)
    ]
    sums = _grouped([sum(column) for column in zip(*counts, strict=True)])
    return [_PART_COLUMNS, *rows, ("total", "", *sums, "")]


def _grouped(counts: Iterable[int]) -> list[str]:
    return [f"{count:,}" for count in counts]


def _keypoint_rows(keypoints: Mapping[str, Mapping[str, float | None]]) -> list[tuple[str, ...]]:
    rows = [
        (name, *("-" if value is None else f"{value:.4g}" for value in metrics.values()))
        for name, metrics in keypoints.items()
    ]
    return [_KEYPOINT_COLUMNS, *rows]


def _part(data: Dataset, split: str) -> Dataset:
    """The samples of a split, or all of them."""
    return next((data.part(known) for known in SPLITS if known == split), data)


def _write_report(measured: evaluation.Report, path: Path, facts: dict[str, str]) -> None:
    from onebox.report import write_report

    write_report(measured, path, facts=facts)
