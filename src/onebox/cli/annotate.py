"""``onebox annotate haar``."""

import json
from collections.abc import Sized
from pathlib import Path
from typing import Annotated

import typer

from onebox.classic.haar import FACES, POLICIES, Annotation, annotate
from onebox.cli.console import complain, counting, note
from onebox.cli.options import AsJson, OnMultiple, check_choice
from onebox.errors import DataError, format_count
from onebox.formats.csv import write_boxes
from onebox.formats.writing import creating

app = typer.Typer(
    help="Label images without a person.", no_args_is_help=True, rich_markup_mode=None
)


@app.callback()
def annotation() -> None:
    """Label images without a person."""


@app.command()
def haar(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder of images.")],
    out: Annotated[Path, typer.Argument(metavar="OUT.csv", help="The label file to write.")],
    cascade: Annotated[
        str, typer.Option(metavar="NAME|FILE", help="A cascade of OpenCV, or a cascade's XML file.")
    ] = FACES,
    on_multiple: OnMultiple = "error",
    as_json: AsJson = False,
) -> None:
    """Find faces with a Haar cascade, one an image, and write their boxes.

    Images without a find are listed and not written: a cascade misses faces. An image that
    cannot be read is named, and the others are written all the same; the exit code is then 3.
    """
    check_choice("--on-multiple", on_multiple, POLICIES)
    with creating(out) as unfinished:
        with counting("Searching") as progress:
            found = annotate(folder, cascade=cascade, on_multiple=on_multiple, progress=progress)
        write_boxes(found.samples, unfinished)
    _tell(found, on_multiple)
    _print_written(out, found, as_json=as_json)
    if found.unreadable:
        raise DataError(
            f"{_images(found.unreadable)} could not be read and are named above; those with a "
            f"{found.label} are in {out}."
        )


def _tell(found: Annotation, on_multiple: str) -> None:
    for problem in found.unreadable:
        complain(problem)
    for path in found.without:
        note(f"{path}: no {found.label} found.")
    if found.several:
        done = "left out" if on_multiple == "skip" else "kept the largest"
        note(f"{_images(found.several)} with several finds {done}.")


def _images(them: Sized) -> str:
    return format_count(len(them), "image", "images")


def _print_written(out: Path, found: Annotation, *, as_json: bool) -> None:
    if not as_json:
        count = f"{_images(found.samples)} with a {found.label}"
        typer.echo(f"{out}: {count}, {len(found.without)} without a find")
        return
    said = {
        "labels": str(out),
        "images": len(found.samples),
        "label": found.label,
        "without": [str(path) for path in found.without],
        "several": [str(path) for path in found.several],
        "unreadable": len(found.unreadable),
    }
    typer.echo(json.dumps(said))
