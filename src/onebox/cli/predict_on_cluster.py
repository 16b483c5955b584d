"""``onebox predict --on ray``: the part of `predict` that works on a cluster."""

import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import typer

import onebox
from onebox import loading, stores
from onebox.cli import INTERRUPTED
from onebox.cli.console import print_error, print_note, progress_bar
from onebox.cli.predict import promising, read_list
from onebox.distributed.prediction.job import ClusterJob, Tally, begin
from onebox.distributed.prediction.model import SentModel, read_model
from onebox.distributed.prediction.records import Request
from onebox.errors import DataError, SettingError, format_count
from onebox.prediction.sources import LIST, Sources
from onebox.prediction.writers import Layout, certainty_of
from onebox.prediction.writers.image_names import names_from

_LINE_END = "\n"
_ESCAPED = "surrogateescape"  # names that are not UTF-8


@dataclass(frozen=True, slots=True)
class Order:
    """What the user asks for.

    Attributes:
        model: The model file.
        sources: The sources as they were named.
        folder: Where the results go: a path or a URI.
        coverage: The value of ``--coverage``.
        max_risk: The value of ``--max-risk``.
    """

    model: Path
    sources: tuple[str, ...]
    folder: str
    coverage: float | None
    max_risk: float | None


def choose_folder(parquet: str | None, others: Mapping[str, object]) -> str:
    """The folder of the results.

    Raises:
        SettingError: If it is not named, or an option is given that one machine alone has.
    """
    given = [option for option, value in others.items() if value not in {None, False}]
    if given:
        raise SettingError(
            f"{given[0]} is for one machine. Leave it out; with --on, results go to --parquet DIR."
        )
    if parquet is None:
        raise SettingError("--on needs a folder for the results. Name it with --parquet DIR.")
    return parquet if stores.is_uri(parquet) else os.path.abspath(parquet)  # noqa: PTH100


def predict_on_cluster(order: Order, on: str, workers: int | None) -> None:
    """Predict on a cluster, and say what came out."""
    localizer = promising(loading.load(order.model, threads=1), order.coverage, order.max_risk)
    card = localizer.card
    certainty = certainty_of(card, coverage=order.coverage, max_risk=order.max_risk)
    layout = Layout(card.classes, card.keypoints, card.presence, certainty=certainty)
    model = read_model(order.model, order.coverage, order.max_risk)
    job = _begin(order, model, layout)
    for problem in job.record.plan.problems:
        print_error(problem)
    if (tally := job.find_totals()) is not None:
        print_note(f"{order.folder} is finished already: {_count(tally)}.")
    else:
        tally = _run(job, on, workers)
    _report(order.folder, tally, len(job.record.plan.problems))


def _begin(order: Order, model: SentModel, layout: Layout) -> ClusterJob:
    is_stored = stores.is_uri(order.folder)
    # As a file beside the folder would name them.
    name = str if is_stored else names_from(Path(order.folder).parent)
    with _list(order.sources) as (listed, digest):
        request = Request(
            onebox.__version__,
            model.digest,
            order.coverage,
            order.max_risk,
            order.sources,
            str(Path.cwd()),
            digest,
        )
        targets = Sources(order.sources, listed).targets()
        record = begin(order.folder, request, targets, name)
    return ClusterJob(order.folder, record, layout, model)


@contextmanager
def _list(sources: tuple[str, ...]) -> Iterator[tuple[Iterator[str], str | None]]:
    """The names on standard input and their digest, if they are asked for.

    They are kept in a file: the digest must be known before the first name is used.
    """
    if LIST not in sources:
        yield iter(()), None
        return
    digest = hashlib.sha256()
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors=_ESCAPED, newline="") as file:
        for name in read_list():
            digest.update(os.fsencode(name) + b"\n")
            file.write(f"{name}{_LINE_END}")
        file.seek(0)
        yield (line.removesuffix(_LINE_END) for line in file), digest.hexdigest()


def _run(job: ClusterJob, on: str, workers: int | None) -> Tally:
    so_far = Tally()
    with progress_bar("Predicting", unit="images") as show:

        def progress(tally: Tally) -> None:
            nonlocal so_far
            so_far = tally
            show(tally.images, job.record.plan.images)

        try:
            return job.run(on, workers, progress, print_note)
        except KeyboardInterrupt:
            parts = job.record.plan.parts
            print_note(
                f"stopped after {so_far.images} images: {job.folder} has {so_far.parts} of {parts} "
                "parts. Run the same command again to go on."
            )
            raise typer.Exit(INTERRUPTED) from None


def _report(folder: str, tally: Tally, problems: int) -> None:
    for example in tally.examples:
        print_error(example)
    if unreadable := tally.errors + problems:
        raise DataError(
            f"{unreadable} of {tally.images + problems} sources could not be read. Images among "
            f"them are rows of {folder} with an error."
        )


def _count(tally: Tally) -> str:
    return f"{format_count(tally.images, 'image', 'images')}, {tally.errors} with errors"
