"""Notes, errors and progress on standard error; tables of results on standard output."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

if TYPE_CHECKING:
    from onebox.progress import EpochMetrics

COLLAPSED = "the model is hardly better than one box for all images."
"""The note on a model whose report says that it is collapsed."""


def stderr_console() -> Console:
    """A console on standard error; a new one each time, since standard error may be redirected."""
    # Emoji are off: Rich would read the line number of `labels.csv:100:` as the name of one.
    return Console(stderr=True, soft_wrap=True, highlight=False, emoji=False)


def print_error(message: str) -> None:
    """Print an error on standard error."""
    stderr_console().print(f"[bold red]error:[/] {escape(message)}")


def print_note(sentence: str) -> None:
    """Print a note on standard error."""
    stderr_console().print(_note(sentence))


def _note(sentence: str) -> str:
    return f"[yellow]note:[/] {escape(sentence)}"


def print_notes(sentences: Iterable[str]) -> None:
    """Print each sentence as a note of its own."""
    for sentence in sentences:
        print_note(sentence)


def print_table(title: str, facts: Mapping[str, object]) -> None:
    """Print facts on standard output, one unbroken line each.

    A fact inside another mapping has a dotted name, such as ``recipe.model.size``.
    """
    print_rows(title, list(flatten(facts)), alignments="<<")


def print_rows(title: str, rows: Sequence[Sequence[str]], *, alignments: str) -> None:
    """Print rows on standard output, in columns aligned left (``<``) or right (``>``)."""
    typer.secho(title, bold=True)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    formats = [f"{align}{width}" for align, width in zip(alignments, widths, strict=True)]
    for row in rows:
        cells = (f"{cell:{spec}}" for cell, spec in zip(row, formats, strict=True))
        typer.echo(f"  {'  '.join(cells)}".rstrip())


def format_metric(value: float | None, spec: str = ".4g") -> str:
    """Format a metric for a table; ``-`` where it has no value."""
    return "-" if value is None else f"{value:{spec}}"


def flatten(facts: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Dotted names and values of facts, as text."""
    for name, value in facts.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", _format_value(value)


def _format_value(value: object) -> str:
    if value is None or isinstance(value, float):
        return format_metric(value)
    if isinstance(value, list | tuple):
        return ", ".join(map(_format_value, value))
    return str(value)


class RateColumn(ProgressColumn):
    """Items per second, such as ``12.5 images/s``."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self._unit = unit

    def render(self, task: Task) -> Text:
        """The rate; empty until one can be computed."""
        return Text("" if task.speed is None else f"{task.speed:.1f} {self._unit}/s")


def is_terminal() -> bool:
    """Whether standard error is a terminal, so that a progress bar is visible."""
    return stderr_console().is_terminal


def _bar(console: Console, *, unit: str | None = None) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        *([] if unit is None else [RateColumn(unit)]),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
        # Results printed while the bar runs must stay on standard output.
        redirect_stdout=False,
    )


@contextmanager
def progress_bar(
    description: str, *, unit: str | None = None
) -> Iterator[Callable[[int, int | None], None]]:
    """Show a progress bar for one loop, with units per second; without a terminal there is none.

    Yields:
        A function of the items done and the total, or None where the total is unknown.
    """
    with _bar(stderr_console(), unit=unit) as progress:
        task = progress.add_task(description, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


class ConsoleListener:
    """Shows a training run on the console: a bar with the time left, a line for each epoch."""

    def __init__(self) -> None:
        self._console = stderr_console()
        self._progress = _bar(self._console)
        self._task: TaskID | None = None

    def __enter__(self) -> "ConsoleListener":
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.stop()

    def begin(self, folder: Path) -> None:
        """Show nothing: the folder is printed with the results."""

    def finish(self, folder: Path) -> None:
        """Show nothing: the results are printed."""

    def stage(self, name: str) -> None:
        """Start a new bar for the next stage of the run."""
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._task = self._progress.add_task(escape(name), total=None)
        self._console.print(f"[dim]{escape(name)}[/]")

    def advance(self, done: int, total: int) -> None:
        """Move the bar."""
        if self._task is not None:
            self._progress.update(self._task, completed=done, total=total)

    def epoch(self, metrics: "EpochMetrics") -> None:
        """Print the line of an epoch."""
        self._console.print(
            f"epoch {metrics.epoch:>3}/{metrics.epochs}  loss {metrics.loss:.4f}  "
            f"val mean IoU {metrics.val_mean_iou:.4f}  lr {metrics.learning_rate:.2e}  "
            f"{metrics.seconds:.0f} s"
        )

    def note(self, sentence: str) -> None:
        """Print a note above the bar."""
        self._console.print(_note(sentence))
