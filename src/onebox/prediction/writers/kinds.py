"""What a kind of results file is, and its lines as they stand on disk."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from onebox.prediction.writers.records import Layout, Row


@dataclass(frozen=True, slots=True)
class Held:
    """A line that a file has already.

    Attributes:
        image: The image's name.
        frame: The number of the frame; None for an image.
        number: The image's, in files that number them.
        is_read: Whether the image could be read: a line may only keep its number.
    """

    image: str
    frame: int | None = None
    number: int = 0
    is_read: bool = True


@dataclass(frozen=True, slots=True)
class Whole:
    """How lines become a file that is no text of lines, and the other way round.

    Attributes:
        pack: Lines → the file at a path.
        unpack: The file → lines.
        check: Called before the work: raises where something that packing needs is missing.
    """

    pack: Callable[[Iterator[str], Layout, Path], None]
    unpack: Callable[[Path, Layout], Iterator[str]]
    check: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of results file.

    Attributes:
        beginning: How every such file begins.
        line: A row and the number of its image → its line, with its end.
        held: Lines of a file, its header first → what they hold. It raises ``ValueError`` with
            what is wrong with a line, and may leave the last one out where that is torn.
        header: The first line, with its end; empty for none.
        unread: The name and number of an image that could not be read → a line that keeps its
            number; None where nothing does.
        whole: How lines become the file; None where they are the file.
        has_columns: Whether all rows have what the layout says, and nothing else.
    """

    beginning: bytes
    line: Callable[[Row, Layout, int], str]
    held: Callable[[Iterator[str], Layout], Iterator[Held]]
    header: Callable[[Layout], str] = lambda _: ""
    unread: Callable[[str, int], str] | None = None
    whole: Whole | None = None
    has_columns: bool = False


def part_of(kind: Kind, file: Path) -> Path:
    """Where the lines of a results file go while it is made."""
    return file.with_name(f"{file.name}{'.part' if kind.whole is None else '.part.jsonl'}")


class Lines:
    """The whole lines of a file, and how far they were read.

    Attributes:
        consumed: Bytes of the lines that were given.
        number: Of the last line that was given, from 1.
    """

    def __init__(self, opened: BinaryIO) -> None:
        self.consumed = 0
        self.number = 0
        self._opened = opened

    def __iter__(self) -> Iterator[str]:
        """The lines; one without its end is torn, and left out."""
        return self

    def __next__(self) -> str:
        """The next line.

        Raises:
            StopIteration: If there is none.
        """
        line = self._opened.readline()
        if not line.endswith(b"\n"):
            raise StopIteration
        self.consumed += len(line)
        self.number += 1
        return line.decode("utf-8", "surrogateescape")


def encoded(text: str) -> bytes:
    """The bytes of a text."""
    # A name that is no UTF-8 goes out as the bytes it came in as.
    return text.encode("utf-8", "surrogateescape")
