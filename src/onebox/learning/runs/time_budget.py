"""A time budget → epochs and a size: what training costs is measured, then planned to fit.

What a step costs is timed on the network itself, at the size of its first steps and at the whole
one; what lies between is taken as growing with the area.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from onebox.errors import SettingError
from onebox.learning.fitting.deadline import Deadline
from onebox.learning.fitting.module import OPTIMIZERS, keep_freed_memory
from onebox.learning.fitting.param_groups import parameter_groups, rest
from onebox.learning.fitting.schedules import (
    kept_views,
    planned_epochs,
    sensible_passes,
    size_at,
    steps_a_pass,
)
from onebox.learning.networks.network import Network
from onebox.recipes.recipe import Recipe

_FEWEST_STEPS = 200  # below it, smaller images teach more than fewer steps
_SIZES = (1.0, 0.84, 0.67, 0.5)  # of the recipe's, tried from the largest
_MULTIPLE = 32  # pixels; the deepest map of most backbones has a cell for so many
_ALIKE = 1.1  # the most that one time is of another, for both to be undisturbed
_TIMING_S = 5.0  # seconds of timed steps at one size, at most but for the last
_POINTS = 20  # of the growing size, at which the cost of a step is asked
_BESIDE = 1.1  # of a step's own time: batches, augmentation, moving average
_RESTING = 0.3  # of a step's cost, while the backbone rests and is not gone back through
_HEADS = 0.15  # of it, where the backbone's maps are kept
_BEFORE, _AFTER = 8.0, 12.0  # seconds: imports and labels; decoding, the export, what is written
_AROUND = _BEFORE + _AFTER
_MARGIN = 0.9  # of the budget is planned; machines have other work
_MEASURED = 0.015  # seconds to measure an image from its file
_MOST_PASSES = 3  # times the epochs that a recipe leaves to be planned


@dataclass(frozen=True, slots=True)
class Work:
    """How much there is to do.

    Attributes:
        train: Images to train on.
        val: Images to validate on, at each validation.
        measured: Images that the exported file is measured on, each as often as that is done.
    """

    train: int
    val: int
    measured: int


def plan(recipe: Recipe, network: Network, work: Work) -> tuple[Recipe, Deadline | None]:
    """The recipe with as many epochs as end in time, at the largest size that leaves enough steps.

    Args:
        recipe: Its size and schedule are tried first. ``train.minutes`` is from now to the end of
            the command; where it is absent, nothing is planned.
        network: Steps are timed on it; its weights stay as they are.
        work: The images.

    Returns:
        The recipe, and the deadline that training must keep though the machine grows slower; None
        where nothing is planned.

    Raises:
        SettingError: If not even one epoch at the smallest size fits.
    """
    minutes = recipe.train.minutes
    if minutes is None:
        return recipe, None
    ends_at = time.monotonic() + minutes * 60 - _BEFORE
    seconds = _MARGIN * minutes * 60 - _AROUND - _MEASURED * work.measured
    cost = _cost_of_step(recipe, network)
    plans = [_at_size(recipe, work, share, cost, seconds) for share in _sizes(recipe)]
    steps = steps_a_pass(work.train, recipe)
    enough = [each for each in plans if (each.train.epochs or 0) * steps >= _FEWEST_STEPS]
    chosen = enough[0] if enough else plans[-1]
    if not chosen.train.epochs:
        least = _least_minutes(chosen, work, cost)
        raise SettingError(
            f"--minutes {minutes:g}: one epoch over {work.train} images at {chosen.model.size} "
            f"px takes longer. Give it {least} minutes, fewer images, or a smaller backbone."
        )
    return chosen, _deadline(chosen, work, cost, ends_at)


def _deadline(recipe: Recipe, work: Work, cost: Callable[[int], float], ends_at: float) -> Deadline:
    resting = _HEADS if _keeps_views(recipe.train.epochs or 0, recipe, work) else _RESTING
    return Deadline(
        ends_at=ends_at,
        after_s=_AFTER + _MEASURED * work.measured,
        step_s=lambda done: _BESIDE * _step_seconds(done, recipe, cost, resting),
        validation_s=_validation_seconds(recipe, work, cost),
    )


def _sizes(recipe: Recipe) -> tuple[float, ...]:
    return _SIZES if recipe.model.vectorizer == "pyramid" else (1.0,)


def _at_size(
    recipe: Recipe, work: Work, share: float, cost: Callable[[int], float], seconds: float
) -> Recipe:
    """The recipe at a share of its size, with the epochs that fit, and none more than planned."""
    size = max(_MULTIPLE, math.floor(recipe.model.size * share / _MULTIPLE) * _MULTIPLE)
    smaller = recipe.model_copy(update={"model": recipe.model.model_copy(update={"size": size})})
    epochs = _fitting_epochs(smaller, work, cost, seconds)
    passes = sensible_passes(work.train, recipe)
    if epochs > passes:
        epochs -= epochs % passes  # so that a validation ends the last
    fewer = max(0, min(epochs, _most_epochs(recipe, work)))
    train = smaller.train.model_copy(update={"epochs": fewer})
    return smaller.model_copy(update={"train": train})


def _fitting_epochs(
    recipe: Recipe, work: Work, cost: Callable[[int], float], seconds: float
) -> int:
    """As many as fit, where so many have the maps of a resting backbone kept, and where not."""
    look = _look_seconds(recipe, work, cost)
    left = seconds - recipe.train.feature_cache_views * look
    kept = math.floor(left / _epoch_seconds(recipe, work, cost, _HEADS))
    if _keeps_views(min(kept, _most_epochs(recipe, work)), recipe, work):
        return kept
    return math.floor(seconds / _epoch_seconds(recipe, work, cost, _RESTING))


def _keeps_views(epochs: int, recipe: Recipe, work: Work) -> bool:
    return kept_views(epochs * steps_a_pass(work.train, recipe), work.train, recipe) > 0


def _most_epochs(recipe: Recipe, work: Work) -> int:
    """As many as the recipe asks for; where it asks for none, some times what it would take."""
    planned = planned_epochs(work.train, recipe)
    return planned if recipe.train.epochs is not None else _MOST_PASSES * planned


def _epoch_seconds(
    recipe: Recipe, work: Work, cost: Callable[[int], float], resting: float
) -> float:
    """Seconds of a mean epoch: its steps at the sizes they grow through, and the validation."""
    steps = steps_a_pass(work.train, recipe)
    points = [(point + 0.5) / _POINTS for point in range(_POINTS)]
    step = _BESIDE * sum(_step_seconds(done, recipe, cost, resting) for done in points) / _POINTS
    validation = _validation_seconds(recipe, work, cost)
    return steps * step + validation / sensible_passes(work.train, recipe)


def _validation_seconds(recipe: Recipe, work: Work, cost: Callable[[int], float]) -> float:
    """Seconds of a validation: an image takes about a third of a step's arithmetic."""
    return work.val / recipe.train.batch_size * cost(recipe.model.size) / 3


