"""A file that one process at a time may write.

The system holds the lock and drops it with the process, so a killed process leaves none behind.
"""

import os
import sys
from pathlib import Path
from typing import BinaryIO

from onebox.errors import OneboxError

_BINARY = getattr(os, "O_BINARY", 0)

if sys.platform == "win32":
    import msvcrt

    _FAR = 2**62  # locks a byte that no file has, so that others may read what was written

    def _lock(file: BinaryIO) -> None:
        file.seek(_FAR)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        file.seek(0)
else:
    import fcntl

    def _lock(file: BinaryIO) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def open_locked(path: Path) -> BinaryIO:
    """Open a file for reading and writing, as the only process that does; its content stays.

    Raises:
        OneboxError: If another process has it open.
        OSError: If it cannot be opened.
    """
    while True:
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | _BINARY, 0o666), "r+b")
        try:
            _lock(file)
        except OSError as error:
            file.close()
            raise OneboxError(
                f"{path}: another process is writing it. Wait until it ends, or name another file."
            ) from error
        # Between opening and locking, the process that had the file may have removed it.
        if path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat()):
            return file
        file.close()


def remove_locked(file: BinaryIO, path: Path) -> None:
    """Remove a file that `open_locked` opened, and close it.

    Raises:
        OSError: If it cannot be removed.
    """
    if sys.platform == "win32":  # an open file cannot be removed there
        file.close()
    path.unlink()  # before the lock goes: nobody else can have begun to write it
    file.close()
