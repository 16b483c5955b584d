"""Independent tasks on a Ray cluster, several at once; see `onebox.tasks`."""

import os
import platform
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from onebox.distributed.cluster import connected, require_ray
from onebox.distributed.cores import cores_of_each, cores_of_machines
from onebox.errors import OneboxError, SettingError, first_line
from onebox.progress import EpochMetrics, Listener, Silent

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST_RETRIES = 3
"""How often a task starts again after its worker process died."""

_START_S = 5.0  # of a worker process with its imports; not tuned
_POLL_S = 0.3  # between two looks at what the tasks report
_ADVANCE_S = 0.5  # between two reports of a task's advance
_SHARES = 10_000  # Ray counts GPUs in ten-thousandths

_Event = tuple[int, str, tuple[Any, ...]]  # index of the task, method of the listener, arguments


@dataclass(frozen=True, slots=True)
class ClusterTasks:
    """A runner of tasks on the connected cluster.

    Attributes:
        at_once: Number of tasks that run at the same time.
        cores: CPU cores of each.
        gpus: GPUs of each, or the share of one.
        start_s: Seconds that pass before a task begins.
    """

    at_once: int
    cores: int
    gpus: float = 0.0
    start_s: float = _START_S

    def map(
        self,
        function: Callable[[Item, Listener], Result],
        items: Iterable[Item],
        listeners: Sequence[Listener],
    ) -> Iterator[tuple[int, Result | OneboxError]]:
        """Call a function with each item and its listener, each call in a worker process.

        A task whose process dies starts again, `MOST_RETRIES` times. Tasks that still run when
        the iteration ends early, as by Ctrl-C, are stopped.

        Yields:
            The index of an item with its result or error, in the order in which the tasks end.
        """
        ray = require_ray()
        reports = ray.remote(_Reports).options(num_cpus=0).remote()
        start = self._starter(ray, function, reports)
        waiting = enumerate(items)
        running: dict[Any, int] = {}
        try:
            while _fill(running, waiting, start, self.at_once):
                ended, _ = ray.wait([*running], timeout=_POLL_S)
                _relay(ray, reports, listeners)
                for task in ended:
                    yield running.pop(task), _result(ray, task)
        finally:
            for task in running:
                ray.cancel(task, force=True)
            ray.kill(reports)

    def _starter(
        self,
        ray: Any,  # noqa: ANN401 - a module of an extra
        function: Callable[[Item, Listener], Result],
        reports: Any,  # noqa: ANN401 - a handle of an actor
    ) -> Callable[[int, Item], Any]:
        """A function that starts the task of an index and its item."""
        remote = ray.remote(_run).options(
            num_cpus=self.cores, num_gpus=self.gpus, max_retries=MOST_RETRIES
        )
        stored, folder = ray.put(function), Path.cwd()
        return lambda index, item: remote.remote(stored, item, _Sender(reports, index), folder)


@contextmanager
def cluster_tasks(on: str, workers: int | None, tasks: int) -> Iterator[ClusterTasks]:
    """Connect to the cluster that ``--on`` names, for some tasks.

    Args:
        on: The value of ``--on``.
        workers: Number of tasks at once; None takes as many as there are tasks, GPUs (if the
            cluster has any) and cores.
        tasks: Number of tasks.

    Raises:
        OneboxError: If Ray is not installed, or the cluster cannot be reached.
        SettingError: If the value is wrong, or there are more workers than cores.
    """
    with connected(on) as cluster:
        most = cluster.cpus if not cluster.gpus else min(cluster.cpus, cluster.gpus)
        at_once = min(tasks, max(1, most) if workers is None else workers)
        cores = cores_of_each(cores_of_machines(), at_once)
        if not cores:
            raise SettingError(
                f"--workers {workers}: the cluster has {cluster.cpus} CPU cores, and each worker "
                "needs one. Give fewer workers, or add machines."
            )
        share = min(1.0, cluster.gpus / at_once)
        yield ClusterTasks(at_once, cores, int(share * _SHARES) / _SHARES)


def _fill(
    running: dict[Any, int],
    waiting: Iterator[tuple[int, Item]],
    start: Callable[[int, Item], Any],
    at_once: int,
) -> bool:
    """Start the next tasks while there is room; False if none runs then."""
    while len(running) < at_once and (pair := next(waiting, None)) is not None:
        running[start(*pair)] = pair[0]
    return bool(running)


def _relay(ray: Any, reports: Any, listeners: Sequence[Listener]) -> None:  # noqa: ANN401
    # Progress is not worth a failed job: its actor dies with its machine.
    with suppress(ray.exceptions.RayError):
        events: list[_Event] = ray.get(reports.take.remote())
        for index, method, arguments in events:
            getattr(listeners[index], method)(*arguments)


def _result(ray: Any, task: Any) -> Any:  # noqa: ANN401
    try:
        return ray.get(task)
    except ray.exceptions.RayTaskError:
        raise  # of the function: a fault of the program
    except ray.exceptions.RayError as error:
        return OneboxError(
            f"the worker process ended {MOST_RETRIES + 1} times ({first_line(error)}). Look at the "
            "memory of its machine; fewer --workers need less."
        )


def _run(
    function: Callable[[Item, Listener], Result], item: Item, listener: Listener, folder: Path
) -> Result | OneboxError:
    """Call the function in the folder of the command, in a worker process."""
    try:
        os.chdir(folder)
    except OSError as error:
        return OneboxError(
            f"{folder}: cannot be entered on {platform.node()} ({error.strerror}). Work in a "
            "folder that all machines of the cluster share."
        )
    try:
        return function(item, listener)
    except OneboxError as error:
        return error


class _Reports:
    """An actor that keeps what tasks report until it is taken."""

    def __init__(self) -> None:
        self._events: list[_Event] = []

    def add(self, event: _Event) -> None:
        self._events.append(event)

    def take(self) -> list[_Event]:
        events, self._events = self._events, []
        return events


class _Sender(Silent):
    """The listener of a task in its worker process: it sends everything to the actor."""

    def __init__(self, reports: Any, index: int) -> None:  # noqa: ANN401
        self._reports, self._index = reports, index
        self._advanced_s = 0.0

    def stage(self, name: str) -> None:
        self._send("stage", name)

    def advance(self, done: int, total: int) -> None:
        now_s = time.monotonic()
        if done == total or now_s - self._advanced_s >= _ADVANCE_S:
            self._advanced_s = now_s
            self._send("advance", done, total)

    def epoch(self, metrics: EpochMetrics) -> None:
        self._send("epoch", metrics)

    def note(self, sentence: str) -> None:
        self._send("note", sentence)

    def _send(self, method: str, *arguments: Any) -> None:  # noqa: ANN401
        self._reports.add.remote((self._index, method, arguments))
