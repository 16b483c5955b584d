"""Files that other programs may edit at any time: read whole, and replaced only as they were read.

A file is known by its dates, its size and a hash of its content. Dates tell that a file changed
without reading it. They miss an edit that follows another one within their resolution, so a file
that changed recently is hashed again.
"""

import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from onebox import files
from onebox.errors import DataError, OneboxError
from onebox.formats.edits import Replacement, read_or_none

QUIET_S = 0.3
"""Seconds without a change after which a file is taken to be complete. Not tuned."""

TRIES = 5
"""How often a file that changes meanwhile is read or written. Not tuned."""

# The coarsest dates in use are those of FAT: 2 seconds.
_RESOLUTION_NS = 2_000_000_000

Content = TypeVar("Content")


class ChangedMeanwhileError(Exception):
    """A file is not as it was when its new content was made."""


@dataclass(frozen=True, slots=True)
class FileState:
    """One file at one time.

    Attributes:
        stamp: Dates, size and number of the file.
        digest: Hash of its content.
        looked_ns: The time.
    """

    stamp: tuple[int, ...]
    digest: bytes
    looked_ns: int

    @property
    def age_ns(self) -> int:
        """Nanoseconds since the last change; negative if the clock of the disk is ahead."""
        return self.looked_ns - max(self.stamp[:2])


States = Mapping[Path, FileState]


class WatchedFiles:
    """The files of one set of labels: one file, or those of a folder."""

    def __init__(self, path: Path, list_files: Callable[[Path], Iterable[Path]]) -> None:
        """Watch what ``list_files`` finds at ``path``; nothing is read yet."""
        self._path = path
        self._list_files = list_files
        self._is_first = True
        self._existed = False
        self._states: dict[Path, FileState] = {}

    def have_changed(self) -> bool:
        """Whether the files differ from when they were last read or replaced.

        Raises:
            DataError: If they cannot be read, or are gone.
        """
        states = self._look()
        is_changed = _differ(self._states, states)
        if not is_changed:
            self._states = states
        return is_changed

    def read(self, parse: Callable[[Path], Content]) -> Content:
        """Read the files, all of them at one state.

        Args:
            parse: Reads them; it is called again if they change meanwhile.

        Raises:
            DataError: If they cannot be read, or change all the time.
        """
        for _ in range(TRIES):
            states = self._wait_until_quiet()
            content = self._refusing_unreadable(lambda: parse(self._path))
            if not _differ(states, self._look()):
                self._states = states
                self._existed = self._path.exists()
                self._is_first = False
                return content
        raise DataError(self._busy())

    def replace(self, replacement: Replacement) -> None:
        """Write new content in place of the old: whole, and only if the old is what was last read.

        Raises:
            ChangedMeanwhileError: If another program changed the file.
            OneboxError: If the system refuses to write.
        """
        known = self._states.get(replacement.path)
        old = None if replacement.old is None else _digest_of(replacement.old)
        if old != (known and known.digest):
            raise ChangedMeanwhileError
        _replace(replacement)
        self._states.pop(replacement.path, None)
        self._states |= _read_states([replacement.path], {})
        self._existed = True

    def _look(self) -> dict[Path, FileState]:
        if self._existed and not self._path.exists():
            raise DataError(
                f"{self._path}: is gone; it was deleted or moved while it was open. Put it back, "
                "or end the session and start it again to write a new one."
            )
        return self._refusing_unreadable(
            lambda: _read_states(self._list_files(self._path), self._states)
        )

    def _wait_until_quiet(self) -> dict[Path, FileState]:
        # A program that writes a file in place leaves it incomplete for a moment.
        states = self._look()
        for _ in range(TRIES):
            changed = [state for path, state in states.items() if state != self._states.get(path)]
            if self._is_first or all(state.age_ns > QUIET_S * 1e9 for state in changed):
                return states
            time.sleep(QUIET_S)
            states, earlier = self._look(), states
            if not _differ(earlier, states):
                return states
        raise DataError(self._busy())

    def _refusing_unreadable(self, read: Callable[[], Content]) -> Content:
        try:
            return read()
        except OSError as error:
            raise DataError(
                f"{error.filename or self._path}: cannot be read ({error.strerror}). Check its "
                "permissions."
            ) from error

    def _busy(self) -> str:
        return f"{self._path}: another program writes it all the time. Wait, or stop that program."


def _read_states(paths: Iterable[Path], known: States) -> dict[Path, FileState]:
    """The state of each file that exists; what is known for certain is not read again."""
    states = {}
    for path in paths:
        state = _read_state(path, known.get(path))
        if state is not None:
            states[path] = state
    return states


def _read_state(path: Path, known: FileState | None) -> FileState | None:
    looked_ns = time.time_ns()
    try:
        stat = path.stat()
        stamp = (stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size, stat.st_ino)
        if known is not None and known.stamp == stamp and known.age_ns > _RESOLUTION_NS:
            return known
        return FileState(stamp, _digest_of(path.read_bytes()), looked_ns)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _differ(old: States, new: States) -> bool:
    return old.keys() != new.keys() or any(old[path].digest != new[path].digest for path in new)


def _digest_of(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=16).digest()


def _replace(replacement: Replacement) -> None:
    path, new = replacement.path, replacement.new
    if new is None:
        _check_unchanged(replacement)
        _remove(path)
        return
    _check_permission(path)
    # The flush comes before the last look at the file, for it takes long.
    with files.replacing(path, sync=False) as temporary:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as file:
            file.write(new)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            shutil.copymode(path, temporary)
        _check_unchanged(replacement)


def _check_unchanged(replacement: Replacement) -> None:
    if read_or_none(replacement.path) != replacement.old:
        raise ChangedMeanwhileError


def _check_permission(path: Path) -> None:
    # To rename needs no permission for the file, but its owner may have protected it.
    if path.exists() and not os.access(path, os.W_OK):
        raise OneboxError(f"{path}: is read-only. Change its permissions, or name another file.")


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise OneboxError(
            f"{path}: cannot be removed ({error.strerror}). Change the permissions of its folder."
        ) from error
