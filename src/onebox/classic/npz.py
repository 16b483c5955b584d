"""The arrays of an ``.npz``, which is a zip archive, checked before they take memory.

An archive can say much that is not so: sizes, names that are there twice, members that lie in each
other, arrays larger than their bytes. `numpy.savez` writes none of that, and compresses nothing,
so the arrays together are smaller than the file.
"""

import io
import math
import struct
import zipfile
import zlib

import numpy as np
from numpy import ndarray

MOST_MEMBERS = 10_000
"""Arrays of the largest file: four for each shape of window, and one more."""

_SUFFIX = ".npy"
# The readers of a damaged archive, and of an array's header, raise errors of many kinds.
_DAMAGES = (
    *(zipfile.BadZipFile, EOFError, RuntimeError, OSError, TypeError, LookupError, struct.error),
    *(SyntaxError, MemoryError, OverflowError, zlib.error),
)
_KINDS = frozenset("biufU")  # of NumPy: booleans, integers, floats, text


def read_arrays(content: bytes) -> dict[str, ndarray]:
    """The arrays of an archive, by name.

    Raises:
        ValueError: If the archive is none that `numpy.savez` writes, or its bytes are damaged; the
            text says why.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            _check_members(members, len(content))
            return {each.filename[: -len(_SUFFIX)]: _array(archive, each) for each in members}
    except _DAMAGES as error:
        raise ValueError(str(error) or type(error).__name__) from error


def _check_members(members: list[zipfile.ZipInfo], archive_bytes: int) -> None:
    if len(members) > MOST_MEMBERS:
        raise ValueError(f"it has {len(members)} members, and {MOST_MEMBERS} are the most")
    names = {each.filename for each in members}
    if len(names) < len(members):
        raise ValueError("it has two members of one name")
    for each in members:
        if not each.filename.endswith(_SUFFIX) or not _is_plain(each.filename):
            raise ValueError(f"its member {each.filename[:60]!r} is no array")
        if each.compress_type != zipfile.ZIP_STORED or each.compress_size != each.file_size:
            raise ValueError(f"its member {each.filename[:60]!r} is compressed")
    if sum(each.file_size for each in members) > archive_bytes:
        raise ValueError("its members are larger than the file")


def _is_plain(name: str) -> bool:
    return not any(each in name for each in ("/", "\\", ":", ".."))


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> ndarray:
    stored = archive.read(member)
    shape, in_columns, kind, start = _read_header(stored)
    name = member.filename[:60]
    if kind.kind not in _KINDS:
        raise ValueError(f"its array {name!r} is of {kind}, which would need pickle")
    needed = math.prod(shape) * kind.itemsize
    if any(side < 0 for side in shape) or needed != len(stored) - start or not kind.itemsize:
        raise ValueError(
            f"its array {name!r} of shape {shape} takes {needed} bytes and has "
            f"{len(stored) - start}"
        )
    return np.ndarray(shape, kind, stored, start, order="F" if in_columns else "C")


def _read_header(stored: bytes) -> tuple[tuple[int, ...], bool, np.dtype, int]:
    """Shape, whether columns come first, type, and where the values begin.

    Raises:
        ValueError: If the header is damaged, or of a version that `numpy.savez` does not write.
    """
    stream = io.BytesIO(stored)
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        read = np.lib.format.read_array_header_1_0
    elif version == (2, 0):
        read = np.lib.format.read_array_header_2_0
    else:
        raise ValueError(f"it has an array in version {version} of the format")
    shape, in_columns, kind = read(stream)
    return shape, in_columns, kind, stream.tell()
