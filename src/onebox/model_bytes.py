"""The bytes of a model file: of a regular file, read once, before anything else opens it.

What checks a file and what opens it get the same bytes, so nobody can exchange the file between
the two.
"""

import os
import stat
from pathlib import Path

from onebox.errors import ModelError

MOST_BYTES = 2**31 - 1
"""Bytes of the largest model file: protobuf, in which ONNX is written, allows no more."""

_LONG = 200  # letters of a path that a message shows

# Opening a pipe without a writer would wait for one. Windows has no such flag, and no such pipes.
_AT_ONCE = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def read_model_bytes(file: Path, most: int = MOST_BYTES) -> bytes:
    """Read a model file.

    Raises:
        ModelError: If it is missing, is no regular file, cannot be read, or has more than ``most``
            bytes.
    """
    try:
        descriptor = os.open(file, os.O_RDONLY | _AT_ONCE)
        try:
            status = os.fstat(descriptor)
            _check(file, status, most)
            with os.fdopen(descriptor, "rb", closefd=False) as opened:
                # A file that grows meanwhile is cut here, and then refused as damaged.
                return opened.read(status.st_size)
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        raise ModelError(_refusal(file, error)) from error


def _check(file: Path, status: os.stat_result, most: int) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise ModelError(f"{file}: is a folder, not a model. Name the file in it.")
    if not stat.S_ISREG(status.st_mode):
        raise ModelError(f"{file}: is a device or a pipe, not a model. Name a file.")
    if status.st_size > most:
        raise ModelError(
            f"{file}: has {status.st_size} bytes, and at most {most} are read of such a file. "
            "Name one that onebox wrote."
        )


def _refusal(file: Path, error: OSError | ValueError) -> str:
    name = str(file)
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return f"{name}: does not exist. Correct the path."
    if isinstance(error, PermissionError):
        return f"{name}: cannot be read ({error.strerror}). Name a file that you may read."
    shown = repr(name)[1:-1]  # a NUL, which no name has, would hide the rest in a terminal
    shown = shown if len(shown) <= _LONG else f"{shown[:_LONG]}..."
    reason = getattr(error, "strerror", None) or error
    return f"{shown}: cannot be read ({reason}). Correct the path."
