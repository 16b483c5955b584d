"""``onebox convert`` and ``onebox synth``."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from onebox import formats, reading, synthetic
from onebox.cli.console import note
from onebox.cli.options import AsJson, DataName, OnMultiple


def convert(
    data: DataName,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The file or folder to write.")],
    to: Annotated[str, typer.Option(help="csv, voc, coco or yolo.")],
    on_multiple: OnMultiple = "error",
    as_json: AsJson = False,
) -> None:
    """Write a data set's labels in another format."""
    samples = reading.read(data, on_multiple=on_multiple)
    for sentence in samples.notes:
        note(sentence)
    formats.write(samples, out, to)
    _print_written(out, len(samples), as_json=as_json)


def synth(
    kind: Annotated[str, typer.Argument(metavar="blobs|cutouts|cutouts-black")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The folder to write.")],
    count: Annotated[int, typer.Option(min=1, help="How many pictures.")],
    cutouts: Annotated[Path | None, typer.Option(help="A folder of RGBA PNGs.")] = None,
    backgrounds: Annotated[Path | None, typer.Option(help="A folder of pictures.")] = None,
    size: Annotated[int, typer.Option(min=16, help="Side of the pictures, in pixels.")] = 224,
    seed: Annotated[int, typer.Option(min=0, help="Everything random follows from it.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Generate pictures with labels."""
    samples = synthetic.dataset(
        f"synth:{kind}",
        size=size,
        seed=seed,
        counts=synthetic.split_counts(count),
        cutouts=cutouts,
        backgrounds=backgrounds,
    )
    saved = replace(samples, samples=synthetic.save(samples, out, count))
    formats.write(saved, out / "labels.csv", "csv")
    _print_written(out / "labels.csv", len(saved), as_json=as_json)


def _print_written(path: Path, count: int, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"labels": str(path), "images": count}))
    else:
        typer.echo(f"{path}: {count} pictures")
