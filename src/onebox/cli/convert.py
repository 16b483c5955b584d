"""``onebox convert`` and ``onebox synth``."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from onebox import formats, synthetic
from onebox.cli.console import note
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
from onebox.errors import format_count

_KINDS = ("blobs", "cutouts", "cutouts-black")
_LARGEST_SIDE = 8192


def convert(
    data: DataName,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The file or folder to write.")],
    to: Annotated[
        str, typer.Option(metavar="|".join(formats.FORMATS), help="The format to write.")
    ],
    format_name: FormatName = None,
    on_multiple: OnMultiple = "error",
    on_bad: OnBad = "error",
    as_json: AsJson = False,
) -> None:
    """Write a data set's labels in another format."""
    check_choice("--to", to, tuple(formats.FORMATS))
    samples = read_labels(data, Reading(format_name, on_multiple, on_bad))
    for sentence in samples.notes:
        note(sentence)
    formats.write(samples, out, to)
    _print_written(out, len(samples), as_json=as_json)


def synth(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="|".join(_KINDS),
            help="White discs on black; cut-outs on natural images; cut-outs on black.",
        ),
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The folder to write.")],
    count: Annotated[int, typer.Option(min=1, help="How many images.")],
    cutouts: Annotated[Path | None, typer.Option(help="A folder of RGBA PNGs.")] = None,
    backgrounds: Annotated[Path | None, typer.Option(help="A folder of images.")] = None,
    size: Annotated[
        int, typer.Option(min=16, max=_LARGEST_SIDE, help="Side of the images, in pixels.")
    ] = 224,
    seed: Annotated[int, typer.Option(min=0, help="Everything random follows from it.")] = 0,
    absent: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the images without the subject.")
    ] = 0.0,
    as_json: AsJson = False,
) -> None:
    """Generate images with labels."""
    check_choice("the kind", kind, _KINDS)
    samples = synthetic.dataset(
        f"synth:{kind}",
        size=size,
        seed=seed,
        counts=synthetic.split_counts(count),
        absent=absent,
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
        typer.echo(f"{path}: {format_count(count, 'image', 'images')}")
