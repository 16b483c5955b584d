"""What must hold of the data before training starts, and where the run goes."""

import dataclasses
import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from onebox.errors import DataError, SettingError, shorten, suggest
from onebox.recipes.recipe import Recipe
from onebox.structures import Box, Dataset, Sample

_VAL_SHARE = 10  # one image in so many, where the labels name no validation images
_FEWEST = 2

Note = Callable[[str], None]


def check_data(data: Dataset, note: Note) -> Dataset:
    """See that a data set can be trained on and validated.

    Args:
        data: As it was read.
        note: Hears what was changed or is missing.

    Returns:
        The data set, with validation images taken from the training ones where it had none.

    Raises:
        DataError: If there is too little to learn from.
    """
    name = data.name or "the data set"
    train = data.part("train")
    if not len(train):
        raise DataError(
            f"{name}: no image is for training. Give some rows the split 'train', or none any."
        )
    if not len(train.boxes()):
        raise DataError(
            f"{name}: no training image has a box, so that there is nothing to localize. Add "
            "boxes to the label file."
        )
    if len(train.boxes()) + len(data.part("val").boxes()) < _FEWEST:
        raise DataError(
            f"{name}: has one image with a box to train on; it takes at least {_FEWEST}, one to "
            "learn from and one to validate. Add images (30 make a useful model)."
        )
    if len(data.part("val").boxes()):
        return data
    note(f"{name} names no validation images with a box; a tenth of the training images serve.")
    return _with_validation(data)


def _with_validation(data: Dataset) -> Dataset:
    """Move a tenth of the training images with a box to ``val``, by a hash of their names."""
    boxed = [sample for sample in data if sample.split == "train" and sample.box is not None]
    count = max(1, len(boxed) // _VAL_SHARE)
    moved = {sample.name for sample in sorted(boxed, key=_draw)[:count]}

    def placed(sample: Sample) -> Sample:
        is_moved = sample.split == "train" and sample.name in moved
        return dataclasses.replace(sample, split="val") if is_moved else sample

    return dataclasses.replace(data, samples=tuple(placed(sample) for sample in data))


def _draw(sample: Sample) -> bytes:
    name = sample.image.name if isinstance(sample.image, Path) else sample.name
    return hashlib.blake2b(name.encode()).digest()


def check_classes(data: Dataset, recipe: Recipe) -> None:
    """Check that the classes of the data and those that the recipe declares agree.

    A recipe that declares no classes takes those of the data.

    Raises:
        SettingError: If the data has a class that the recipe does not declare, or no training
            image shows a class that it declares.
    """
    declared = recipe.data.classes
    name = data.name or "the data set"
    unknown = [label for label in data.classes if declared and label not in declared]
    if unknown:
        raise SettingError(
            f"[data] classes has no '{unknown[0]}', and {name} does.{suggest(unknown[0], declared)}"
        )
    shown = {sample.label for sample in data.part("train")}
    missing = [repr(label) for label in declared if label not in shown]
    if missing:
        raise SettingError(
            f"[data] classes names {shorten(missing)}, and no training image of {name} shows that. "
            "Add such images, or remove the name."
        )


def box_shares(data: Dataset) -> Float[ndarray, "n 4"]:
    """The ``xyxy`` boxes in shares of the images' sides, of the images that have one."""
    shares = [
        np.array(sample.box) / np.array([*sample.size_wh, *sample.size_wh])
        for sample in data
        if sample.box is not None and sample.size_wh is not None
    ]
    return np.array(shares, dtype=np.float64).reshape(-1, 4)


def mean_box(data: Dataset) -> Box | None:
    """The mean box, in shares of the images' sides."""
    shares = box_shares(data)
    if not len(shares):
        return None
    x_min, y_min, x_max, y_max = shares.mean(axis=0).tolist()
    return x_min, y_min, x_max, y_max


def choose_folder(out: Path | None, data: Dataset) -> Path:
    """The folder of a new run: the user's, or the next free name below ``runs``.

    Raises:
        SettingError: If the user's folder is taken.
    """
    if out is not None:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise SettingError(
                f"--out {out}: exists and is not an empty folder. Choose another, remove it, or go "
                f"on with what is there by --resume {out}."
            )
        return out
    stem = _stem(data.name)
    number = 1
    while (folder := Path("runs") / f"{stem}-{number}").exists():
        number += 1
    return folder


def _stem(name: str) -> str:
    """A folder name from what the user asked to read; a label file is named by its folder."""
    path = Path(name.replace(":", "-"))
    word = path.resolve().parent.name if path.suffix else path.name
    kept = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in word)
    return kept.strip("-") or "run"
