"""The journal of a session: one JSON line for each change, on the disk before it is acknowledged.

A crash can leave a torn last line, which nobody was told of, so it is cut off. Any other damage is
an error: what follows it may depend on it. The lock on the file keeps a second process away and
goes with the process, however that ends.
"""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from onebox.errors import DataError, OneboxError
from onebox.files import check_writable
from onebox.prediction.writers.locking import open_locked

Record = dict[str, Any]
_KIND, _VERSION = "onebox label", 1


class Journal:
    """An append-only file of records; a context that closes and unlocks it.

    Attributes:
        path: The file.
        seed: The seed of the session, which its first line keeps.
        count: Number of records, without the first line.
    """

    def __init__(self, path: Path, *, seed: int) -> None:
        """Open or begin a journal, as the only process that does.

        Raises:
            OneboxError: If another process has it open, or it cannot be written.
            DataError: If the first line is not that of a journal.
        """
        self.path, self.seed, self.count = path, seed, 0
        self._is_broken = False
        check_writable(path.parent)
        self._file = _open(path)
        try:
            with _errors_named(path):
                self._length = _whole_length(self._file.read())
                self._file.truncate(self._length)
                self._begin()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *error: object) -> None:
        """Close and unlock the file."""
        self.close()

    def records(self) -> Iterator[Record]:
        """The records so far, in order; read this before the first `append`.

        Raises:
            DataError: If a line is damaged; the message names it.
            OneboxError: If the file cannot be read.
        """
        with _errors_named(self.path):
            self._file.seek(0)
            self._file.readline()
            for number, line in enumerate(self._file, start=2):
                self.count += 1
                yield self._parse(line, number)

    def append(self, record: Record, *, sync: bool = True) -> int:
        """Write a record, and flush it to the disk.

        Args:
            record: A JSON object.
            sync: False for a record that a power failure may take away.

        Returns:
            The number of the record, from 1.

        Raises:
            OneboxError: If the disk refuses; the journal is then as it was.
        """
        line = f"{json.dumps(record, ensure_ascii=True, allow_nan=False)}\n".encode()
        try:
            self._write(line, sync=sync)
        except OSError as error:
            self._cut()
            raise OneboxError(
                f"{self.path}: cannot be written ({error.strerror or error}), so the change was "
                "not kept. Free space on the disk."
            ) from error
        self._length += len(line)
        self.count += 1
        return self.count

    def close(self) -> None:
        """Close and unlock the file."""
        self._file.close()

    def _begin(self) -> None:
        self._file.seek(0)
        first = self._file.readline()
        if not first:
            for folder in (self.path.parent, self.path.parent.parent):
                _flush_folder(folder)
            self.append({"journal": _KIND, "version": _VERSION, "seed": self.seed})
            self.count = 0
            return
        header = self._parse(first, 1)
        if header.get("journal") != _KIND or header.get("version") != _VERSION:
            raise DataError(
                f"{self.path}:1: is not the journal of a labelling session of this version of "
                "onebox. Move it away, or name another label file."
            )
        if not isinstance(seed := header.get("seed"), int):
            raise DataError(
                f"{self.path}:1: the line has no seed. Move the journal away, or name another "
                "label file."
            )
        self.seed = seed

    def _parse(self, line: bytes, number: int) -> Record:
        try:
            record = json.loads(line)
        except ValueError:
            record = None
        if isinstance(record, dict):
            return record
        raise DataError(
            f"{self.path}:{number}: the line is damaged, so that the labels after it are not "
            "certain. Correct or remove the line; the label file still has what was saved to it."
        )

    def _write(self, line: bytes, *, sync: bool) -> None:
        if self._is_broken:
            raise OSError("an earlier failure could not be undone")
        # Not through the buffer of the file: it would repeat a failed write later.
        descriptor = self._file.fileno()
        os.lseek(descriptor, self._length, os.SEEK_SET)
        written = 0
        while written < len(line):
            written += os.write(descriptor, line[written:])
        if sync:
            os.fsync(descriptor)

    def _cut(self) -> None:
        """Remove what a failed write left, or else the next line would be damaged."""
        try:
            os.ftruncate(self._file.fileno(), self._length)
        except OSError:
            self._is_broken = True


@contextmanager
def _errors_named(path: Path) -> Iterator[None]:
    """Name the file in errors of the system.

    Raises:
        OneboxError: In place of such an error.
    """
    try:
        yield
    except OSError as error:
        raise OneboxError(
            f"{path}: cannot be read or written ({error.strerror or error}). Check the disk, and "
            "start again."
        ) from error


def _open(path: Path) -> BinaryIO:
    try:
        return open_locked(path)
    except OneboxError as error:
        raise OneboxError(
            f"{path.parent}: another onebox label has this session open. Use its page, end it, or "
            "name another label file."
        ) from error
    except OSError as error:
        raise OneboxError(
            f"{path}: cannot be opened ({error.strerror or error}). Change its permissions, or "
            "name another label file."
        ) from error


def _flush_folder(folder: Path) -> None:
    """Have the name of a new file on the disk, too, where a system keeps it apart."""
    if sys.platform == "win32":  # a folder cannot be opened there
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _whole_length(content: bytes) -> int:
    """Number of bytes up to the end of the last whole line."""
    return content.rfind(b"\n") + 1
