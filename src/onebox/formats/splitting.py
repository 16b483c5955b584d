"""Chooses the split of each image: training, validation (model selection), calibration or test.

If the label files state no split, a hash of the image's bytes chooses it: an image keeps its split
when others are added, moved or renamed, and exact copies stay together. If a data set has no
validation images, `hold_out_validation` takes some of the training images; if it has no calibration
images, `hold_out_calibration` takes some of the validation images.
"""

import dataclasses
import hashlib
import re
from collections import Counter
from collections.abc import Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from onebox.errors import DataError, suggest
from onebox.formats.image_headers import THREADS
from onebox.formats.rows import Row
from onebox.structures import SPLITS, Dataset, PackedImage, Sample, Split

SPLIT_NAMES: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "cal": "cal",
    "calib": "cal",
    "calibration": "cal",
    "test": "test",
    "testing": "test",
}

# Upper end of each split's range of hashes, in percent; not tuned. The first ends were 80 train, 90
# val, 100 test. Calibration took the last 5 of train and the first 5 of val, so no image entered or
# left the test, and none trains that did not before.
_ENDS: tuple[tuple[int, Split], ...] = ((75, "train"), (85, "cal"), (90, "val"), (100, "test"))

LEAST_CALIBRATION = 9
"""Fewest images with a box that calibrate a model: a coverage of 90 % needs 1 / 0.1 - 1 of them."""

_TRAIN_PER_VAL = 10  # one training image in so many is held out; not tuned


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
            f"split {word!r} is not one of {', '.join(SPLITS)}.{suggest(word, SPLIT_NAMES)}"
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
    """Return the split of an image with these bytes: 75 of 100 train, 5 val, 10 cal, 10 test."""
    digest = hashlib.blake2b(data, digest_size=8).digest()
    percent = int.from_bytes(digest, "big") * 100 >> 64
    return next(split for end, split in _ENDS if percent < end)


def unsplit_problems(rows: Sequence[Row]) -> list[str]:
    """List the rows without a split, one sentence each; none if no row has a split."""
    if all(row.split is None for row in rows):
        return []
    return [
        f"{row.origin}: has no split, but other images have one. Write train, val, cal or "
        "test, or leave it out everywhere."
        for row in rows
        if row.split is None
    ]


def choose_splits(rows: Sequence[Row]) -> list[Split]:
    """Return the split of each row: the stated one, else the one its image's bytes choose."""
    stated = [row.split for row in rows if row.split is not None]
    if len(stated) == len(rows):
        return stated
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(lambda row: split_of_bytes(_content(row.image)), rows))


def _content(image: Path | PackedImage) -> bytes:
    return image.read_bytes() if isinstance(image, Path) else image.read()


def hold_out_validation(data: Dataset) -> Dataset:
    """Move a tenth of the training images with a box to ``val``, at least one.

    A hash of the file names chooses them, so that an image keeps its split when the data set is
    moved or put in another order. The last training image of a class stays, if that leaves any.
    """
    boxed = [sample for sample in data if sample.split == "train" and sample.box is not None]
    count = max(1, len(boxed) // _TRAIN_PER_VAL)
    in_order = sorted(boxed, key=_hash_of_name)
    held_out = _without_last_of_class(in_order)[:count] or in_order[:count]
    return _move(data, {sample.name for sample in held_out}, "train", "val")


def _without_last_of_class(samples: Sequence[Sample]) -> list[Sample]:
    """The samples that may be taken in this order, so that one of each class is left."""
    left = Counter(sample.label for sample in samples)
    free = []
    for sample in samples:
        if left[sample.label] > 1:
            left[sample.label] -= 1
            free.append(sample)
    return free


def hold_out_calibration(data: Dataset) -> Dataset:
    """Move half of the validation images to ``cal``, if that leaves enough of both with a box.

    Nothing moves if ``cal`` has an image with a box, or if a half of the validation images with a
    box would be fewer than `LEAST_CALIBRATION`. Images without a box are halved too, so that both
    halves have the same share of them. A hash of the file names chooses the images; it is another
    one than that of `hold_out_validation`, so the two choices are independent.
    """
    val = data.part("val")
    boxed = [sample for sample in val if sample.box is not None]
    if len(data.part("cal").boxes()) or len(boxed) < 2 * LEAST_CALIBRATION:
        return data
    boxless = [sample for sample in val if sample.box is None]
    order = partial(_hash_of_name, purpose=b"calibration")
    halves = [sorted(part, key=order)[: len(part) // 2] for part in (boxed, boxless)]
    return _move(data, {sample.name for half in halves for sample in half}, "val", "cal")


def _move(data: Dataset, names: Set[str], here: Split, there: Split) -> Dataset:
    """Move the images of these names from one split to another."""

    def assign_split(sample: Sample) -> Sample:
        is_moved = sample.split == here and sample.name in names
        return dataclasses.replace(sample, split=there) if is_moved else sample

    return dataclasses.replace(data, samples=tuple(map(assign_split, data)))


def _hash_of_name(sample: Sample, purpose: bytes = b"") -> bytes:
    return hashlib.blake2b(sample.file_name.encode(), person=purpose).digest()
