"""``onebox convert`` and ``onebox synth``."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from onebox import formats, reading, synthetic
from onebox.cli.console import print_notes
from onebox.cli.options import AsJson, DataName, FormatName, OnBad, OnMultiple, check_choice, choice
from onebox.errors import SettingError, format_count
from onebox.formats.extraction import extract_images
from onebox.formats.shard_formats import SHARD_FORMATS
from onebox.structures import Dataset

_KINDS = ("blobs", "cutouts", "cutouts-black")
_LARGEST_SIZE = 8192  # pixels: an image then takes 200 MB of memory; not tuned


def convert(
    data: DataName,
    out: Annotated[
        str,
        typer.Argument(
            metavar="OUT", help="The file or folder to write; for shards, also a URI as s3://..."
        ),
    ],
    to: Annotated[str, choice("--to", formats.FORMATS, "The format to write.")],
    images: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Write the images of shards to this new folder, as they are."
        ),
    ] = None,
    format_name: FormatName = None,
    on_multiple: OnMultiple = "error",
    on_bad: OnBad = "error",
    as_json: AsJson = False,
) -> None:
    """Write the labels of a data set in another format."""
    if images is not None and to in SHARD_FORMATS:
        raise SettingError(f"--images: {to} shards hold the images themselves. Leave --images out.")
    samples = reading.read(data, format_name, on_multiple=on_multiple, on_bad=on_bad)
    print_notes(samples.notes)
    if images is None:
        formats.write(samples, out, to)
    else:
        _write_with_images(samples, images, out, to)
    _print_written(out, len(samples), as_json=as_json)


def _write_with_images(samples: Dataset, images: Path, out: str, to: str) -> None:
    """Write the images to a folder, and the labels; the folder is removed if these fail."""
    extracted = extract_images(samples, images)
    try:
        formats.write(extracted, out, to)
    except BaseException:
        shutil.rmtree(images, ignore_errors=True)
        raise


def synth(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="|".join(_KINDS),
            help="White discs on black; cut-outs on photographs; cut-outs on black.",
        ),
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The folder to write.")],
    count: Annotated[int, typer.Option(metavar="N", min=1, help="Number of images.")],
    cutouts: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="A folder of RGBA PNGs to use in place of the cat."),
    ] = None,
    backgrounds: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="A folder of images to use in place of the bundled photographs."
        ),
    ] = None,
    size: Annotated[
        int, typer.Option(min=16, max=_LARGEST_SIZE, help="Width and height in pixels.")
    ] = 224,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Seed of everything random.")] = 0,
    absent: Annotated[
        float, typer.Option(min=0, max=1, help="Probability that an image lacks the subject.")
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


def _print_written(path: Path | str, count: int, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"labels": str(path), "images": count}))
    else:
        typer.echo(f"{path}: {format_count(count, 'image', 'images')}")
