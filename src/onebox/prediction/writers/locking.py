"""A file that one process at a time may write.

The system keeps the lock and drops it with the process, so that none is left behind by one that
was killed.
"""

import os
import sys
from pathlib import Path
from typing import BinaryIO

from onebox.errors import OneboxError

_BINARY = getattr(os, "O_BINARY", 0)

if sys.platform == "win32":
    import msvcrt

    _FAR = 2**62  # the lock bars others from this byte, not from reading what was written

    def _lock(opened: BinaryIO) -> None:
        opened.seek(_FAR)
        msvcrt.locking(opened.fileno(), msvcrt.LK_NBLCK, 1)
        opened.seek(0)
else:
    import fcntl

    def _lock(opened: BinaryIO) -> None:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)


def open_locked(path: Path) -> BinaryIO:
    """Open a file to read and write, as the only process that does.

    Args:
        path: Made where it is missing; what it has stays.

    Raises:
        OneboxError: If another process has it.
        OSError: If it cannot be opened.
    """
    while True:
        opened = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | _BINARY, 0o666), "r+b")
        try:
            _lock(opened)
        except OSError as error:
            opened.close()
            raise OneboxError(
                f"{path}: another process is writing it. Wait for its end, or choose another place."
            ) from error
        # Between opening and locking, whoever had it may have given the file another name.
        if path.exists() and os.path.samestat(os.fstat(opened.fileno()), path.stat()):
            return opened
        opened.close()


def renamed(opened: BinaryIO, path: Path, target: Path) -> BinaryIO:
    """Give a file that `open_locked` opened another name, in place of what has it.

    Returns:
        The file, still locked and at the same place.

    Raises:
        OneboxError: If another process has taken it meanwhile.
        OSError: If it cannot be renamed.
    """
    if sys.platform != "win32":
        path.replace(target)
        return opened
    place = opened.tell()  # where an open file keeps its name
    opened.close()
    path.replace(target)
    again = open_locked(target)
    again.seek(place)
    return again
