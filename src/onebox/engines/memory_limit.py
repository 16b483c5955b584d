"""A bound on the memory that networks compute in: half of what this process may use.

A graph can ask for any memory while it runs, whatever its file holds. ONNX Runtime then refuses in
words, before the system ends the process.
"""

import contextlib
import functools
import os
from pathlib import Path

import onnxruntime

_SHARE = 0.5
"""Of the memory of this process, that all networks together may have; not tuned."""

_SHARED = "session.use_env_allocators"
# What a container may use, in versions 2 and 1 of Linux control groups.
_LIMITS = ("memory.max", "memory/memory.limit_in_bytes")


def bound_memory(options: onnxruntime.SessionOptions) -> None:
    """Let a session compute on the CPU in the memory that all sessions of this process share."""
    if _register():
        options.add_session_config_entry(_SHARED, "1")


def usable_memory(groups: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Bytes that the machine has, or the container may use; None if the system does not say."""
    known = []
    with contextlib.suppress(AttributeError, OSError, ValueError):  # Windows has no sysconf
        known.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for name in _LIMITS:
        with contextlib.suppress(OSError, ValueError):  # ValueError: "max", which is no limit
            known.append(int((groups / name).read_text("ascii")))
    return min((each for each in known if each > 0), default=None)


@functools.cache
def _register() -> bool:
    """Make the shared memory, once in a process; whether it could be made."""
    memory = usable_memory()
    if memory is None:
        return False
    place = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    limit = onnxruntime.OrtArenaCfg({"max_mem": int(memory * _SHARE)})
    onnxruntime.create_and_register_allocator(place, limit)
    return True