def _look_seconds(recipe: Recipe, work: Work, cost: Callable[[int], float]) -> float:
    """Seconds in which a backbone at rest looks at all images once."""
    return steps_a_pass(work.train, recipe) * _RESTING * cost(size_at(0.0, recipe))


def _step_seconds(
    done: float, recipe: Recipe, cost: Callable[[int], float], resting: float
) -> float:
    """Seconds of the step at a share ``done`` of them; ``resting`` is that of a step at rest."""
    whole = cost(size_at(done, recipe))
    return resting * whole if done < (recipe.train.freeze_backbone_fraction or 0.0) else whole


def _least_minutes(recipe: Recipe, work: Work, cost: Callable[[int], float]) -> int:
    epoch = _epoch_seconds(recipe, work, cost, _RESTING)
    seconds = epoch + _AROUND + _MEASURED * work.measured
    return math.ceil(seconds / _MARGIN / 60)


def _cost_of_step(recipe: Recipe, network: Network) -> Callable[[int], float]:
    """Seconds of a step as a function of the side of its images."""
    keep_freed_memory()  # as training does: it halves a step's time
    small = max(_MULTIPLE, size_at(0.0, recipe) // 2 // _MULTIPLE * _MULTIPLE)
    sides = sorted({recipe.model.size, small if recipe.model.vectorizer == "pyramid" else 0} - {0})
    times = [_time_step(recipe, network, side) for side in sides]
    if len(sides) == 1:
        return lambda side: times[0] * side**2 / sides[0] ** 2
    slope = max(0.0, (times[1] - times[0]) / (sides[1] ** 2 - sides[0] ** 2))
    fixed = max(0.0, times[0] - slope * sides[0] ** 2)
    return lambda side: fixed + slope * side**2


def _time_step(recipe: Recipe, network: Network, side: int) -> float:
    """Least seconds of forward, backward and an optimizer's step at a rate of zero."""
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    given = parameter_groups(network.head_parameters(), network.backbone, recipe.train)
    groups = [{**group, "lr": 0.0, "weight_decay": 0.0} for group in given]
    optimizer = OPTIMIZERS[recipe.train.optimizer](groups, fused=True)
    images = torch.rand(recipe.train.batch_size, 3, side, side)
    images = images.to(memory_format=torch.channels_last)
    network.train().to(memory_format=torch.channels_last)
    rest(network.backbone, is_resting=False, frozen_stages=recipe.train.frozen_stages)

    def step() -> float:
        start = time.perf_counter()
        outputs = network(images)
        (outputs.box.boxes.sum() + outputs.class_logits.sum()).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return time.perf_counter() - start

    step()  # for warmth
    seconds = _undisturbed(step)
    network.load_state_dict(state)
    return seconds


def _undisturbed(step: Callable[[], float]) -> float:
    """The least of some times, the two least of which agree: a busy moment of the machine is over.

    Two are enough on a quiet machine; where they never agree, timing ends all the same.
    """
    times = [step(), step()]
    while sorted(times)[1] > _ALIKE * min(times) and sum(times) < _TIMING_S:
        times.append(step())
    return min(times)
