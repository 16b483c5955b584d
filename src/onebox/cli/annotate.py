"""``onebox annotate haar``."""

import json
from collections.abc import Sized
from pathlib import Path
from typing import Annotated

import typer

from onebox.classic.haar import FACES, Annotation, annotate
from onebox.cli.console import print_error, print_note, progress_bar
from onebox.cli.options import AsJson, OnMultiple
from onebox.errors import DataError, format_count
from onebox.formats.csv import write_boxes
from onebox.formats.writing import creating

app = typer.Typer(help="Label images automatically.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def annotation() -> None:
    """Label images automatically."""


@app.command()
def haar(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A folder of images, searched recursively.")
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT.csv", help="The label file to write.")],
    cascade: Annotated[
        str,
        typer.Option(metavar="NAME|FILE", help="The name of an OpenCV cascade, or an XML file."),
    ] = FACES,
    on_multiple: OnMultiple = "error",
    as_json: AsJson = False,
) -> None:
    """Find one face in each image with a Haar cascade, and write its box.

    Images without a find are listed, not written: a cascade misses faces. Images that cannot be
    read are listed too, and the exit code is then 3; all others are written.
    """
    with creating(out) as unfinished:
        with progress_bar("Searching") as progress:
            found = annotate(folder, cascade=cascade, on_multiple=on_multiple, progress=progress)
        write_boxes(found.samples, unfinished)
    _print_problems(found, on_multiple)
    _print_written(out, found, as_json=as_json)
    if found.unreadable:
        raise DataError(
            f"{_images(found.unreadable)} could not be read and are named above; those with a "
            f"{found.label} are in {out}."
        )


def _print_problems(found: Annotation, on_multiple: str) -> None:
    for problem in found.unreadable:
        print_error(problem)
    for path in found.without:
        print_note(f"{path}: no {found.label} found.")
    if found.several:
        done = "left out" if on_multiple == "skip" else "kept the largest"
        print_note(f"{_images(found.several)} with several finds {done}.")


def _images(items: Sized) -> str:
    return format_count(len(items), "image", "images")


def _print_written(out: Path, found: Annotation, *, as_json: bool) -> None:
    if not as_json:
        count = f"{_images(found.samples)} with a {found.label}"
        typer.echo(f"{out}: {count}, {len(found.without)} without a find")
        return
    facts = {
        "labels": str(out),
        "images": len(found.samples),
        "label": found.label,
        "without": [str(path) for path in found.without],
        "several": [str(path) for path in found.several],
        "unreadable": len(found.unreadable),
    }
    typer.echo(json.dumps(facts))
