"""WebDataset shards: tar files whose members of one image have one key.

The key of a member is its path up to the first dot of its last part; what follows the dot says what
the member holds. ``a/0001.jpg`` and ``a/0001.json`` are the image and the labels of ``a/0001``. The
members of one key follow each other.

References:
    The WebDataset format: https://github.com/webdataset/webdataset, "The WebDataset Format".
"""

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from onebox import images, stores
from onebox.errors import DataError

SUFFIX = ".tar"


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

    Raises:
        DataError: If it is no tar, is compressed, or is cut short.
    """
    with stores.open_input(shard) as file:
        try:
            with tarfile.open(fileobj=file, mode="r:") as tar:
                for info in tar:
                    if info.isreg():
                        yield Member(*split_key(info.name), info.offset_data, info.size)
        except tarfile.TarError as error:
            raise DataError(
                f"{shard}: is no uncompressed tar file ({error}). Write the shard again."
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
