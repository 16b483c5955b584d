"""What all workers agree on: sums, one value for all, objects of all.

Each function is called by every worker, in the same order, and costs nothing for a single worker.
The group is PyTorch's default one; whoever starts the workers makes it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, distributed

from onebox.learning.parallel.placement import Placement

Item = TypeVar("Item")

WAIT = timedelta(days=2)
"""How long a worker waits for the others, which may have more images to decode."""


@contextmanager
def joined(placement: Placement, store: Path) -> Iterator[None]:
    """Join the other workers of this machine, who meet in a file; leave them at the end."""
    distributed.init_process_group(
        backend(),
        init_method=store.absolute().as_uri(),
        rank=placement.rank,
        world_size=placement.workers,
        timeout=WAIT,
    )
    try:
        yield
    finally:
        distributed.destroy_process_group()


def backend() -> str:
    """The libraries that carry tensors from worker to worker."""
    return "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"


def is_grouped() -> bool:
    """Whether other workers train together with this process."""
    return (
        distributed.is_available()
        and distributed.is_initialized()
        and distributed.get_world_size() > 1
    )


def sum_over_workers(tensor: Tensor) -> Tensor:
    """The sum of a tensor over all workers; the tensor of this one is kept."""
    if not is_grouped():
        return tensor
    whole = tensor.detach().clone()
    distributed.all_reduce(whole)
    return whole


def count_over_workers(*counts: int) -> list[int]:
    """The sums of some counts over all workers."""
    return [int(each) for each in sum_over_workers(torch.tensor(counts)).tolist()]


def is_true_anywhere(*, is_true: bool) -> bool:
    """Whether it is true for at least one worker."""
    return count_over_workers(int(is_true))[0] > 0


def from_first(number: float) -> float:
    """The first worker's number."""
    if not is_grouped():
        return number
    shared = torch.tensor(number, dtype=torch.float64)
    distributed.broadcast(shared, 0)
    return float(shared)


def from_all(item: Item) -> list[Item]:
    """The items of all workers, by rank."""
    if not is_grouped():
        return [item]
    items: list[Item | None] = [None] * distributed.get_world_size()
    distributed.all_gather_object(items, item)
    return [each for each in items if each is not None]
