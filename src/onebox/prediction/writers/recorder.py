"""A results file in the making: line by line beside its place, and whole under its name.

While answers are made, their lines go to ``FILE.part`` (``FILE.part.jsonl`` of those kinds that are
no text of lines), each written out at once. Its lock keeps other processes away, and goes with
the process, however that ends. Whoever goes on with it reads which images it has, and cuts off a
last line that is torn. At the end it takes the name of the file, or becomes it.
"""

import shutil
import tempfile
from pathlib import Path
from typing import BinaryIO

from onebox.errors import OneboxError, SettingError
from onebox.prediction.writers.kinds import Held, Kind, Lines, Whole, encoded, part_of
from onebox.prediction.writers.locking import open_locked, renamed
from onebox.prediction.writers.records import Layout, Row

_Key = tuple[str, int | None]


class Recorder:
    """Writes one results file.

    Attributes:
        part: The file that the lines go to meanwhile.
        kept: Answers that it has.
    """

    def __init__(self, kind: Kind, file: Path, layout: Layout, *, goes_on: bool = False) -> None:
        """Open the file.

        Args:
            kind: Of `onebox.prediction.writers.KINDS`.
            file: The place of the results. A device or a pipe is written to as it stands.
            layout: What the rows will have.
            goes_on: Whether to keep what the file, or an unfinished one, has. What is there is
                begun anew otherwise; the finished file stays until the new one is whole.

        Raises:
            OneboxError: If it cannot be written, or another process is writing it.
            SettingError: If it should be gone on with, and is of another layout or kind.
        """
        self.kept = 0
        self._kind, self._layout = kind, layout
        self._is_device = file.exists() and not file.is_file()
        self._file = file.resolve() if file.is_symlink() and not self._is_device else file
        # In a set: the hash alone. That two of a million names share one of 64 bits happens once
        # in tens of millions of runs.
        self._known: set[int] = set()
        self._numbers: dict[_Key, int] = {}
        self._last = 0
        if self._is_device and goes_on:
            raise SettingError(f"{file}: holds nothing to go on with. Leave --continue out.")
        self._scratch = tempfile.TemporaryDirectory() if self._is_device and kind.whole else None
        self.part = self._file if self._is_device else part_of(kind, self._file)
        if self._scratch is not None:
            self.part = part_of(kind, Path(self._scratch.name) / "results")
        try:
            self._opened = self._open(goes_on=goes_on)
        except OSError as error:
            raise self._refused(error) from error

    def __enter__(self) -> "Recorder":
        """Nothing more."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close and unlock; what was not finished stays where it is."""
        self._opened.close()
        if self._scratch is not None:
            self._scratch.cleanup()

    def holds(self, image: str, frame: int | None = None) -> bool:
        """Whether the file had an answer for the image when it was opened."""
        return hash((image, frame)) in self._known

    def write(self, row: Row) -> None:
        """Add an answer; it is in the file when this returns.

        Raises:
            OneboxError: If it cannot be written.
            SettingError: If it is a frame, and the file has no columns for that.
        """
        if self._kind.has_columns and row.frame is not None and not self._layout.has_frames:
            raise SettingError(
                f"{row.image}: is a video, and {self._file} has no columns for frames, since it "
                "began with images. Name the videos of a list first, or write --jsonl."
            )
        number = self._number((row.image, row.frame))
        self._append(self._kind.line(row, self._layout, number))
        self.kept += 1

    def write_unread(self, image: str) -> None:
        """Keep the number of an image that cannot be read, in files that number images.

        Raises:
            OneboxError: If it cannot be written.
        """
        if self._kind.unread is not None and (image, None) not in self._numbers:
            number = self._number((image, None))
            self._numbers[image, None] = number
            self._append(self._kind.unread(image, number))

    def finish(self) -> None:
        """Put the whole file in its place.

        Raises:
            OneboxError: If it cannot be written.
        """
        try:
            if self._kind.whole is not None:
                self._pack(self._kind.whole)
            elif self._is_device:
                self._opened.close()
            else:
                renamed(self._opened, self.part, self._file).close()
        except OSError as error:
            raise self._refused(error) from error

    def _open(self, *, goes_on: bool) -> BinaryIO:
        if self.part == self._file:
            opened: BinaryIO = self.part.open("wb")
            self._start(opened)
            return opened
        is_finished = goes_on and not self.part.exists() and self._file.is_file()
        if is_finished and self._kind.whole is None:
            opened = open_locked(self._file)
            self._begin(opened, self._file, goes_on=True)
            return renamed(opened, self._file, self.part)
        opened = open_locked(self.part)
        self._begin(opened, self.part, goes_on=goes_on)
        return opened

    def _begin(self, opened: BinaryIO, path: Path, *, goes_on: bool) -> None:
        """Read what the file has, cut off what is torn, and see that its header is there."""
        was_unpacked = False
        try:
            was_unpacked = goes_on and self._unpack(opened)
            opened.seek(self._read(opened, path) if goes_on else 0)
            opened.truncate()
            if opened.tell() == 0:
                self._start(opened)
        except BaseException:
            if was_unpacked:
                opened.truncate(0)
            opened.close()
            raise

    def _start(self, opened: BinaryIO) -> None:
        opened.write(encoded(self._kind.header(self._layout)))
        opened.flush()

    def _unpack(self, opened: BinaryIO) -> bool:
        """Take over what the finished file has, unless an unfinished one is there."""
        if self._kind.whole is None or not self._file.is_file() or opened.read(1):
            return False
        for line in self._kind.whole.unpack(self._file, self._layout):
            opened.write(encoded(line))
        opened.flush()
        return True

    def _read(self, opened: BinaryIO, path: Path) -> int:
        """Take in what the lines of a file hold; the end of the last whole one, in bytes.

        Raises:
            SettingError: If a line is none of this kind and layout.
        """
        opened.seek(0)
        lines = Lines(opened)
        end = len(encoded(self._kind.header(self._layout)))
        try:
            for held in self._kind.held(lines, self._layout):
                self._take(held)
                end = lines.consumed
        except ValueError as error:
            raise SettingError(
                f"{path}:{lines.number}: {error}. Leave --continue out, or name another file."
            ) from error
        return end if lines.number else 0

    def _take(self, held: Held) -> None:
        key = held.image, held.frame
        if held.is_read:
            self.kept += 1
            self._known.add(hash(key))
            self._numbers.pop(key, None)
        else:
            self._numbers[key] = held.number
        self._last = max(self._last, held.number)

    def _number(self, key: _Key) -> int:
        known = self._numbers.pop(key, None)
        if known is None:
            self._last += 1
        return self._last if known is None else known

    def _append(self, line: str) -> None:
        try:
            self._opened.write(encoded(line))
            self._opened.flush()
        except OSError as error:
            raise self._refused(error) from error

    def _pack(self, whole: Whole) -> None:
        beside = self.part.with_name(f".{self._file.name}.whole")
        try:
            with self.part.open("rb") as journal:
                whole.pack(Lines(journal), self._layout, beside)
            if self._is_device:
                with beside.open("rb") as made, self._file.open("wb") as device:
                    shutil.copyfileobj(made, device)
            else:
                beside.replace(self._file)
        finally:
            beside.unlink(missing_ok=True)
        self.part.unlink()
        self._opened.close()

    def _refused(self, error: OSError) -> OneboxError:
        return OneboxError(
            f"{self._file}: cannot be written ({error.strerror or error}). Make room, or choose "
            "another place."
        )
