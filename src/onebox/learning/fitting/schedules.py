"""How many steps training takes, how often it is validated, and the size of its images."""

import math

from onebox.recipes.recipe import Recipe
from onebox.recipes.sections import TrainSettings

_PLANNED_STEPS = (300, 20_000)  # fewest and most
_PLANNED_PASSES = 30
_FEWEST_BETWEEN = 20  # steps between two validations; each costs a checkpoint, too
_GROWS_FROM, _GROWS_UNTIL = 0.5, 0.8  # shares of the steps
_MOST_LOOKS = 1200  # that are kept: a fifth of a gigabyte where the backbone is a small one
_SIZE_STEP = 32  # pixels; the deepest map of most backbones has a cell for so many


def steps_a_pass(images: int, recipe: Recipe) -> int:
    """Steps of one pass over the training images."""
    return math.ceil(images / recipe.train.batch_size)


def planned_epochs(images: int, recipe: Recipe) -> int:
    """The recipe's epochs, or as many as make a sensible number of steps."""
    if recipe.train.epochs is not None:
        return recipe.train.epochs
    steps = steps_a_pass(images, recipe)
    fewest, most = _PLANNED_STEPS
    return math.ceil(min(max(steps * _PLANNED_PASSES, fewest), most) / steps)


def sensible_passes(images: int, recipe: Recipe) -> int:
    """Passes from one validation to the next: the recipe's, or as many as make some steps.

    One where each epoch is kept, or where epochs without progress are counted.
    """
    if recipe.train.save_every_epoch or recipe.train.patience:
        return 1
    if recipe.train.validate_every is not None:
        return recipe.train.validate_every
    return math.ceil(_FEWEST_BETWEEN / steps_a_pass(images, recipe))


def passes_between(epochs: int, images: int, recipe: Recipe) -> int:
    """As many of them as divide the epochs, so that a validation ends the last."""
    most = min(epochs, sensible_passes(images, recipe))
    return next(passes for passes in range(most, 0, -1) if epochs % passes == 0)


def resting_steps(settings: TrainSettings, total: int) -> int:
    """The first of so many steps, in which the heads alone learn."""
    return round((settings.freeze_backbone_fraction or 0.0) * total)


def kept_views(total: int, images: int, recipe: Recipe) -> int:
    """Views of each image whose maps are kept while the backbone rests, of so many steps.

    0 where each step shows its images anew: where there would be a view for each pass, or too
    many maps.
    """
    views = recipe.train.feature_cache_views
    passes = resting_steps(recipe.train, total) / steps_a_pass(images, recipe)
    return views if passes > views and views * images <= _MOST_LOOKS else 0


def size_at(done: float, recipe: Recipe) -> int:
    """Side of the training images when a share ``done`` of the steps is over, in pixels.

    Small images teach the same at first for a fraction of the time; the last steps see the size
    that is shipped.
    """
    whole, first = recipe.model.size, recipe.train.initial_scale
    grown = min(1.0, max(0.0, (done - _GROWS_FROM) / (_GROWS_UNTIL - _GROWS_FROM)))
    side = whole * (first + (1 - first) * grown)
    return min(whole, math.ceil(side / _SIZE_STEP) * _SIZE_STEP)
