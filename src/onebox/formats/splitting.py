"""Which images a model learns from, which choose it, and which judge it.

Where the label files do not say, the image's bytes decide: an image never changes sides when
others are added, moved or renamed, and exact copies stay together.
"""

import hashlib
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from onebox.errors import DataError, suggest
from onebox.formats.image_headers import THREADS
from onebox.formats.rows import Row
from onebox.structures import Split

SPLIT_NAMES: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}

# share of the images → upper end of the hash's range, out of 100
_ENDS: tuple[tuple[int, Split], ...] = ((80, "train"), (90, "val"), (100, "test"))


def named_split(word: str) -> Split | None:
    """Return the split that a cell of a label file names; None for an empty cell.

    Raises:
        DataError: If it names none.
    """
    if not word.strip():
        return None
    split = SPLIT_NAMES.get(word.strip().casefold())
    if split is None:
        raise DataError(
            f"split {word!r} is not one of train, val, test.{suggest(word, SPLIT_NAMES)}"
        )
    return split


def split_of_stem(stem: str) -> Split | None:
    """Return the split that a file's name tells of, as ``train`` or ``instances_val2017`` do.

    Examples:
        >>> split_of_stem("instances_val2017"), split_of_stem("labels")
        ('val', None)
    """
    last = re.split(r"[_\-. ]", stem.casefold())[-1]
    return SPLIT_NAMES.get(last.rstrip("0123456789"))


def split_of_bytes(data: bytes) -> Split:
    """Return the split of an image with these bytes: 80 of 100 train, 10 val, 10 test."""
    digest = hashlib.blake2b(data, digest_size=8).digest()
    place = int.from_bytes(digest, "big") * 100 >> 64
    return next(split for end, split in _ENDS if place < end)


def unsplit(rows: Sequence[Row]) -> list[str]:
    """Say which rows have no split though others have one."""
    if all(row.split is None for row in rows):
        return []
    return [
        f"{row.origin}: has no split, but other images have one. Write train, val or test, or "
        "leave it out everywhere."
        for row in rows
        if row.split is None
    ]


def choose_splits(rows: Sequence[Row]) -> list[Split]:
    """Return the split of each row: the stated one, else the one its image's bytes decide."""
    stated = [row.split for row in rows if row.split is not None]
    if len(stated) == len(rows):
        return stated
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(_split_of_file, [row.image for row in rows]))


def _split_of_file(path: Path) -> Split:
    return split_of_bytes(path.read_bytes())
