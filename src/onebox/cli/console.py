"""What is said in passing: progress, notes and complaints, all on standard error."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
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


def aside() -> Console:
    """The console on standard error; made anew, since tests and callers may redirect it."""
    # Emoji are off: Rich would read the line number of `labels.csv:100:` as the name of one.
    return Console(stderr=True, soft_wrap=True, highlight=False, emoji=False)


def complain(message: str) -> None:
    """Say what went wrong."""
    aside().print(f"[bold red]error:[/] {escape(message)}")


def note(sentence: str) -> None:
    """Say something in passing."""
    aside().print(f"[yellow]note:[/] {escape(sentence)}")


def show_table(title: str, facts: Mapping[str, object]) -> None:
    """Print facts on standard output, one line each: no value is ever broken.

    Those within others have dotted names, as ``recipe.model.size``.
    """
    typer.secho(title, bold=True)
    rows = dict(_lines(facts))
    width = max(map(len, rows), default=0)
    for name, value in rows.items():
        typer.echo(f"  {name:<{width}}  {value}".rstrip())


def show_rows(title: str, rows: Sequence[Sequence[str]], *, sides: str) -> None:
    """Print rows on standard output, their cells below one another.

    Args:
        title: Printed above them.
        rows: The first names the columns.
        sides: For each column ``<`` or ``>``: the side on which its cells are flush.
    """
    typer.secho(title, bold=True)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [
            f"{cell:{side}{width}}" for cell, side, width in zip(row, sides, widths, strict=True)
        ]
        typer.echo(f"  {'  '.join(cells)}".rstrip())


def _lines(facts: Mapping[str, object], within: str = "") -> Iterator[tuple[str, str]]:
    for name, value in facts.items():
        if isinstance(value, Mapping):
            yield from _lines(value, f"{within}{name}.")
        else:
            yield f"{within}{name}", _shown(value)


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(_shown, value))
    return "-" if value is None else str(value)


class Rate(ProgressColumn):
    """How many are done in a second."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self._unit = unit

    def render(self, task: Task) -> Text:
        """As ``12.5 images/s``; nothing before there is a rate."""
        return Text("" if task.speed is None else f"{task.speed:.1f} {self._unit}/s")


def is_watched() -> bool:
    """Whether standard error is a terminal, where a bar is seen."""
    return aside().is_terminal


def _bar(console: Console, *, is_shown: bool = True, unit: str | None = None) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        *([] if unit is None else [Rate(unit)]),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not (is_shown and console.is_terminal),
        # What is printed meanwhile is a result: it stays on standard output.
        redirect_stdout=False,
    )


@contextmanager
def counting(
    what: str, *, is_shown: bool = True, unit: str | None = None
) -> Iterator[Callable[[int, int | None], None]]:
    """A bar for one loop: call what comes with those done and their total, if it is known.

    With a unit, it says how many of them are done in a second.
    """
    with _bar(aside(), is_shown=is_shown, unit=unit) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


class TrainingBar:
    """Shows a training run: a bar with the time left, and a line for each epoch."""

    def __init__(self) -> None:
        self._console = aside()
        self._progress = _bar(self._console)
        self._task: TaskID | None = None

    def __enter__(self) -> "TrainingBar":
        """Show the bar."""
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Take the bar away."""
        self._progress.stop()

    def stage(self, name: str) -> None:
        """Begin a bar of its own."""
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._task = self._progress.add_task(escape(name), total=None)
        self._console.print(f"[dim]{escape(name)}[/]")

    def advance(self, done: int, total: int) -> None:
        """Move the bar."""
        if self._task is not None:
            self._progress.update(self._task, completed=done, total=total)

    def epoch(self, metrics: "EpochMetrics") -> None:
        """Print the epoch's line."""
        self._console.print(
            f"epoch {metrics.epoch:>3}/{metrics.epochs}  loss {metrics.loss:.4f}  "
            f"val mean IoU {metrics.val_mean_iou:.4f}  lr {metrics.learning_rate:.2e}  "
            f"{metrics.seconds:.0f} s"
        )

    def note(self, sentence: str) -> None:
        """Print a note."""
        self._console.print(f"[yellow]note:[/] {escape(sentence)}")
