"""``onebox export``."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from onebox import loading
from onebox.cli.console import counting, note, show_rows
from onebox.cli.evaluate import ModelFile
from onebox.cli.options import (
    AsJson,
    FormatName,
    OnBad,
    OnMultiple,
    Reading,
    check_choice,
    read_labels,
)
from onebox.cli.output_checks import prepare_folder
from onebox.structures import Dataset
from onebox.variants.comparison import Comparison, Form
from onebox.variants.pipeline import VARIANTS, make, place_of

_COLUMNS = ("", "size_mb", "latency_ms", "mean_iou", "class_accuracy")


def export(
    model: ModelFile,
    to: Annotated[str, typer.Option(metavar="|".join(VARIANTS), help="The variant to make.")],
    data: Annotated[
        str | None,
        typer.Option(
            metavar="DATA",
            help="Labelled images, of which the validation ones are calibrated and measured on; "
            "int8 needs them.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Its place; beside the model where absent."),
    ] = None,
    format_name: FormatName = None,
    on_multiple: OnMultiple = "error",
    on_bad: OnBad = "error",
    as_json: AsJson = False,
) -> None:
    """Write a variant of a model for another use."""
    check_choice("--to", to, tuple(VARIANTS))
    place = out or place_of(model, to)
    samples = _read(data, Reading(format_name, on_multiple, on_bad), model)
    if out is not None:
        prepare_folder("--out", out.parent)
    comparison = make(model, to, place, samples, stage=counting)
    for sentence in _remarks(comparison):
        note(sentence)
    if as_json:
        typer.echo(json.dumps(comparison.as_json()))
    else:
        show_rows(str(place), _rows(comparison), sides="<>>>>")


def _read(data: str | None, how: Reading, model: Path) -> Dataset | None:
    if data is None:
        return None
    samples = read_labels(data, how, known_labels=loading.load(model).classes)
    for sentence in samples.notes:
        note(sentence)
    return samples


def _remarks(comparison: Comparison) -> Sequence[str]:
    """What a reader of the table should not overlook."""
    ratio = comparison.latency_ratio
    if ratio <= 1:
        return ()
    return (
        f"{comparison.variant} is no faster on this machine: it takes {ratio:.2f} times as long.",
    )


def _rows(comparison: Comparison) -> list[tuple[str, ...]]:
    """Both forms below the names of the columns, and how they differ."""
    loss = comparison.mean_iou_loss
    change = (
        f"{comparison.size_ratio:.2f}x",
        f"{comparison.latency_ratio:.2f}x",
        "-" if loss is None else f"{-loss:+z.4f}",
        "",
    )
    fp32, made = _cells(comparison.fp32), _cells(comparison.made)
    rows = [("model", *fp32), (comparison.variant, *made), ("change", *change)]
    return [_COLUMNS, *rows]


def _cells(form: Form) -> tuple[str, ...]:
    shares = (form.mean_iou, form.class_accuracy)
    told = ("-" if share is None else f"{share:.4f}" for share in shares)
    return (f"{form.size_mb:.2f}", f"{form.latency_ms:.3f}", *told)
