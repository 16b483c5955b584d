"""How many threads this process can run at once: what the system allows, not what the machine has.

A container often sees all cores of its host but may use only a few: limited by CPU affinity, or by
a CPU quota (Linux control groups). With a thread for each visible core, the threads would then wait
for each other.

References:
    Linux kernel documentation, "Control Group v2" (``cpu.max``) and "CFS Bandwidth Control"
    (``cpu.cfs_quota_us``, ``cpu.cfs_period_us``).
"""

import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path

_MEMBERSHIP = Path("/proc/self/cgroup")
_GROUPS = Path("/sys/fs/cgroup")


def available_threads() -> int:
    """Number of threads that affinity and quota let run at once, at least 1."""
    quota = cpu_quota()
    cores = _count_cores()
    return cores if quota is None else max(1, min(cores, math.ceil(quota)))


def resolve_threads(threads: int | None) -> int:
    """Return the number of threads that a caller asks for, or `available_threads` for None.

    Raises:
        ValueError: If it is less than 1.
    """
    if threads is not None and threads < 1:
        raise ValueError(f"threads must be at least 1, got {threads}.")
    return available_threads() if threads is None else threads


def cpu_quota(membership: Path = _MEMBERSHIP, groups: Path = _GROUPS) -> float | None:
    """The CPU quota of this process's control groups, in cores.

    Args:
        membership: The file that lists the groups, as lines of ``ID:controllers:/path``.
        groups: The folder where the groups are mounted.

    Returns:
        The smallest quota of these groups and their ancestors; None if none has a quota.
    """
    try:
        lines = membership.read_text("utf-8").splitlines()
    except OSError:  # not Linux
        return None
    return min(_quotas(lines, groups), default=None)


def _count_cores() -> int:
    # Since Python 3.13; it also respects PYTHON_CPU_COUNT.
    count: Callable[[], int | None] | None = getattr(os, "process_cpu_count", None)
    if count is not None:
        return count() or 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _quotas(lines: list[str], groups: Path) -> Iterator[float]:
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            yield from _quotas_upwards(groups, path, _read_version_2)
        elif "cpu" in controllers.split(","):
            for mount in {groups / controllers, groups / "cpu"}:
                yield from _quotas_upwards(mount, path, _read_version_1)


def _quotas_upwards(
    mount: Path, path: str, read: Callable[[Path], float | None]
) -> Iterator[float]:
    """The quotas of a group and its ancestors."""
    # In a container the path may be the host's and not exist here; then the mount is its own group.
    group = mount / path.lstrip("/")
    for folder in (group, *group.parents):
        try:
            quota = read(folder)
        except (OSError, ValueError):
            quota = None
        if quota is not None:
            yield quota
        if folder == mount:
            return


def _read_version_2(folder: Path) -> float | None:
    quota, period = (folder / "cpu.max").read_text("utf-8").split()
    return None if quota == "max" else int(quota) / int(period)


def _read_version_1(folder: Path) -> float | None:
    quota = int((folder / "cpu.cfs_quota_us").read_text("utf-8"))
    period = int((folder / "cpu.cfs_period_us").read_text("utf-8"))
    return quota / period if quota > 0 else None
