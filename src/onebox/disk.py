"""Free space on the disk, checked before the work begins."""

import shutil
from pathlib import Path

from onebox.errors import OneboxError
from onebox.files import check_writable

_RESERVE = 64 * 2**20  # bytes that stay free for small files of a run and other programs; not tuned


def check_space(folder: Path, needed: int, *, what: str, repair: str) -> None:
    """Check that a folder can be written and that its disk has enough free space.

    Args:
        folder: Made if it is missing.
        needed: Bytes that will be written.
        what: What needs them, a plural noun for the message.
        repair: What to do besides freeing space, for the message.

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
