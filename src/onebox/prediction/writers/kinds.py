"""What a kind of results file is: how it is written, and how it is read back."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onebox.errors import SettingError
from onebox.prediction.writers.records import Layout, Row

Record = dict[str, Any]
"""What one kind of file keeps of a row: JSON values, with ``image`` and, for a frame, ``frame``."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of results file.

    Attributes:
        name: The option that writes it, without the dashes.
        beginning: The first bytes of every such file.
        record: A row → what the file keeps of it.
        write: Records → the file at a path.
        read: The file at a path → its records. Raises `ContinueError` if it is no such file, or
            one of another layout.
        is_results: Whether a file that begins so holds results, and no labels.
        columns: The columns that every record has; empty where records may differ.
        numbers_images: Whether images are numbered, so that unreadable ones count too.
        stored_name: The name of an image → the name that the file has for it.
        check: Called before the work; raises `OneboxError` if a package is missing.
    """

    name: str
    beginning: bytes
    record: Callable[[Row, Layout], Record]
    write: Callable[[Iterable[Record], Layout, Path], None]
    read: Callable[[Path, Layout], Iterator[Record]]
    is_results: Callable[[Path], bool] = lambda _: True
    columns: Callable[[Layout], Sequence[str]] = lambda _: ()
    numbers_images: bool = False
    stored_name: Callable[[str], str] = str
    check: Callable[[], object] = lambda: None


class ContinueError(SettingError):
    """A file that ``--continue`` cannot continue."""

    def __init__(self, path: Path, reason: str, line: int | None = None) -> None:
        where = path if line is None else f"{path}:{line}"
        super().__init__(f"{where}: {reason}. Leave --continue out, or name another file.")
