"""The images of a tar with their content, in one pass from its first byte to its last."""

import io
import os
import tarfile
from collections.abc import Iterator
from typing import cast

from onebox import stores
from onebox.errors import DataError
from onebox.packed.tar_shards import Member, split_key

_READ_AHEAD = 8 << 20  # bytes that one request to a store asks for; not tuned


def read_images(shard: str) -> Iterator[tuple[Member, bytes]]:
    """The images in a tar with their content, in their order.

    Raises:
        DataError: If it is no tar, is compressed, or is cut short.
    """
    with stores.open_input(shard) as opened, _reading_ahead(shard, opened) as file:
        length = file.seek(0, os.SEEK_END)
        file.seek(0)
        try:
            with tarfile.open(fileobj=file, mode="r:") as tar:
                for info in tar:
                    member = Member(*split_key(info.name), info.offset_data, info.size)
                    if info.isreg() and member.is_image:
                        yield member, _content(tar, info, shard, length)
        except (tarfile.TarError, OSError) as error:
            raise DataError(
                f"{shard}: is no uncompressed tar file that can be read ({error}). Write the shard "
                "again."
            ) from error


def _reading_ahead(shard: str, file: io.BufferedReader) -> io.BufferedReader:
    # Files on the disk read ahead by themselves.
    if not stores.is_uri(shard):
        return file
    return io.BufferedReader(cast("io.RawIOBase", file), _READ_AHEAD)


def _content(tar: tarfile.TarFile, info: tarfile.TarInfo, shard: str, length: int) -> bytes:
    # A damaged header may claim more bytes than memory has.
    if info.offset_data + info.size > length or (file := tar.extractfile(info)) is None:
        raise DataError(f"{shard}: ends within {info.name}. Write the shard again.")
    return file.read()
