"""Files written whole or not at all: beside their place, then renamed."""

import os
from pathlib import Path

from onebox.errors import OneboxError


def is_empty(path: Path) -> bool:
    """Whether a file has no byte; what cannot be asked for its size is not called empty."""
    try:
        return path.stat().st_size == 0
    except (OSError, ValueError):  # of a name that no file can have
        return False


def write_whole(path: Path, content: bytes) -> None:
    """Write a file beside its place, then rename; a device or a pipe is written to as it stands.

    Raises:
        OneboxError: If it cannot be written.
    """
    target = path.resolve()
    try:
        if target.exists() and not target.is_file():
            target.write_bytes(content)
        else:
            _write_beside(target, content)
    except OSError as error:
        raise OneboxError(
            f"{path}: cannot be written ({error.strerror}). Make room, or choose another place."
        ) from error


def _write_beside(target: Path, content: bytes) -> None:
    beside = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        beside.write_bytes(content)
        beside.replace(target)
    except OSError:
        if beside.is_file():
            beside.unlink()
        raise
