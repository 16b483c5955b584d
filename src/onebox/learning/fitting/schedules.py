"""Schedules: learning rates and image size as functions of the progress of training."""

import math
from collections.abc import Callable

from torch import nn
from torch.optim import Optimizer

from onebox.learning.fitting.training_progress import TrainingProgress
from onebox.recipes.recipe import Recipe
from onebox.recipes.sections import TrainSettings

Schedule = Callable[[int | float], float]
"""A position in steps → the factor of a parameter group's highest learning rate."""

_LAST_FACTOR = 0.01  # at the end of the cycle; not tuned (torch's OneCycleLR ends far lower)
_GROWS_FROM, _GROWS_UNTIL = 0.5, 0.8  # of the progress; not tuned
_SIZE_MULTIPLE = 32  # pixels: the deepest feature map of most backbones has a cell for so many


def one_cycle(settings: TrainSettings, total: int) -> Schedule:
    """A linear rise, then half a cosine, as factors of the highest learning rate.

    References:
        Smith and Topin, arXiv:1708.07120, section 3.
    """
    warmup = max(1, round(settings.warmup_fraction * total))

    def factor(step: int | float) -> float:
        if step < warmup:
            return (step + 1) / warmup
        done = min(1.0, (step - warmup) / max(1, total - warmup))
        return _LAST_FACTOR + (1 - _LAST_FACTOR) * (1 + math.cos(math.pi * done)) / 2

    return factor


def exponential(settings: TrainSettings, total: int) -> Schedule:  # noqa: ARG001
    """The factor ``decay_rate`` every ``decay_steps``, a little of it at each step."""
    return lambda step: settings.decay_rate ** (step / settings.decay_steps)


SCHEDULES: dict[str, Callable[[TrainSettings, int], Schedule]] = {
    "one_cycle": one_cycle,
    "exponential": exponential,
}


def frozen_steps(settings: TrainSettings, total: int) -> int:
    """The first of ``total`` steps, in which the whole backbone is frozen."""
    return round((settings.freeze_backbone_fraction or 0.0) * total)


def is_backbone_frozen(settings: TrainSettings, progress: TrainingProgress, step: int) -> bool:
    """Whether the whole backbone is frozen in the step after ``step`` steps."""
    return progress.position(step) < frozen_steps(settings, progress.steps)


def learning_rate_factors(
    optimizer: Optimizer, backbone: nn.Module, settings: TrainSettings, progress: TrainingProgress
) -> list[Callable[[int], float]]:
    """The learning-rate factor of each of an optimizer's parameter groups.

    The backbone's schedule starts when the backbone is no longer frozen, and ends with that of the
    heads.
    """
    total = progress.steps
    first = frozen_steps(settings, total)
    make = SCHEDULES[settings.schedule]
    of_all, of_unfrozen = make(settings, total), make(settings, total - first)
    in_backbone = {id(parameter) for parameter in backbone.parameters()}

    def of_heads(step: int) -> float:
        return of_all(progress.position(step))

    def of_backbone(step: int) -> float:
        position = progress.position(step)
        return 0.0 if position < first else of_unfrozen(position - first)

    return [
        of_backbone if id(group["params"][0]) in in_backbone else of_heads
        for group in optimizer.param_groups
    ]


def image_size_at(fraction: float, recipe: Recipe) -> int:
    """Side of the training images at a progress in [0, 1], in pixels.

    Small images teach nearly the same at first and cost less; the last steps see the size of the
    exported model.
    """
    whole, first = recipe.model.size, recipe.train.initial_scale
    grown = min(1.0, max(0.0, (fraction - _GROWS_FROM) / (_GROWS_UNTIL - _GROWS_FROM)))
    side = whole * (first + (1 - first) * grown)
    return min(whole, math.ceil(side / _SIZE_MULTIPLE) * _SIZE_MULTIPLE)
