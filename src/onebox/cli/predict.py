"""``onebox predict``."""

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import Annotated

import typer

from onebox import loading
from onebox.cli.console import is_terminal, print_note, progress_bar
from onebox.cli.options import AsJson, ModelFile, Threads
from onebox.cli.output_checks import prepare_folder, prepare_results
from onebox.errors import DataError, SettingError
from onebox.prediction import sources
from onebox.prediction.job import Answering, Printed, Recorded, Tally
from onebox.prediction.sources import Found, Item
from onebox.prediction.writers import KINDS, Layout, Recorder, names_in
from onebox.threads import resolve_threads

_INTERRUPTED = 130

Words = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE",
        help="Images, folders of them, globs, videos, camera:0, URLs, or - for a list of names "
        "on standard input.",
    ),
]


def predict(
    model: ModelFile,
    words: Words,
    as_json: AsJson = False,
    jsonl: Annotated[Path | None, typer.Option(help="Write a file of JSON lines.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Write a CSV file.")] = None,
    coco: Annotated[Path | None, typer.Option(help="Write a COCO results file.")] = None,
    parquet: Annotated[Path | None, typer.Option(help="Write a Parquet file.")] = None,
    goes_on: Annotated[
        bool, typer.Option("--continue", help="Skip the images that the file has already.")
    ] = False,
    draw: Annotated[
        Path | None,
        typer.Option(help="Write each image with its box and keypoints into this folder."),
    ] = None,
    threads: Threads = None,
) -> None:
    """Find the subject of images.

    Prints one line an image: a JSON object with --json, else name, label, score and box, or
    "absent" and no box where the model says that the subject is not there. An image that cannot
    be read is named, and the others are answered all the same; the exit code is then 3.
    """
    files = {"jsonl": jsonl, "csv": csv, "coco": coco, "parquet": parquet}
    target = _target(files, as_json=as_json, goes_on=goes_on)
    # One thread an image: many images keep all of them busy.
    localizer = loading.load(model, threads=1)
    sources.check(words)
    if draw is not None:
        prepare_folder("--draw", draw)
    if target is not None:
        prepare_results(*target)
    found, has_frames = _looked_into(words)
    facts = localizer.card
    layout = Layout(facts.classes, facts.keypoints, facts.presence, has_frames)
    answering = Answering(localizer, threads=resolve_threads(threads), draw=draw)
    if target is None:
        is_stopped = _run(answering, found, Printed(layout, as_json=as_json), words)
    else:
        is_stopped = _record(answering, found, target, layout, words, goes_on=goes_on)
    if is_stopped:
        raise typer.Exit(_INTERRUPTED)
    if unread := answering.tally.unread:
        count = answering.tally.looked_at
        raise DataError(f"{unread} of {count} sources could not be read; they are named above.")


def _target(
    files: Mapping[str, Path | None], *, as_json: bool, goes_on: bool
) -> tuple[str, Path] | None:
    """The kind and the place of the file to write; None for standard output.

    Raises:
        SettingError: If there are several, or none to go on with.
    """
    named = [(kind, file) for kind, file in files.items() if file is not None]
    if as_json + len(named) > 1:
        options = ", ".join(f"--{kind}" for kind in files)
        raise SettingError(f"--json, {options} exclude each other; choose one.")
    if goes_on and not named:
        raise SettingError(
            "--continue goes on with a file; name it with --jsonl, --csv, --coco or --parquet."
        )
    return named[0] if named else None


def _looked_into(words: list[str]) -> tuple[Iterator[Found], bool]:
    """The images of all sources, and whether some are frames.

    What a list names cannot be told before it is read; there, the first image stands for all.
    """
    found = sources.find(words, _listed())
    first = list(islice(found, 1))
    is_frame = any(isinstance(one, Item) and one.frame is not None for one in first)
    return chain(first, found), is_frame or sources.has_frames(words)


def _listed() -> Iterator[str]:
    """The names on standard input, one a line."""
    for line in _standard_input():
        if name := os.fsdecode(line.rstrip(b"\r\n")):
            yield name


def _standard_input() -> Iterable[bytes]:
    """The lines of standard input, by a file of our own where it is one.

    A thread that waits for the next line holds its file's lock, and Python's own standard input
    must be free when the program ends.
    """
    stream = typer.get_binary_stream("stdin")
    try:
        return os.fdopen(os.dup(stream.fileno()), "rb")
    except OSError:  # it stands for none of the system's files
        return stream


def _record(
    answering: Answering,
    found: Iterator[Found],
    target: tuple[str, Path],
    layout: Layout,
    words: list[str],
    *,
    goes_on: bool,
) -> bool:
    """Answer into a file; whether the user stopped it."""
    kind, file = target
    with Recorder(KINDS[kind], file, layout, goes_on=goes_on) as recorder:
        is_stopped = _run(answering, found, Recorded(recorder, names_in(file)), words)
        if recorder.kept or not is_stopped:
            recorder.finish()
        if is_stopped and recorder.kept:
            print_note(
                f"{file} has {recorder.kept} answers. Go on with the same words and --continue."
            )
    return is_stopped


def _run(
    answering: Answering, found: Iterator[Found], sink: Printed | Recorded, words: list[str]
) -> bool:
    """Answer all sources, under a bar where somebody watches; whether the user stopped it."""
    is_shown = is_terminal() and (isinstance(sink, Recorded) or not sys.stdout.isatty())
    total = sources.count(words) if is_shown else None
    with progress_bar("Predicting", unit="images", is_shown=is_shown) as progress:

        def show(tally: Tally) -> None:
            progress(tally.looked_at, None if total is None else total - tally.skipped)

        try:
            answering.run(found, sink, show)
        except KeyboardInterrupt:
            print_note(f"stopped after {answering.tally.looked_at} sources.")
            return True
    return False
