"""Files and folders that appear whole or not at all: written under another name, then renamed."""

import hashlib
import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from onebox.errors import OneboxError

_UNFINISHED = re.compile(r"[.](?P<place>[0-9a-f]{8})-(?P<process>[0-9]+)[.]part$")
LONGEST_NAME = 255
"""Bytes of a name at most, on the file systems in use."""

_PROCESSES = Path("/proc/self/ns/pid")  # Linux: a name of the processes that can be asked for


def is_empty(path: Path) -> bool:
    """Whether a file has 0 bytes; False if its size cannot be read."""
    try:
        return path.stat().st_size == 0
    except (OSError, ValueError):  # ValueError: a name that no file can have
        return False


def is_file(path: Path) -> bool:
    """Whether a path names a file; False if the system cannot look at it, as at too long a name."""
    try:
        return path.is_file()
    except OSError:
        return False


def leads_nowhere(entry: os.DirEntry[str]) -> bool:
    """Whether an entry of a folder is a link to what does not exist, or to itself."""
    return entry.is_symlink() and not Path(entry.path).exists()


def real_path(path: Path) -> Path:
    """The absolute path with links followed; a link that leads to itself stays.

    `Path.resolve` raises for such a link before Python 3.13.
    """
    return Path(os.path.realpath(path))


def shorten_name(name: str, most: int) -> str:
    """The beginning of a name, of so many bytes; a name of usual length stays as it is.

    Examples:
        >>> shorten_name("cat", 3), shorten_name("cafés", 4), shorten_name("cafés", 5)
        ('cat', 'caf', 'café')
    """
    encoded = os.fsencode(name)
    return name if len(encoded) <= most else encoded[:most].decode("utf-8", "ignore")


def names_in(folder: Path) -> list[str]:
    """Names of the files and folders in a folder, sorted; none if it is not a folder."""
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file as a whole; a device or a pipe is written to directly.

    Raises:
        OneboxError: If it cannot be written.
    """
    with _write_errors_named(path):
        if path.exists() and not path.is_file():
            path.write_bytes(content)
            return
    with replacing(path) as temporary:
        temporary.write_bytes(content)


@contextmanager
def replacing(path: Path, *, sync: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside ``path``, and rename it to ``path`` if the body succeeds.

    The body writes a file or a folder there. If it fails, what it wrote is removed and an earlier
    file stays as it was. A symbolic link is followed, not replaced.

    Args:
        path: A file that may exist, or a folder that does not.
        sync: Whether a file is flushed to the disk before it is renamed, so that it survives a
            power failure. Pass False for a large file that can be made again.

    Raises:
        OneboxError: If the system refuses to write; the message names ``path`` and the reason.
    """
    with temporary_beside(path) as temporary:
        yield temporary
        if sync and temporary.is_file():
            flush_to_disk(temporary)
        temporary.replace(real_path(path))


@contextmanager
def temporary_beside(path: Path) -> Iterator[Path]:
    """Yield a path for a file or a folder beside ``path``, and remove what is there at the end.

    Raises:
        OneboxError: If the system refuses to write; the message names ``path`` and the reason.
    """
    with _write_errors_named(path), _temporary(path) as temporary:
        yield temporary


def check_writable(folder: Path) -> None:
    """Make a folder and check that files can be written in it.

    Unfinished files that killed processes of this machine left in it are removed.

    Raises:
        OneboxError: If not; the message names the folder and the reason.
    """
    with _write_errors_named(folder):
        folder.mkdir(parents=True, exist_ok=True)
        remove_abandoned(folder)
        with _temporary(folder / "probe") as probe:
            probe.write_bytes(b"onebox")


def remove_abandoned(folder: Path) -> None:
    """Remove the unfinished files that killed processes of this machine left in a folder."""
    with suppress(OSError):  # they are only in the way
        for path in folder.glob(".*.part"):
            found = _UNFINISHED.search(path.name)
            if found and found["place"] == _place() and not _is_running(int(found["process"])):
                _remove(path)


@contextmanager
def _temporary(path: Path) -> Iterator[Path]:
    target = real_path(path)
    suffix = f".{_place()}-{os.getpid()}.part"
    beginning = shorten_name(f".{target.name}", LONGEST_NAME - len(suffix))
    temporary = target.with_name(f"{beginning}{suffix}")
    _remove(temporary)  # left by a killed process that had the same id
    try:
        yield temporary
    finally:
        with suppress(OSError):  # an error of the body says more
            _remove(temporary)


@contextmanager
def _write_errors_named(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OneboxError(
            f"{path}: cannot be written ({error.strerror or error}). Free space on the disk, "
            "change the permissions, or choose another folder."
        ) from error


@cache
def _place() -> str:
    """A word for this machine or container: processes of others that share a folder may run."""
    processes = str(_PROCESSES.readlink()) if _PROCESSES.is_symlink() else ""
    return hashlib.blake2b(f"{platform.node()} {processes}".encode(), digest_size=4).hexdigest()


def _is_running(process: int) -> bool:
    if sys.platform == "win32":  # there, to ask would end it
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is another user's, or this system does not say
        return True
    return True


def flush_to_disk(file: Path) -> None:
    """Wait until a file is on the disk, where a power failure leaves it alone."""
    with file.open("rb+") as opened:  # Windows flushes only what is open for writing
        os.fsync(opened.fileno())


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
