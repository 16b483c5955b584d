"""A data set → folds → one data set for each fold, whose test images are those of the fold."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from onebox.errors import DataError, SettingError
from onebox.folds.assignment import assign_folds
from onebox.folds.copies import SIDE, find_copies, group_copies, thumbnail
from onebox.image_digests import content_digest
from onebox.images import load
from onebox.progress import Progress
from onebox.structures import SPLITS, Dataset, Sample, Split

LEAST_FOLDS = 2

_LOOKED_AT = 4 * SIDE  # pixels that an image is shrunk to, at least, before its thumbnail is made
_NO_CLASS = -1  # of an image without a subject


def group_by_copies(data: Dataset, *, progress: Progress | None = None) -> Int[ndarray, " n"]:
    """A number for each image; copies of one image have the same one.

    Raises:
        DataError: If images cannot be read; the message names all of them.
    """
    thumbnails: list[ndarray] = []
    contents: list[bytes] = []
    problems: list[str] = []
    with ThreadPoolExecutor() as pool:
        for done, found in enumerate(pool.map(_look, data), start=1):
            if isinstance(found, DataError):
                problems += found.problems
            else:
                thumbnails.append(found[0])
                contents.append(found[1])
            if progress is not None:
                progress(done, len(data))
    if problems:
        raise DataError(*problems)
    return group_copies(find_copies(np.stack(thumbnails), contents), len(data))


def deal(data: Dataset, copies: Int[ndarray, " n"], folds: int, seed: int) -> Int[ndarray, " n"]:
    """The fold of each image: classes evenly, and the splits of each class; copies together.

    Args:
        data: The data set. Images without a subject are dealt like a class.
        copies: See `group_by_copies`.
        folds: Number of folds.
        seed: Of the random order.

    Raises:
        SettingError: If there are too few folds, or too many for the images with a box.
    """
    boxed = np.array([sample.box is not None for sample in data], bool)
    most = len(np.unique(copies[boxed])) // 2
    if not LEAST_FOLDS <= folds <= most:
        raise SettingError(
            f"--folds must be between {LEAST_FOLDS} and half the number of different images with "
            f"a box, here {most}; got {folds}."
        )
    return assign_folds(_strata(data), copies, folds, seed)


def data_of_fold(data: Dataset, folds: Sequence[int], fold: int) -> Dataset:
    """The data set of one fold: its images are ``test``, and no others.

    Images of other folds keep their split, ``train``, ``val`` or ``cal``; their ``test`` images
    become ``train``.

    Args:
        data: The whole data set.
        folds: The fold of each image.
        fold: Which one.
    """
    pairs = zip(data, folds, strict=True)
    samples = (replace(sample, split=_split(sample, own == fold)) for sample, own in pairs)
    return replace(data, samples=tuple(samples), notes=())


def _split(sample: Sample, is_held_out: bool) -> Split:  # noqa: FBT001
    if is_held_out:
        return "test"
    return "train" if sample.split == "test" else sample.split


def _strata(data: Dataset) -> Int[ndarray, " n"]:
    """A number for each class and split, such that those of a class follow each other."""
    index = {name: number for number, name in enumerate(data.classes)}
    classes = [_NO_CLASS if s.label is None else index[s.label] for s in data]
    splits = [SPLITS.index(sample.split) for sample in data]
    return np.array(classes, np.int64) * len(SPLITS) + np.array(splits, np.int64)


def _look(sample: Sample) -> tuple[ndarray, bytes] | DataError:
    """The thumbnail and a digest of an image."""
    try:
        pixels = load(sample.image, at_least=_LOOKED_AT).pixels
        return thumbnail(pixels), content_digest(sample)
    except DataError as error:
        where = f"{sample.origin}: " if sample.origin else ""
        return DataError(*(f"{where}{problem}" for problem in error.problems))
