"""How many cores this process may keep busy: what the system allows, not what the machine has.

A container often sees every core of its host and may use a few of them: by affinity, or by a quota
of processor time (Linux control groups). A program that starts a thread for each core it sees
then waits for itself.

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
_CONTROLLER = "cpu"


def allowed() -> int:
    """Threads that can run at once in this process: by affinity and quota, at least 1."""
    quota = cpu_quota()
    cores = _cores()
    return cores if quota is None else max(1, min(cores, math.ceil(quota)))


def checked(threads: int | None) -> int:
    """The number of threads that a caller asks for; all that are `allowed` for None.

    Raises:
        ValueError: If it is less than 1.
    """
    if threads is not None and threads < 1:
        raise ValueError(f"threads must be at least 1, got {threads}.")
    return allowed() if threads is None else threads


def cpu_quota(membership: Path = _MEMBERSHIP, groups: Path = _GROUPS) -> float | None:
    """Cores' worth of time that the control groups of this process grant it.

    Args:
        membership: The file that names the groups: lines of ``ID:controllers:/path``.
        groups: Where the groups are mounted.

    Returns:
        The least quota of its groups and of those above them, in cores; None without any.
    """
    try:
        lines = membership.read_text("utf-8").splitlines()
    except OSError:  # another system than Linux
        return None
    return min(_quotas(lines, groups), default=None)


def _cores() -> int:
    # From Python 3.13 on; it knows PYTHON_CPU_COUNT too.
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
            yield from _along(groups, path, _second_version)
        elif _CONTROLLER in controllers.split(","):
            for mount in {groups / controllers, groups / _CONTROLLER}:
                yield from _along(mount, path, _first_version)


def _along(mount: Path, path: str, read: Callable[[Path], float | None]) -> Iterator[float]:
    """The quotas of a group and of all above it."""
    # A container may be told its path on the host, which it cannot see: the mount is its own then.
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


def _second_version(folder: Path) -> float | None:
    quota, period = (folder / "cpu.max").read_text("utf-8").split()
    return None if quota == "max" else int(quota) / int(period)


def _first_version(folder: Path) -> float | None:
    quota = int((folder / "cpu.cfs_quota_us").read_text("utf-8"))
    period = int((folder / "cpu.cfs_period_us").read_text("utf-8"))
    return quota / period if quota > 0 else None
