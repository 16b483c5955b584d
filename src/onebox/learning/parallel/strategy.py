"""How Lightning trains in one of several workers that were started by somebody else."""

from typing import Any

import torch
from lightning.fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning.pytorch.strategies import DDPStrategy

from onebox.learning.parallel.placement import Placement


class PlacedEnvironment(ClusterEnvironment):
    """Tells Lightning the place of this process; the workers have met already."""

    def __init__(self, placement: Placement) -> None:
        super().__init__()
        self._placement = placement

    @property
    def creates_processes_externally(self) -> bool:
        """Whether others start the processes: always."""
        return True

    @property
    def main_address(self) -> str:
        """The address of the first worker, which is not needed once the workers have met."""
        return ""

    @property
    def main_port(self) -> int:
        """The port of the first worker, which is not needed once the workers have met."""
        return 0

    @staticmethod
    def detect() -> bool:
        """Whether the system tells of such an environment: never."""
        return False

    def world_size(self) -> int:
        """The number of workers."""
        return self._placement.workers

    def set_world_size(self, size: int) -> None:
        """Keep the number of workers."""

    def global_rank(self) -> int:
        """The rank of this worker."""
        return self._placement.rank

    def set_global_rank(self, rank: int) -> None:
        """Keep the rank."""

    def local_rank(self) -> int:
        """The rank of this worker on its machine."""
        return self._placement.local_rank

    def node_rank(self) -> int:
        """The number of the machine."""
        return self._placement.node_rank


class PlacedStrategy(DDPStrategy):
    """Data-parallel training on the device of a placement.

    A step may leave parameters without a gradient: those of a frozen backbone, or of a head that no
    image of a worker's batch teaches. Buffers need no exchange, since batch normalization is over
    all workers.
    """

    def __init__(self, placement: Placement) -> None:
        super().__init__(
            cluster_environment=PlacedEnvironment(placement),
            find_unused_parameters=True,
            broadcast_buffers=False,
        )
        self._device = torch.device(placement.device or "cpu")

    @property
    def root_device(self) -> torch.device:
        """The device of this worker."""
        return self._device


def trainer_options(placement: Placement) -> dict[str, Any]:
    """Options of Lightning's trainer for a placement."""
    if placement.is_alone:
        return {"accelerator": "auto", "devices": 1}
    accelerator = torch.device(placement.device or "cpu").type
    return {"accelerator": accelerator, "devices": 1, "strategy": PlacedStrategy(placement)}
