"""The place of a process among the workers that train together, and the share of work it has.

Every worker has a rank, from 0. Worker ``r`` of ``n`` owns the rows ``r``, ``r + n``, ``r + 2 n``
and so on of each split: it alone reads and decodes them. A step's batch is divided equally, so that
the global batch is the recipe's, whatever the number of workers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Placement:
    """The place of a worker.

    Attributes:
        rank: Number of this worker, from 0; the first one writes files and reports progress.
        workers: Number of all workers.
        local_rank: Number of this worker on its machine, from 0.
        node_rank: Number of its machine, from 0.
        device: Name of its PyTorch device, such as ``cuda:1``; None to choose.
    """

    rank: int = 0
    workers: int = 1
    local_rank: int = 0
    node_rank: int = 0
    device: str | None = None

    def __post_init__(self) -> None:
        """Refuse a rank that no worker has.

        Raises:
            ValueError: If the rank is not below the number of workers.
        """
        if not 0 <= self.rank < self.workers:
            raise ValueError(f"rank must be from 0 to {self.workers - 1}, got {self.rank}.")

    @property
    def is_first(self) -> bool:
        """Whether this worker writes the files and reports the progress."""
        return self.rank == 0

    @property
    def is_alone(self) -> bool:
        """Whether there is no other worker."""
        return self.workers == 1

    def part(self, items: Sequence[Item]) -> Sequence[Item]:
        """The items that this worker owns.

        Examples:
            >>> Placement(1, 3).part("abcdefgh")
            'beh'
        """
        return items[self.rank :: self.workers]

    def share(self, batch_size: int) -> int:
        """Images of a step's batch that this worker takes.

        Raises:
            ValueError: If the batch cannot be divided equally.
        """
        share, rest = divmod(batch_size, self.workers)
        if rest or not share:
            raise ValueError(
                f"a batch of {batch_size} cannot be divided by {self.workers} workers."
            )
        return share


ALONE = Placement()
"""The place of the only worker."""
