"""Chooses the split of each image: training, validation (model selection) or test.

If the label files state no split, a hash of the image's bytes chooses it: an image keeps its split
when others are added, moved or renamed, and exact copies stay together. If a data set has no
validation images, `hold_out_validation` takes some of the training images.
"""

import dataclasses
import hashlib
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from onebox.errors import DataError, suggest
from onebox.formats.image_headers import THREADS
from onebox.formats.rows import Row
from onebox.structures import Dataset, Sample, Split

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

# Upper end of each split's range of hashes, in percent: 80 train, 10 val, 10 test. Not tuned, but
# other ends would move images of data sets that were split by these.
_ENDS: tuple[tuple[int, Split], ...] = ((80, "train"), (90, "val"), (100, "test"))

_TRAIN_PER_VAL = 10  # one training image in so many is held out, as in `_ENDS`; not tuned


def parse_split(word: str) -> Split | None:
    """Return the split that a word of a label file names; None for an empty word.

    Raises:
        DataError: If there is no split of that name.
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
    """Return the split in a file name such as ``train`` or ``instances_val2017``, else None.

    Examples:
        >>> split_of_stem("instances_val2017"), split_of_stem("labels")
        ('val', None)
    """
    last = re.split(r"[_\-. ]", stem.casefold())[-1]
    return SPLIT_NAMES.get(last.rstrip("0123456789"))


def split_of_bytes(data: bytes) -> Split:
    """Return the split of an image with these bytes: 80 of 100 train, 10 val, 10 test."""
    digest = hashlib.blake2b(data, digest_size=8).digest()
    percent = int.from_bytes(digest, "big") * 100 >> 64
    return next(split for end, split in _ENDS if percent < end)


def unsplit_problems(rows: Sequence[Row]) -> list[str]:
    """List the rows without a split, one sentence each; none if no row has a split."""
    if all(row.split is None for row in rows):
        return []
    return [
        f"{row.origin}: has no split, but other images have one. Write train, val or test, or "
        "leave it out everywhere."
        for row in rows
        if row.split is None
    ]


def choose_splits(rows: Sequence[Row]) -> list[Split]:
    """Return the split of each row: the stated one, else the one its image's bytes choose."""
    stated = [row.split for row in rows if row.split is not None]
    if len(stated) == len(rows):
        return stated
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(lambda row: split_of_bytes(row.image.read_bytes()), rows))


def hold_out_validation(data: Dataset) -> Dataset:
    """Move a tenth of the training images with a box to ``val``, at least one.

    A hash of the file names chooses them, so that an image keeps its split when the data set is
    moved or put in another order.
    """
    boxed = [sample for sample in data if sample.split == "train" and sample.box is not None]
    count = max(1, len(boxed) // _TRAIN_PER_VAL)
    held_out = {sample.name for sample in sorted(boxed, key=_hash_of_name)[:count]}

    def assign_split(sample: Sample) -> Sample:
        is_held_out = sample.split == "train" and sample.name in held_out
        return dataclasses.replace(sample, split="val") if is_held_out else sample

    return dataclasses.replace(data, samples=tuple(map(assign_split, data)))


def _hash_of_name(sample: Sample) -> bytes:
    name = sample.image.name if isinstance(sample.image, Path) else sample.name
    return hashlib.blake2b(name.encode()).digest()
