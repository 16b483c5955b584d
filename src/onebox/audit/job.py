"""An audit from data and recipe to two lists; the networks are trained by `onebox.learning`."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onebox.audit.find import find
from onebox.audit.records import Audit, OutOfFold
from onebox.errors import OneboxError
from onebox.progress import Listener
from onebox.recipes.recipe import Recipe
from onebox.structures import Dataset
from onebox.tasks import IN_ORDER, TaskRunner

DEFAULT_FOLDS = 4
DEFAULT_RATE = 0.1
"""The false-discovery rate: one in ten of a list may be right."""

PredictOutOfFold = Callable[[Dataset, Recipe, "AuditOptions", Listener, TaskRunner], OutOfFold]


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


def audit(
    data: Dataset,
    recipe: Recipe,
    options: AuditOptions,
    listener: Listener,
    runner: TaskRunner = IN_ORDER,
) -> Audited:
    """Train the networks of all folds, and compare every label with its prediction.

    The data and the recipe are checked already (`preflight`); ``runner`` trains the folds.

    Raises:
        OneboxError: If weights cannot be had, the disk is full or a package is missing.
        DataError: If images cannot be read.
        SettingError: If settings are wrong or do not fit together.
        KeyboardInterrupt: If the user stopped it.
    """
    found = _import_predict()(data, recipe, options, listener, runner)
    listener.stage("Comparing labels with predictions")
    return Audited(find(data, found, options.rate), found)


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
