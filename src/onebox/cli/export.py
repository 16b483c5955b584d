"""``onebox export``."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from onebox import loading, reading
from onebox.cli.console import format_metric, print_note, print_notes, print_rows, progress_bar
from onebox.cli.options import AsJson, FormatName, ModelFile, OnBad, OnMultiple, choice
from onebox.cli.output_checks import prepare_folder
from onebox.structures import Dataset
from onebox.variants.comparison import Comparison, Form
from onebox.variants.pipeline import VARIANTS, default_path, make

_COLUMNS = ("", "size_mb", "latency_ms", "mean_iou", "class_accuracy")


def export(
    model: ModelFile,
    to: Annotated[str, choice("--to", VARIANTS, "The variant to write.")],
    data: Annotated[
        str | None,
        typer.Option(
            metavar="DATA",
            help="Labelled images; their validation images serve for calibration and evaluation. "
            "Required for int8.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The file to write; by default beside the model."),
    ] = None,
    format_name: FormatName = None,
    on_multiple: OnMultiple = "error",
    on_bad: OnBad = "error",
    as_json: AsJson = False,
) -> None:
    """Write a variant of a model for another use."""
    file = out or default_path(model, to)
    samples: Dataset | None = None
    if data is not None:
        classes = loading.load(model).card.classes
        samples = reading.read(
            data, format_name, on_multiple=on_multiple, on_bad=on_bad, known_labels=classes
        )
        print_notes(samples.notes)
    if out is not None:
        prepare_folder("--out", out.parent)
    comparison = make(model, to, file, samples, stage=progress_bar)
    if comparison.latency_ratio > 1:
        print_note(
            f"{to} is no faster on this machine: it takes {comparison.latency_ratio:.2f} times as "
            "long."
        )
    if as_json:
        typer.echo(json.dumps(comparison.as_json()))
    else:
        print_rows(str(file), list(_rows(comparison)), alignments="<>>>>")


def _rows(comparison: Comparison) -> Iterator[tuple[str, ...]]:
    """The names of the columns, the model, its variant, and the change from one to the other."""
    loss = comparison.mean_iou_loss
    yield _COLUMNS
    yield ("model", *_cells(comparison.fp32))
    yield (comparison.variant, *_cells(comparison.made))
    yield (
        "change",
        f"{comparison.size_ratio:.2f}x",
        f"{comparison.latency_ratio:.2f}x",
        format_metric(None if loss is None else -loss, "+z.4f"),
        "",
    )


def _cells(form: Form) -> tuple[str, ...]:
    metrics = (form.mean_iou, form.class_accuracy)
    cells = (format_metric(metric, ".4f") for metric in metrics)
    return (f"{form.size_mb:.2f}", f"{form.latency_ms:.3f}", *cells)
