"""``onebox evaluate``."""

import json
from pathlib import Path
from typing import Annotated

import typer

from onebox import evaluation, loading, reading
from onebox.cli.console import (
    COLLAPSED,
    format_metric,
    print_note,
    print_notes,
    print_rows,
    print_table,
    progress_bar,
)
from onebox.cli.options import (
    SPLIT_CHOICES,
    AsJson,
    DataName,
    FormatName,
    ModelFile,
    OnBad,
    OnMultiple,
    Threads,
    choice,
    select,
)
from onebox.cli.output_checks import has_mark, prepare_file

_HTML, _TITLE = b"<!doctype html>", b"<title>onebox report"
_KEYPOINT_COLUMNS = ("keypoint", "pck_0.2", "mean_error", "mean_confidence")


def evaluate(
    model: ModelFile,
    data: DataName,
    split: Annotated[str, choice("--split", SPLIT_CHOICES, "The images to evaluate on.")] = "test",
    report: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="Write an HTML report with images.")
    ] = None,
    format_name: FormatName = None,
    on_multiple: OnMultiple = "error",
    on_bad: OnBad = "error",
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """Evaluate a model on labelled images."""
    localizer = loading.load(model, threads=threads)
    if report is not None:
        prepare_file("--report", report, _HTML, has_mark(_TITLE))
    everything = reading.read(
        data,
        format_name,
        on_multiple=on_multiple,
        on_bad=on_bad,
        known_labels=localizer.card.classes,
    )
    print_notes(everything.notes)
    with progress_bar("Evaluating") as progress:
        result = evaluation.evaluate(localizer, select(everything, split), progress=progress)
    if report is not None:
        from onebox.report import write_report

        write_report(result, report, facts={"Model": str(model), "Data": data, "Split": split})
    certainty = result.certainty
    if certainty is not None and (warning := certainty.warning()):
        print_note(warning)
    if as_json:
        typer.echo(json.dumps(result.as_json()))
        return
    if result.is_collapsed:
        print_note(COLLAPSED)
    print_table(f"{model} on {data}, {split}", result.overall.as_json())
    if certainty is not None:
        print_table("how sure", certainty.rows())
    if keypoints := result.per_keypoint():
        rows = [(name, *map(format_metric, row.values())) for name, row in keypoints.items()]
        print_rows("keypoints", [_KEYPOINT_COLUMNS, *rows], alignments="<>>>")
