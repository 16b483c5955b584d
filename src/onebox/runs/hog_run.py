"""A run of HOG windows: trained in one go, then evaluated and reported like every other model."""

import dataclasses
from pathlib import Path

from onebox.classic import hog_training, model_file
from onebox.classic.hog_localizer import HogLocalizer
from onebox.classic.settings import HogSettings
from onebox.disk import check_space
from onebox.errors import StoppedError
from onebox.progress import Listener
from onebox.recipes.recipe import Recipe
from onebox.runs.folder import HOG_MODEL
from onebox.runs.results import (
    Run,
    calibrate_model,
    evaluate_model,
    metrics_by_split,
    provenance,
    write_recipe,
    write_results,
)
from onebox.structures import Dataset

_PACKAGES = ("onebox", "scikit-image", "scikit-learn", "numpy")
_BYTES = 16 * 2**20  # of the machines of a hundred classes, twice


def train(data: Dataset, recipe: Recipe, folder: Path, listener: Listener) -> Run:
    """Train HOG windows, evaluate the stored file, and write report and metrics.

    Raises:
        DataError: If the images cannot be trained on, or cannot be read.
        OneboxError: If the disk is full or a package is missing.
        StoppedError: If training was stopped.
    """
    hog_training.check(data)
    repair = "choose a folder on another disk with --out"
    check_space(folder, _BYTES, what="model and report", repair=repair)
    localizer = _fit(data, recipe, folder, listener)
    write_recipe(recipe, folder)
    listener.begin(folder)
    model = folder / HOG_MODEL
    model_file.save(localizer, model)
    calibrate_model(model, data, listener)
    reports = evaluate_model(model, data, listener)
    card = dataclasses.replace(model_file.load(model).card, metrics=metrics_by_split(reports))
    model_file.save(localizer.with_card(card), model)
    metrics = write_results(folder, data, reports, _report_facts(localizer, model))
    return Run(folder, metrics, epochs=0, model_name=HOG_MODEL, reports=reports)


def _fit(data: Dataset, recipe: Recipe, folder: Path, listener: Listener) -> HogLocalizer:
    listener.stage("Training")
    try:
        settings = recipe.hog or HogSettings()
        localizer = hog_training.train(data, settings, progress=listener.advance)
    except KeyboardInterrupt:
        raise StoppedError(
            f"{folder}: training was stopped; HOG windows are trained in one go, so there is "
            "nothing to export."
        ) from None
    card = dataclasses.replace(
        localizer.card,
        recipe=recipe.model_dump(mode="json", exclude_none=True),
        provenance={**provenance(data, _PACKAGES), "weights": "none", **localizer.card.provenance},
    )
    return localizer.with_card(card)


def _report_facts(localizer: HogLocalizer, model: Path) -> dict[str, str]:
    """Lines about the windows for the report's head."""
    hog = localizer.model
    shapes = ["{} x {}".format(*bank.shape) for bank in hog.banks]
    return {
        "Model": str(model),
        "Windows": f"{', '.join(shapes)} cells of {hog.settings.cell} px",
        "Levels": ", ".join(f"{length} px" for length in hog.level_lengths),
    }
