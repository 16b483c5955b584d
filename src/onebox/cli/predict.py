"""``onebox predict``."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated

import typer

from onebox import loading
from onebox.cli import INTERRUPTED
from onebox.cli.cluster_options import On, Workers, check_cluster
from onebox.cli.console import (
    is_terminal,
    print_error,
    print_note,
    print_notes,
    progress_bar,
)
from onebox.cli.options import AsJson, ModelFile, Threads
from onebox.cli.output_checks import prepare_folder, prepare_results
from onebox.errors import DataError, SettingError
from onebox.localizer import Localizer
from onebox.prediction.items import SourceItem
from onebox.prediction.job import Job, Sink, Tally
from onebox.prediction.sinks import DrawingSink, JournalSink
from onebox.prediction.sources import Sources
from onebox.prediction.writers import (
    KINDS,
    Certainty,
    Journal,
    Layout,
    Row,
    as_json_line,
    certainty_of,
    names_in,
)
from onebox.structures import Box, Prediction
from onebox.threads import resolve_threads

SourceNames = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE",
        help="Images, folders, globs, shards (tar, Parquet), videos, camera:0, URLs, URIs of "
        "object stores, or - for a list of names on standard input.",
    ),
]


def predict(
    model: ModelFile,
    source_names: SourceNames,
    as_json: AsJson = False,
    jsonl: Annotated[Path | None, typer.Option(help="Write a file of JSON lines.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Write a CSV file.")] = None,
    coco: Annotated[Path | None, typer.Option(help="Write a COCO results file.")] = None,
    parquet: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Write a Parquet file; with --on, a folder of Parquet files."
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--continue", help="Skip the images that the file has already.")
    ] = False,
    draw: Annotated[
        Path | None,
        typer.Option(help="Write each image with its box and keypoints into this folder."),
    ] = None,
    coverage: Annotated[
        float | None,
        typer.Option(
            metavar="C",
            help="Add the outer box, which contains the true box of this fraction of images, such "
            "as 0.9.",
        ),
    ] = None,
    max_risk: Annotated[
        float | None,
        typer.Option(
            metavar="R",
            help="Say which predictions are accepted: of those, at most this fraction is wrong, "
            "such as 0.05.",
        ),
    ] = None,
    threads: Threads = None,
    on: On = None,
    workers: Workers = None,
) -> None:
    """Find the subject of images.

    Prints one line per image: a JSON object with --json, otherwise name, label, score and box, or
    "absent" and no box if the model says that there is no subject. With --coverage, the outer box
    follows; with --max-risk, "accepted" or "doubtful". Images that cannot be read are named on
    standard error, the others are predicted, and the exit code is then 3. With --on, a Ray cluster
    predicts into a folder of Parquet files; the same command goes on with an unfinished folder.
    """
    check_cluster(on, workers)
    if on is not None:
        from onebox.cli import predict_on_cluster as cluster

        others = {"--json": as_json, "--jsonl": jsonl, "--csv": csv, "--coco": coco, "--draw": draw,
                  "--threads": threads}  # fmt: skip
        folder = cluster.choose_folder(parquet, others)
        if resume:
            print_note("with --on, the same command goes on by itself; --continue adds nothing.")
        order = cluster.Order(model, tuple(source_names), folder, coverage, max_risk)
        cluster.predict_on_cluster(order, on, workers)
        return
    files = {"jsonl": jsonl, "csv": csv, "coco": coco, "parquet": _as_file(parquet)}
    target = _target(files, as_json=as_json, resume=resume)
    # One thread per image: many images keep all of them busy.
    localizer = promising(loading.load(model, threads=1), coverage, max_risk)
    sources = Sources(source_names, read_list(), left_out=draw)
    if draw is not None:
        prepare_folder("--draw", draw)
    if target is not None:
        prepare_results(*target)
    card, has_frames = localizer.card, target is not None and sources.has_frames()
    certainty = certainty_of(card, coverage=coverage, max_risk=max_risk)
    layout = Layout(card.classes, card.keypoints, card.presence, has_frames, certainty)
    job = Job(localizer, resolve_threads(threads), print_error)

    def drawing(sink: Sink) -> Sink:
        return sink if draw is None else DrawingSink(draw, card.keypoints, sink)

    if target is None:
        has_bar = not sys.stdout.isatty() and is_terminal()
        is_stopped = _run(job, sources, drawing(Printer(layout, as_json=as_json)), has_bar=has_bar)
    else:
        is_stopped = _record(job, sources, target, layout, drawing, resume=resume)
    if is_stopped:
        raise typer.Exit(INTERRUPTED)
    if unreadable := job.tally.unreadable:
        raise DataError(
            f"{unreadable} of {job.tally.done} sources could not be read; they are named above."
        )


class Printer:
    """A sink that prints one line per image on standard output."""

    def __init__(self, layout: Layout, *, as_json: bool) -> None:
        self._layout = layout
        self._as_json = as_json

    def has(self, item: SourceItem) -> bool:  # noqa: ARG002
        """False: every image is printed."""
        return False

    def write(self, item: SourceItem, prediction: Prediction) -> None:
        """Print a prediction."""
        row = Row(item.name, prediction, item.frame, item.time_s)
        line = (
            as_json_line(row, self._layout)
            if self._as_json
            else _format_line(row, self._layout.certainty)
        )
        typer.echo(line)

    def write_unreadable(self, item: SourceItem) -> None:
        """Print nothing: the image is named on standard error."""


def _as_file(parquet: str | None) -> Path | None:
    from onebox import stores

    if parquet is not None and stores.is_uri(parquet):
        raise SettingError(
            f"--parquet {parquet}: one machine writes a file on its disk. Name a file, or add "
            "--on ray."
        )
    return None if parquet is None else Path(parquet)


def _format_line(row: Row, certainty: Certainty) -> str:
    """Name, label, score and box, and what the user asked for, separated by tabs."""
    answer, name, label = row.prediction, row.image, "absent"
    if row.frame is not None:
        time = "" if row.time_s is None else f" at {row.time_s:.3f} s"
        name = f"{name} frame {row.frame}{time}"
    if answer.has_subject:
        label = answer.label
    cells = [name, label, f"{answer.score:.3f}", _edges(answer, answer.box)]
    if certainty.coverage is not None:
        cells.append(_edges(answer, answer.outer_box))
    if certainty.max_risk is not None:
        word = "accepted" if answer.accepted else "doubtful"
        cells.append(word if answer.has_subject else "-")
    return "\t".join(cells)


def _edges(answer: Prediction, box: Box | None) -> str:
    """The four edges of a box; a dash where there is none to show."""
    if box is None or not answer.has_subject:
        return "-"
    return " ".join(f"{edge:.1f}" for edge in box)


def promising(localizer: Localizer, coverage: float | None, max_risk: float | None) -> Localizer:
    """The model with the guarantees asked for, after a note that says what they are."""
    if coverage is None and max_risk is None:
        return localizer
    from onebox.confidence.guarantees import guarantees

    promising = localizer.with_guarantees(coverage=coverage, max_risk=max_risk)
    calibration = localizer.card.active_calibration
    print_notes(guarantees(calibration, localizer.name, coverage, max_risk).describe())
    return promising


def _target(
    files: Mapping[str, Path | None], *, as_json: bool, resume: bool
) -> tuple[str, Path] | None:
    """The kind and path of the file to write; None for standard output."""
    named = [(kind, file) for kind, file in files.items() if file is not None]
    if as_json + len(named) > 1:
        options = ", ".join(f"--{kind}" for kind in files)
        raise SettingError(f"--json, {options} exclude each other; choose one.")
    if resume and not named:
        raise SettingError(
            "--continue goes on with a file; name it with --jsonl, --csv, --coco or --parquet."
        )
    return named[0] if named else None


def read_list() -> Iterator[str]:
    """The names on standard input, one per line."""
    for line in _standard_input():
        if name := os.fsdecode(line.rstrip(b"\r\n")):
            yield name


def _standard_input() -> Iterable[bytes]:
    # Through a file object of its own: a thread that waits for the next line holds the lock of its
    # file object, and Python needs the lock of `sys.stdin` to exit.
    if sys.stdin is None:
        raise SettingError("standard input is closed, and '-' reads names from it. Name a SOURCE.")
    stream = typer.get_binary_stream("stdin")
    try:
        return os.fdopen(os.dup(stream.fileno()), "rb")
    except OSError:  # not a file of the operating system
        return stream


def _record(
    job: Job,
    sources: Sources,
    target: tuple[str, Path],
    layout: Layout,
    drawing: Callable[[Sink], Sink],
    *,
    resume: bool,
) -> bool:
    """Predict into a file; return whether the user stopped it."""
    kind, file = target
    with Journal(KINDS[kind], file, layout, resume=resume) as journal:
        sink = drawing(JournalSink(journal, names_in(file)))
        is_stopped = _run(job, sources, sink, has_bar=is_terminal())
        if journal.kept or not is_stopped:
            journal.finish()
        if is_stopped and journal.kept:
            print_note(
                f"{file} has {journal.kept} predictions. Run the same command with --continue to "
                "go on."
            )
    return is_stopped


def _run(job: Job, sources: Sources, sink: Sink, *, has_bar: bool) -> bool:
    """Predict all images; return whether the user stopped it."""
    try:
        if has_bar:
            total = sources.count()
            with progress_bar("Predicting", unit="images") as show:

                def progress(tally: Tally) -> None:
                    show(tally.done, None if total is None else total - tally.skipped)

                job.run(sources, sink, progress)
        else:
            job.run(sources, sink)
    except KeyboardInterrupt:
        print_note(f"stopped after {job.tally.done} sources.")
        return True
    return False
