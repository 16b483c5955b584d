"""An audit from data and recipe to two lists; the networks are trained by `onebox.learning`."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onebox.audit.find import find
from onebox.audit.records import Audit, OutOfFold
from onebox.errors import DataError, OneboxError, SettingError
from onebox.progress import Listener
from onebox.recipes.recipe import Recipe
from onebox.structures import Dataset

DEFAULT_FOLDS = 4
DEFAULT_RATE = 0.1
"""The false-discovery rate: one in ten of a list may be right."""

LEAST_IMAGES = 20
"""Fewer images with a box do not show how right labels score."""

MANY_IMAGES = 200
"""From so many images on, the lists were measured to be good: docs/audit.md."""

PredictOutOfFold = Callable[[Dataset, Recipe, "AuditOptions", Listener], OutOfFold]


@dataclass(frozen=True, slots=True)
class AuditOptions:
    """What an audit needs to know besides its data and its recipe.

    Attributes:
        started_s: Value of `time.monotonic` from which ``train.minutes`` counts.
        folds: Number of folds; each network trains on all but one.
        rate: The false-discovery rate of the two lists.
        weights: Initial weights, as in `onebox.train`.
    """

    started_s: float
    folds: int = DEFAULT_FOLDS
    rate: float = DEFAULT_RATE
    weights: Path | None = None


@dataclass(frozen=True, slots=True)
class Audited:
    """An audit, and the predictions that it rests on."""

    audit: Audit
    found: OutOfFold


def audit(data: Dataset, recipe: Recipe, options: AuditOptions, listener: Listener) -> Audited:
    """Train the networks of all folds, and compare every label with its prediction.

    Raises:
        OneboxError: If weights cannot be had, the disk is full or a package is missing.
        DataError: If there are too few images, or images cannot be read.
        SettingError: If settings are wrong or do not fit together.
        KeyboardInterrupt: If the user stopped it.
    """
    if recipe.hog is not None:
        raise SettingError(
            "an audit trains networks, and this recipe trains HOG windows. Choose another with "
            "--recipe."
        )
    check_images(data, options.folds, listener.note)
    found = _import_predict()(data, recipe, options, listener)
    listener.stage("Comparing labels with predictions")
    return Audited(find(data, found, options.rate), found)


def check_images(data: Dataset, folds: int, note: Callable[[str], None]) -> None:
    """Check that a data set has images enough; ``note`` is told if more would be better.

    Raises:
        DataError: If it has too few images with a box.
        SettingError: If there are too many folds for them.
    """
    count = len(data.boxes())
    name = data.name or "the data set"
    if count < LEAST_IMAGES:
        raise DataError(
            f"{name}: has {count} images with a box; an audit needs at least {LEAST_IMAGES} to "
            "learn what right labels look like. Look at so few yourself."
        )
    if 2 * folds > count:
        raise SettingError(f"--folds {folds}: {count} images allow at most {count // 2} folds.")
    for sentence in data.notes:
        note(sentence)
    if count < MANY_IMAGES:
        note(
            f"{name} has {count} images with a box; the lists are best from {MANY_IMAGES} images "
            "on, since short training on few images leaves larger residuals."
        )


def _import_predict() -> PredictOutOfFold:
    try:
        module: Any = importlib.import_module("onebox.learning.cross_validation.out_of_fold")
    except ModuleNotFoundError as error:
        raise OneboxError(
            f"onebox audit needs the package '{error.name}', which the light install leaves out. "
            "Install it with: pip install 'onebox[train]'"
        ) from error
    predict: PredictOutOfFold = module.predict_out_of_fold
    return predict
