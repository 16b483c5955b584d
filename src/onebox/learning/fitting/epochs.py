"""How many epochs and steps training takes, and how often it is validated."""

import math

from onebox.recipes.recipe import Recipe

# Not tuned one by one; docs/accuracy.md has the accuracy that they reach.
_FEWEST_STEPS, _MOST_STEPS = 300, 20_000
_DEFAULT_EPOCHS = 30
_MOST_TIMES_DEFAULT = 3  # within a time budget; not tuned
_STEPS_PER_VALIDATION = 20  # or more: each validation also writes a checkpoint


def steps_per_epoch(images: int, recipe: Recipe) -> int:
    """Steps of one pass over the training images."""
    return math.ceil(images / recipe.train.batch_size)


def count_epochs(images: int, recipe: Recipe) -> int:
    """Epochs of a training run: the recipe's, or a default that follows the number of images.

    A time budget without a number of epochs allows three times the default.
    """
    if recipe.train.epochs is not None:
        return recipe.train.epochs
    steps = steps_per_epoch(images, recipe)
    default = min(max(steps * _DEFAULT_EPOCHS, _FEWEST_STEPS), _MOST_STEPS)
    epochs = math.ceil(default / steps)
    return epochs if recipe.train.minutes is None else _MOST_TIMES_DEFAULT * epochs


def epochs_per_validation(epochs: int, images: int, recipe: Recipe) -> int:
    """Epochs from one validation to the next; they divide ``epochs``, so the last is validated.

    It is one if every epoch is saved, or if epochs without progress are counted.
    """
    if recipe.train.save_every_epoch or recipe.train.patience:
        return 1
    most = recipe.train.validate_every
    if most is None:
        most = math.ceil(_STEPS_PER_VALIDATION / steps_per_epoch(images, recipe))
    return next(count for count in range(min(epochs, most), 0, -1) if epochs % count == 0)
