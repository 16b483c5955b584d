"""WebDataset shards: tar files whose members of one image have one key.

The key of a member is its path up to the first dot of its last part; what follows the dot says what
the member holds. ``a/0001.jpg`` and ``a/0001.json`` are the image and the labels of ``a/0001``. The
members of one key follow each other.

References:
    The WebDataset format: https://github.com/webdataset/webdataset, "The WebDataset Format".
"""

import io
import tarfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import groupby

from onebox import images, stores
from onebox.errors import DataError, format_count

SUFFIX = ".tar"

MOST_TEXT = 1 << 24
"""Bytes of the largest member that is read whole with the headers; labels have a few hundred."""


@dataclass(frozen=True, slots=True)
class Member:
    """One file in a tar.

    Attributes:
        key: Its path up to the first dot of its last part.
        suffix: What follows the key, with the dot and in lower case, as ``.jpg``.
        offset: Of its first byte in the tar.
        size: In bytes.
    """

    key: str
    suffix: str
    offset: int
    size: int

    @property
    def name(self) -> str:
        """Its path in the tar."""
        return f"{self.key}{self.suffix}"

    @property
    def is_image(self) -> bool:
        """Whether it is an image, by its suffix."""
        return f".{self.suffix.rpartition('.')[2]}" in images.SUFFIXES


def members(shard: str) -> Iterator[Member]:
    """The files in a tar, in their order; their content is not read.

    Links, devices and sparse files are left out.

    Raises:
        DataError: If it is no tar, is compressed, or is cut short.
    """
    return (member for member, _ in members_with_text(shard, ()))


def members_with_text(
    shard: str, suffixes: Collection[str]
) -> Iterator[tuple[Member, bytes | None]]:
    """The files in a tar, in their order, and the content of those with some suffixes.

    Raises:
        DataError: As `members`, and if such a file has more than `MOST_TEXT` bytes.
    """
    with stores.open_input(shard) as file:
        end = file.seek(0, io.SEEK_END)
        file.seek(0)
        try:
            with tarfile.open(fileobj=file, mode="r:") as tar:
                for info in tar:
                    if info.isreg() and not info.issparse():
                        member = Member(*split_key(info.name), info.offset_data, info.size)
                        _check_size(shard, member, end)
                        wanted = member.suffix in suffixes
                        yield member, _read_text(shard, member, file) if wanted else None
        except (tarfile.TarError, ValueError, OverflowError, EOFError) as error:
            raise DataError(
                f"{shard}: is no uncompressed tar file, or is cut short ({error}). Write the shard "
                "again."
            ) from error


def grouped(shard: str) -> Iterator[tuple[str, list[Member]]]:
    """The members of each key, in the order of the tar.

    Raises:
        DataError: As `members`.
    """
    for key, group in groupby(members(shard), key=lambda member: member.key):
        yield key, list(group)


def split_key(path: str) -> tuple[str, str]:
    """The key and the suffix of a path in a tar."""
    folder, slash, last = path.rpartition("/")
    stem, dot, suffix = last.partition(".")
    return f"{folder}{slash}{stem}", f"{dot}{suffix}".lower()


def _check_size(shard: str, member: Member, end: int) -> None:
    if member.size < 0 or member.offset + member.size > end:
        left = format_count(max(0, end - member.offset), "byte", "bytes")
        raise DataError(
            f"{shard}: {member.name} has {member.size} bytes by its header, and {left} remain in "
            "the file: the shard is cut short or damaged. Write it again."
        )


def _read_text(shard: str, member: Member, file: io.BufferedReader) -> bytes:
    if member.size > MOST_TEXT:
        raise DataError(
            f"{shard}: {member.name} has {member.size} bytes, and labels have at most {MOST_TEXT}. "
            "Remove what is no label."
        )
    file.seek(member.offset)
    return file.read(member.size)
