"""How long the network of each fold trains: all folds together hardly longer than one training."""

from onebox.learning.fitting.epochs import count_epochs, steps_per_epoch
from onebox.learning.network_runs.resolve import resolve_freezing
from onebox.recipes.recipe import Recipe

SHARE = 1.2
"""Steps of all folds, over those of one training run on the same data."""

_MOST_TIMES_DEFAULT = 3  # within a time budget, as in `epochs`


def fold_recipe(recipe: Recipe, *, images: int, kept: int, folds: int) -> Recipe:
    """The recipe of one fold: fewer epochs, one validation at the end, the last weights.

    Args:
        recipe: Of the whole audit; with ``train.minutes``, each fold may take three times the
            steps, and its time budget ends it.
        images: Number of images that one training run on the same data would train on.
        kept: Number of images that the fold trains on.
        folds: Number of folds.
    """
    untimed = recipe.changed({"train.minutes": None})
    whole = count_epochs(images, untimed) * steps_per_epoch(images, untimed)
    epochs = max(1, round(SHARE * whole / folds / steps_per_epoch(kept, untimed)))
    if recipe.train.minutes is not None and recipe.train.epochs is None:
        epochs *= _MOST_TIMES_DEFAULT
    changes = {
        "train.epochs": epochs,
        "train.validate_every": epochs,
        "train.checkpoint": "last",
        "train.patience": 0,
        "train.save_every_epoch": False,
    }
    return resolve_freezing(untimed.changed(changes), kept)
