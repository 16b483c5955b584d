"""An image in a tar, as a record of where its bytes lie."""

import io
from dataclasses import dataclass
from typing import cast

from onebox import stores
from onebox.errors import DataError, ImageError

_READ_AHEAD = 1 << 16  # bytes: more than most headers of images take; not tuned


@dataclass(frozen=True, slots=True)
class TarImage:
    """An encoded image in a tar.

    Attributes:
        shard: Path or URI of the tar.
        name: Path of the member.
        offset: Of its first byte in the tar.
        size: In bytes.
        upright_wh: Width and height of the upright image, if the tar states them.
    """

    shard: str
    name: str
    offset: int
    size: int
    upright_wh: tuple[int, int] | None = None

    def __str__(self) -> str:
        return f"{self.shard}:{self.name}"

    def open(self) -> io.BufferedReader:
        """Open the image; what is read of it is read from the tar.

        Raises:
            ImageError: If the tar cannot be read.
        """
        try:
            part = _Part(stores.open_input(self.shard), self.offset, self.size)
            opened: io.BufferedReader = io.BufferedReader(part, _READ_AHEAD)
            opened.peek()  # now, before Pillow is asked: images then wait for a store side by side
        except (DataError, OSError) as error:
            raise ImageError(f"{self}: {error}") from error
        return opened

    def read(self) -> bytes:
        """The encoded image.

        Raises:
            ImageError: If the tar cannot be read, or ends within the image.
        """
        try:
            content = stores.read(self.shard, self.offset, self.size)
        except DataError as error:
            raise ImageError(f"{self}: {error}") from error
        if len(content) < self.size:
            raise ImageError(
                f"{self}: the shard ends after {len(content)} of its {self.size} bytes. Write the "
                "shard again."
            )
        return content


class _Part(io.RawIOBase):
    """A part of a file as a file of its own."""

    def __init__(self, file: io.BufferedReader, offset: int, size: int) -> None:
        self._file, self._offset, self._size = file, offset, size
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, start + offset)
        return self._position

    def readinto(self, buffer: object) -> int:
        target = memoryview(cast("bytearray", buffer)).cast("B")
        wanted = min(len(target), max(0, self._size - self._position))
        self._file.seek(self._offset + self._position)
        content = self._file.read(wanted)
        target[: len(content)] = content
        self._position += len(content)
        return len(content)

    def close(self) -> None:
        self._file.close()
        super().close()
