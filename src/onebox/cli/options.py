"""Arguments and options that several commands share."""

from typing import Annotated

import typer

DataName = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        help="A label file or folder (CSV, Pascal VOC, COCO, YOLO), or synth:blobs, "
        "synth:cutouts-black, synth:cutouts.",
    ),
]

OnMultiple = Annotated[
    str,
    typer.Option(help="Pictures of several boxes: error, keep the largest, or skip the picture."),
]

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
