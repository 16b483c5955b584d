"""Arguments and options that several commands share."""

from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any

import typer

from onebox.errors import SettingError, suggest
from onebox.formats import FORMATS, ON_BAD
from onebox.formats.multiple_boxes import POLICIES
from onebox.structures import SPLITS, Dataset

SPLIT_CHOICES = (*SPLITS, "all")
"""What ``--split`` accepts."""


def check_choice(option: str, word: str, choices: Collection[str]) -> None:
    """Check that a word is one of the choices that its option has.

    Raises:
        SettingError: If it is not; the message names the closest choice.
    """
    if word not in choices:
        raise SettingError(
            f"{option} '{word}' is not one of {', '.join(choices)}.{suggest(word, choices)}"
        )


def choice(option: str, choices: Collection[str], text: str) -> Any:  # noqa: ANN401
    """An option of Typer that accepts one of some words, which its help lists."""

    def check(word: str | None) -> str | None:
        if word is not None:
            check_choice(option, word, choices)
        return word

    return typer.Option(option, metavar="|".join(choices), callback=check, help=text)


def select(data: Dataset, split: str) -> Dataset:
    """The samples of a split, or all of them."""
    return next((data.part(known) for known in SPLITS if known == split), data)


DataName = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        help="A label file or folder (CSV, Pascal VOC, COCO, YOLO, Label Studio, ...), or "
        "synth:blobs, synth:cutouts-black or synth:cutouts.",
    ),
]

ModelFile = Annotated[
    Path, typer.Argument(metavar="MODEL", help="A model of onebox: model.onnx or model.npz.")
]

RunFolder = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="DIR",
        help="The folder of the run, new or empty; by default the next free runs/NAME-1, -2, ...",
    ),
]

FormatName = Annotated[
    str | None,
    choice("--format", FORMATS, "Format of the labels; by default detected from the files."),
]

OnMultiple = Annotated[
    str,
    choice(
        "--on-multiple",
        POLICIES,
        "What to do with an image that has several boxes: stop with an error, keep the largest "
        "box, or skip the image.",
    ),
]

OnBad = Annotated[
    str,
    choice(
        "--on-bad",
        ON_BAD,
        "What to do with wrong rows: stop with an error, or skip them with a note.",
    ),
]

Threads = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=1,
        help="Number of threads; by default the number of cores available to the process.",
    ),
]

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
