"""What must hold before training starts, and what a run is made of once it does."""

import dataclasses
import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from onebox.errors import DataError, SettingError, shorten
from onebox.learning.networks.anchors import cluster_sizes
from onebox.recipes.recipe import Recipe
from onebox.structures import Box, Dataset, Sample

_VAL_SHARE = 10  # one image in so many, where the labels name no validation images
_FEWEST = 2
_FEW, _REST = 60, 0.3  # images; share of the steps in which the backbone then rests

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


def learns_presence(recipe: Recipe, data: Dataset) -> bool:
    """Whether a network learns to tell images without the subject: where training has some.

    This follows from the recipe and the training images alone, neither of which a resumed run
    may change: it comes to the same answer.
    """
    is_asked = recipe.loss.presence > 0
    return is_asked and not all(sample.has_subject for sample in data.part("train"))


def settle(recipe: Recipe, data: Dataset) -> Recipe:
    """A recipe with what it leaves to the data filled in.

    Raises:
        SettingError: If it asks for what the data does not have, or for losses that its keypoints
            cannot have.
    """
    _check_classes(recipe, data)
    _check_keypoints(recipe, data)
    model = recipe.model
    clusters = model.anchors.clusters
    if model.box_head != "anchors" or not clusters or model.anchors.sizes:
        return recipe
    sizes = cluster_sizes(box_shares(data.part("train")), clusters, recipe.train.seed)
    anchors = model.anchors.model_copy(update={"sizes": sizes})
    return recipe.model_copy(update={"model": model.model_copy(update={"anchors": anchors})})


def with_rest(recipe: Recipe, images: int) -> Recipe:
    """A recipe that starts from weights, with the backbone's rest where it leaves that open.

    With few images to train on, the heads learn alone at first, from maps that are kept: as good
    as learning together, in two thirds of the time. With more, small subjects lose by it
    (docs/accuracy.md).
    """
    if recipe.train.freeze_backbone_fraction is not None:
        return recipe
    share = _REST if images <= _FEW else 0.0
    train = recipe.train.model_copy(update={"freeze_backbone_fraction": share})
    return recipe.model_copy(update={"train": train})


def _check_classes(recipe: Recipe, data: Dataset) -> None:
    """See that every class that the recipe declares can be learned.

    A recipe that declares none takes those in use, be it one.

    Raises:
        SettingError: If no training image shows one of them.
    """
    shown = {sample.label for sample in data.part("train")}
    missing = [name for name in recipe.data.classes if name not in shown]
    if missing:
        raise SettingError(
            f"[data] classes names {shorten([repr(name) for name in missing])}, and no training "
            f"image of {data.name or 'the data set'} shows that. Add such images, or remove "
            "the name."
        )


def _check_keypoints(recipe: Recipe, data: Dataset) -> None:
    """See that keypoints can be learned, where the recipe asks for them.

    Raises:
        SettingError: If the data has none, or if the recipe's losses do not fit their head.
    """
    model, losses = recipe.model, recipe.loss.keypoints
    if not model.keypoints:
        return
    if data.keypoints is None:
        raise SettingError(
            f"model.keypoints asks for keypoints, and {data.name or 'the data set'} has none. Use labels "
            "with keypoints (COCO or YOLO), or a recipe without keypoints."
        )
    if losses.get("distribution") and model.vectorizer != "pyramid":
        raise SettingError(
            f"loss.keypoints.distribution needs vectorizer 'pyramid', got '{model.vectorizer}'; "
            "remove the loss (--set 'loss.keypoints={ l1 = 10.0, confidence = 0.2 }'), or change the "
            "vectorizer."
        )
    if not any(weight for name, weight in losses.items() if name != "confidence"):
        raise SettingError(
            "loss.keypoints names no loss of their places with a weight; set one, as "
            "--set loss.keypoints.l1=10."
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
