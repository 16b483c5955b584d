"""The cores of a cluster's machines, and how workers share them."""

from collections.abc import Sequence

from onebox.distributed.cluster import require_ray


def cores_of_machines() -> list[int]:
    """The CPU cores of each machine of the connected cluster.

    Raises:
        OneboxError: If Ray is not installed.
    """
    nodes = require_ray().nodes()
    return [int(node["Resources"].get("CPU", 0)) for node in nodes if node["Alive"]]


def cores_of_each(machines: Sequence[int], workers: int) -> int:
    """The most cores that each of some workers can have, if none spans two machines.

    Args:
        machines: Cores of each machine.
        workers: Number of workers that run at the same time.

    Returns:
        0 if there is not one core for each.

    Examples:
        >>> cores_of_each([8, 8], 2), cores_of_each([5, 5], 3), cores_of_each([2], 3)
        (8, 2, 0)
    """
    counts = range(max(machines, default=0), 0, -1)
    return next((n for n in counts if sum(each // n for each in machines) >= workers), 0)
