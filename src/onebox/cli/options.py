"""Arguments and options that several commands share, and the data set they name."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from onebox import reading
from onebox.errors import SettingError, suggest
from onebox.formats import FORMATS, ON_BAD
from onebox.formats.multiple_boxes import POLICIES
from onebox.structures import Dataset

DataName = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        help="A label file or folder (CSV, Pascal VOC, COCO, YOLO), or synth:blobs, "
        "synth:cutouts-black, synth:cutouts.",
    ),
]

FormatName = Annotated[
    str | None,
    typer.Option(
        "--format", metavar="|".join(FORMATS), help="Of the labels; found by content where absent."
    ),
]

OnMultiple = Annotated[
    str,
    typer.Option(
        metavar="|".join(POLICIES),
        help="Images of several boxes: refuse, keep the largest, or leave the image out.",
    ),
]

OnBad = Annotated[
    str,
    typer.Option(
        metavar="|".join(ON_BAD),
        help="Rows that are wrong: refuse the data set, or leave them out with a note.",
    ),
]

Threads = Annotated[
    int | None,
    typer.Option(
        metavar="N", min=1, help="At most so many at once; by default the cores it may use."
    ),
]

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def check_choice(option: str, word: str, choices: Sequence[str]) -> None:
    """See that an option's word is one that it may have.

    Raises:
        SettingError: If not; the message has the word that was probably meant.
    """
    if word not in choices:
        raise SettingError(
            f"{option} '{word}' is not one of {', '.join(choices)}.{suggest(word, choices)}"
        )


@dataclass(frozen=True, slots=True)
class Reading:
    """How a command line asks for its data set to be read."""

    format: str | None = None
    on_multiple: str = "error"
    on_bad: str = "error"


def read_labels(
    data: str, how: Reading, *, classes: Sequence[str] = (), known_labels: Sequence[str] = ()
) -> Dataset:
    """Read the data set that a command line names.

    Raises:
        DataError: If rows or images are wrong; it lists all of them, with file and line.
        SettingError: If an option has no such choice.
    """
    check_choice("--on-multiple", how.on_multiple, tuple(POLICIES))
    check_choice("--on-bad", how.on_bad, ON_BAD)
    if how.format is not None:
        check_choice("--format", how.format, tuple(FORMATS))
    return reading.read(
        data,
        how.format,
        on_multiple=how.on_multiple,
        on_bad=how.on_bad,
        classes=classes,
        known_labels=known_labels,
    )
