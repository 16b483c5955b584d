"""Independent tasks: what runs them, and what their listeners hear.

`InOrder` runs one after the other in this process; `onebox.distributed` runs several at once on a
cluster. A job takes either as a `TaskRunner`, and need not know which.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol, TypeVar, runtime_checkable

from onebox.errors import OneboxError
from onebox.progress import EpochMetrics, Listener, Silent

Item = TypeVar("Item")
Result = TypeVar("Result")


@runtime_checkable
class TaskRunner(Protocol):
    """An object that runs independent tasks.

    Attributes:
        at_once: Number of tasks that run at the same time.
        start_s: Seconds that pass before a task begins: the start of its process.
    """

    @property
    def at_once(self) -> int:
        """See the class."""

    @property
    def start_s(self) -> float:
        """See the class."""

    def map(
        self,
        function: Callable[[Item, Listener], Result],
        items: Iterable[Item],
        listeners: Sequence[Listener],
    ) -> Iterator[tuple[int, Result | OneboxError]]:
        """Call a function with each item and its listener.

        Args:
            function: May run in another process, also twice if its process dies.
            items: Drawn when there is room for the next task, not before.
            listeners: One for each item.

        Yields:
            The index of an item with its result, or with the error that a user can repair, in the
            order in which the tasks end.
        """


class InOrder:
    """A runner of one task after the other, in this process."""

    at_once = 1
    start_s = 0.0

    def map(
        self,
        function: Callable[[Item, Listener], Result],
        items: Iterable[Item],
        listeners: Sequence[Listener],
    ) -> Iterator[tuple[int, Result | OneboxError]]:
        """Call a function with each item and its listener, as `TaskRunner.map`.

        Yields:
            The index of each item with its result or error.
        """
        for index, item in enumerate(items):
            yield index, _call(function, item, listeners[index])


IN_ORDER = InOrder()


def _call(
    function: Callable[[Item, Listener], Result], item: Item, listener: Listener
) -> Result | OneboxError:
    try:
        return function(item, listener)
    except OneboxError as error:
        return error


def rounds_left(tasks: int, at_once: int) -> int:
    """How many tasks follow each other if so many are left and some run at once."""
    return -(-tasks // at_once)


def listeners_of(listener: Listener, names: Iterable[str], runner: TaskRunner) -> list[Listener]:
    """A listener for each task that tells another one, with the name of the task before it.

    Of tasks that run at once it tells no advance, which would mix, and each epoch as a stage.
    """
    named = [_Named(listener, name) for name in names]
    return [*named] if runner.at_once == 1 else [_Abridged(one) for one in named]


class _Named(Silent):
    """Tells everything on, with a name before stages and notes."""

    def __init__(self, listener: Listener, name: str) -> None:
        self._listener, self._name = listener, name

    def stage(self, name: str) -> None:
        self._listener.stage(f"{self._name}: {name}")

    def advance(self, done: int, total: int) -> None:
        self._listener.advance(done, total)

    def epoch(self, metrics: EpochMetrics) -> None:
        self._listener.epoch(metrics)

    def note(self, sentence: str) -> None:
        self._listener.note(f"{self._name}: {sentence}")


class _Abridged(Silent):
    """Tells stages and notes on, and epochs as stages."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener

    def stage(self, name: str) -> None:
        self._listener.stage(name)

    def epoch(self, metrics: EpochMetrics) -> None:
        self._listener.stage(
            f"epoch {metrics.epoch} of {metrics.epochs}, val mean IoU {metrics.val_mean_iou:.4f}"
        )

    def note(self, sentence: str) -> None:
        self._listener.note(sentence)
