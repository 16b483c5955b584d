"""Memory of the process while it trains."""

import ctypes
import platform

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h


def keep_freed_memory() -> None:
    """Let glibc keep the memory that a step frees for the next step.

    By default glibc returns large blocks to the kernel, which clears their pages for the next step:
    half the time of a step on a CPU (docs/performance.md). On other C libraries this does nothing.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(_M_MMAP_THRESHOLD, 2**30)
    libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
