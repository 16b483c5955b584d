"""What is said in passing: progress, notes and complaints, all on standard error."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

if TYPE_CHECKING:
    from onebox.learning.progress import EpochFigures


def aside() -> Console:
    """The console on standard error; made anew, since tests and callers may redirect it."""
    return Console(stderr=True, soft_wrap=True, highlight=False)


def complain(message: str) -> None:
    """Say what went wrong."""
    aside().print(f"[bold red]error:[/] {escape(message)}")


def note(sentence: str) -> None:
    """Say something in passing."""
    aside().print(f"[yellow]note:[/] {escape(sentence)}")


def show_table(title: str, rows: Mapping[str, str]) -> None:
    """Print names and values on standard output."""
    table = Table(title=title, title_justify="left", show_header=False, box=None)
    table.add_column()
    table.add_column(justify="left", overflow="fold")
    for name, value in rows.items():
        table.add_row(escape(name), escape(value))
    Console(file=sys.stdout, highlight=False).print(table)


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )


@contextmanager
def counting(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar for one loop: call what comes with those done and their total."""
    with _bar(aside()) as progress:
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

    def epoch(self, figures: "EpochFigures") -> None:
        """Print the epoch's line."""
        self._console.print(
            f"epoch {figures.epoch:>3}/{figures.epochs}  loss {figures.loss:.4f}  "
            f"val mean IoU {figures.val_mean_iou:.4f}  lr {figures.learning_rate:.2e}  "
            f"{figures.seconds:.0f} s"
        )

    def note(self, sentence: str) -> None:
        """Print a note."""
        self._console.print(f"[yellow]note:[/] {escape(sentence)}")
