"""Room on the disk, found out before the work and not after."""

import os
import shutil
from pathlib import Path

from onebox.errors import OneboxError

_RESERVE = 64 * 2**20  # bytes left free beside what a run writes


def check_space(folder: Path, needed: int, *, what: str, repair: str) -> None:
    """See that a folder can be written, and that so many bytes fit.

    Args:
        folder: Made where it is missing.
        needed: Bytes.
        what: What needs them, for the message.
        repair: What to do about it, besides freeing some.

    Raises:
        OneboxError: If the folder cannot be written or the disk is too full.
    """
    check_writable(folder)
    free = shutil.disk_usage(folder).free
    if free < needed + _RESERVE:
        raise OneboxError(
            f"{folder}: {what} need {(needed + _RESERVE) / 2**20:.0f} MiB and "
            f"{free / 2**20:.0f} MiB are free. Free some, or {repair}."
        )


def check_writable(folder: Path) -> None:
    """Make a folder and see that files can be made in it.

    Raises:
        OneboxError: If not; the message names the folder.
    """
    probe = folder / f".{os.getpid()}.probe"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"onebox")
        probe.unlink()
    except OSError as error:
        raise OneboxError(
            f"{folder}: cannot be written ({error.strerror}). Change its permissions, free the "
            "disk, or choose another folder."
        ) from error
