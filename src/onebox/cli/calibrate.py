"""``onebox calibrate``."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onebox import loading, reading
from onebox.cli.console import flatten, print_note, print_notes, print_rows, progress_bar
from onebox.cli.options import (
    SPLIT_CHOICES,
    AsJson,
    DataName,
    FormatName,
    ModelFile,
    OnBad,
    OnMultiple,
    choice,
    select,
)
from onebox.cli.output_checks import prepare_model
from onebox.errors import DataError

if TYPE_CHECKING:
    from onebox.calibration import Summary

_COLUMNS = ("", "before", "after")
_SEEN = (
    "--split {split} may hold images that trained the model or chose its epoch; it then promises "
    "too much. Calibrate on images that are new to it."
)


def calibrate(
    model: ModelFile,
    data: DataName,
    split: Annotated[str, choice("--split", SPLIT_CHOICES, "The images to calibrate on.")] = "cal",
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The calibrated model to write; by default MODEL is replaced."
        ),
    ] = None,
    format_name: FormatName = None,
    on_multiple: OnMultiple = "error",
    on_bad: OnBad = "error",
    as_json: AsJson = False,
) -> None:
    """Calibrate a model on images that it has not seen.

    Only what the model says of its own certainty changes: its boxes and labels stay.
    """
    from onebox.calibration import calibrate_file

    classes = loading.load(model).card.classes
    file = model if out is None else out
    if out is not None:
        prepare_model("--out", out, model)
    everything = reading.read(
        data, format_name, on_multiple=on_multiple, on_bad=on_bad, known_labels=classes
    )
    print_notes(everything.notes)
    samples = select(everything, split)
    if not len(samples):
        raise DataError(
            f"{data}: has no image in the split {split!r}. Choose another one with --split; "
            "--split all takes every image."
        )
    if split not in {"cal", "test"}:
        print_note(_SEEN.format(split=split))
    with progress_bar("Calibrating", unit="images") as progress:
        summary = calibrate_file(model, samples, file, progress=progress)
    print_notes(summary.warnings)
    _print(summary, file, as_json=as_json)


def _print(summary: "Summary", file: Path, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"model": str(file), **summary.as_json()}))
        return
    before, after = dict(flatten(summary.before)), dict(flatten(summary.after))
    names = dict.fromkeys([*before, *after])
    rows = [(name, before.get(name, "-"), after.get(name, "-")) for name in names]
    title = f"{file}, calibrated on {summary.images} images"
    print_rows(title, [_COLUMNS, *rows], alignments="<>>")
    typer.echo(summary.promise)
