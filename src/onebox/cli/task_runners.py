"""What runs the independent tasks of a command: this process, or a Ray cluster."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from onebox.tasks import IN_ORDER, TaskRunner


def task_runner(
    on: str | None, workers: int | None, tasks: int
) -> AbstractContextManager[TaskRunner]:
    """What runs some tasks: this process, or the cluster that ``--on`` names."""
    if on is None:
        return _in_order()
    from onebox.distributed.tasks import cluster_tasks

    return cluster_tasks(on, workers, tasks)


@contextmanager
def _in_order() -> Iterator[TaskRunner]:
    yield IN_ORDER
