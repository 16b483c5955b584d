"""The journal of a results file: JSON lines while predictions are made, then the finished file.

The journal lies beside the file, as ``FILE.part.jsonl``. Its first line says which results it
holds; each further line is a `Record`, written as soon as it is made. The lock on the journal keeps
other processes away and goes with the process, however that ends. Continuing cuts off a torn last
line. The finished file is left alone until its successor is complete: a journal that
continues it holds the new records only, and both are merged at the end.
"""

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path

from onebox.errors import OneboxError, SettingError, first_line
from onebox.files import is_empty, real_path, replacing
from onebox.prediction.writers.certainty import other_promise
from onebox.prediction.writers.json_lines import read_records
from onebox.prediction.writers.kinds import ContinueError, Kind, Record
from onebox.prediction.writers.locking import open_locked, remove_locked
from onebox.prediction.writers.records import Layout, Row

BEGINNING = b'{"results": '
"""The first bytes of every journal."""

_CONTINUES = "continues"


def journal_path(file: Path) -> Path:
    """Where the journal of a results file lies."""
    return file.with_name(f"{file.name}.part.jsonl")


class Journal:
    """Writes one results file of ``kept`` predictions; a context that closes and unlocks it."""

    def __init__(self, kind: Kind, file: Path, layout: Layout, *, resume: bool = False) -> None:
        """Open the journal of a file; a device or a pipe is written to at the end.

        ``resume`` continues the journal, or else the finished file. Without it, both are replaced:
        the journal now, the finished file at the end.

        Raises:
            OneboxError: If the journal cannot be written, or another process is writing it.
            SettingError: If the file to continue has another kind or layout.
        """
        self.kept = 0
        self._kind, self._layout = kind, layout
        self._columns = list(kind.columns(layout))
        # What lines of others raise when they are written: only the image is looked at before.
        odd = (ValueError, TypeError, LookupError, OverflowError)
        self._odd_lines: tuple[type[Exception], ...] = odd if resume else ()
        self._is_device = file.exists() and not file.is_file()
        if self._is_device and resume:
            raise SettingError(f"{file}: holds nothing to continue. Leave --continue out.")
        self._file = real_path(file) if file.is_symlink() and not self._is_device else file
        # Hashes only, to save memory: among a million names, two share one of 64 bits once in tens
        # of millions of runs.
        self._known: set[int] = set()
        self._unreadable: set[str] = set()
        self._scratch = (
            tempfile.TemporaryDirectory(ignore_cleanup_errors=True) if self._is_device else None
        )
        place = Path(self._scratch.name, "results") if self._scratch else self._file
        self.path = journal_path(place)
        try:
            self._open(resume=resume)
        except OSError as error:
            raise self._not_writable(error) from error

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *error: object) -> None:
        """Close and unlock the journal; an unfinished one stays on disk."""
        with suppress(OSError):  # closing repeats a write that failed and was reported
            self._opened.close()
        if self._scratch is not None:
            self._scratch.cleanup()

    def has(self, image: str, frame: int | None = None) -> bool:
        """Whether there is a prediction for the image."""
        return self._key({"image": image, "frame": frame}) in self._known

    def write(self, row: Row) -> None:
        """Append a prediction; a process that is killed after this has not lost it.

        Raises:
            OneboxError: If it cannot be written.
            SettingError: If it is a frame, and the file has no columns for frames.
        """
        if self._columns and row.frame is not None and not self._layout.has_frames:
            raise SettingError(
                f"{row.image}: is a video, and {self._file} has no columns for frames, since it "
                "began with images. Name the videos of a list first, or write --jsonl."
            )
        self._append(self._kind.record(row, self._layout))
        self.kept += 1

    def write_unreadable(self, image: str) -> None:
        """Keep the number of an image that cannot be read, if the file numbers images.

        Raises:
            OneboxError: If it cannot be written.
        """
        if self._kind.numbers_images and image not in self._unreadable:
            self._unreadable.add(image)
            self._append({"image": image, "is_readable": False})

    def finish(self) -> None:
        """Put the complete file in its place, and remove the journal.

        Raises:
            OneboxError: If it cannot be written.
            ContinueError: If what is continued has a line that is no row of such a file.
        """
        try:
            if self._is_device:
                complete = self.path.with_name("complete")
                self._kind.write(self._records(), self._layout, complete)
                with complete.open("rb") as source, self._file.open("wb") as device:
                    shutil.copyfileobj(source, device)
            else:
                with replacing(self._file) as complete:
                    self._kind.write(self._records(), self._layout, complete)
            remove_locked(self._opened, self.path)
        except OSError as error:
            raise self._not_writable(error) from error
        except self._odd_lines as error:
            reason = f"has a line that is no row of {self._file.name} ({first_line(error)})"
            raise ContinueError(self.path, reason) from error

    def _open(self, *, resume: bool) -> None:
        self._opened = open_locked(self.path)
        try:
            self._begin(resume=resume)
        except BaseException:
            if is_empty(self.path):
                remove_locked(self._opened, self.path)
            self._opened.close()
            raise

    def _begin(self, *, resume: bool) -> None:
        """Cut off a torn line, learn which images there are, and see that there is a header.

        Raises:
            ContinueError: If a prediction was made with another coverage or risk.
        """
        length = sum(len(line) for line in self._opened if line.endswith(b"\n")) if resume else 0
        is_new = length == 0
        self._continues = resume and self._file.is_file() if is_new else self._check_header()
        self._opened.truncate(length)
        for record in self._records():
            if _is_readable(record):
                if reason := other_promise(record, self._layout.certainty):
                    raise ContinueError(self._file, reason)
                self.kept += 1
                self._known.add(self._key(record))
            else:
                self._unreadable.add(record["image"])
        self._opened.seek(length)
        if is_new:
            header = {"results": self._kind.name, "columns": self._columns}
            self._append({**header, _CONTINUES: self._continues})

    def _check_header(self) -> bool:
        """Whether the journal continues the finished file.

        Raises:
            ContinueError: If it holds results of another kind or with other columns.
        """
        self._opened.seek(0)
        try:
            header = json.loads(self._opened.readline())
            kind, columns, continues = header["results"], header["columns"], header[_CONTINUES]
        except (ValueError, TypeError, KeyError) as error:
            raise ContinueError(self.path, "is no journal of results", 1) from error
        if not isinstance(columns, list) or not all(isinstance(one, str) for one in columns):
            raise ContinueError(self.path, "is no journal of results", 1)
        if kind != self._kind.name:
            raise ContinueError(self.path, f"holds results for --{kind}", 1)
        if columns != self._columns:
            known, wanted = ",".join(columns), ",".join(self._columns)
            reason = f"has the columns {known}, and these answers have {wanted}"
            raise ContinueError(self.path, reason, 1)
        return bool(continues)

    def _records(self) -> Iterator[Record]:
        """The records of the finished file, if it is continued, and of the journal.

        Each prediction comes once: a process that was killed between the two last steps of `finish`
        leaves it in both files.
        """
        seen: set[int] = set()
        has_finished = self._continues and self._file.is_file() and not is_empty(self._file)
        finished = self._kind.read(self._file, self._layout) if has_finished else ()
        for record in chain(finished, self._journal_records()):
            key = self._key(record)
            if key not in seen:
                yield record
            if _is_readable(record):
                seen.add(key)

    def _journal_records(self) -> Iterator[Record]:
        self._opened.seek(0)
        self._opened.readline()  # the header
        return read_records(self._opened, self.path, first=2)

    def _key(self, record: Record) -> int:
        return hash((self._kind.stored_name(record["image"]), record.get("frame")))

    def _append(self, record: Record) -> None:
        try:
            self._opened.write(f"{json.dumps(record)}\n".encode())
            self._opened.flush()
        except OSError as error:
            raise self._not_writable(error) from error

    def _not_writable(self, error: OSError) -> OneboxError:
        return OneboxError(
            f"{self._file}: cannot be written ({error.strerror or error}). Make room, or name "
            "another file."
        )


def _is_readable(record: Record) -> bool:
    return bool(record.get("is_readable", True))
