"""Memory of a server after it decoded large images."""

import ctypes
import platform

_M_MMAP_THRESHOLD = -3  # of glibc's malloc.h
_LARGE_BLOCK = 8 * 2**20  # below the 16 MiB in which Pillow holds pixels; not tuned otherwise


def return_large_blocks() -> None:
    """Let glibc return large blocks to the system as soon as they are freed.

    By default glibc learns from the first large image to keep blocks of its size, in each thread:
    two threads that decoded 49 megapixels each kept 220 MB. On other C
    libraries this does nothing.
    """
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE_BLOCK)
