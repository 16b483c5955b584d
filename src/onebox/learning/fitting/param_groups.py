"""How fast each part learns: one rate for the heads, falling ones through the backbone.

Also how the rates go with the steps, and the steps in which the backbone rests.
"""

import math
from collections.abc import Callable, Iterator, Sequence

from torch import nn
from torch.nn import Parameter
from torch.optim import Optimizer

from onebox.learning.fitting.deadline import Pace
from onebox.learning.fitting.schedules import resting_steps
from onebox.recipes.sections import TrainSettings

Rate = Callable[[int | float], float]
"""A step, or a schedule's place in steps → a share of a group's highest rate."""

_LAST_RATE = 0.01  # of the highest, at the end of the cycle
_BACKBONE_RATE = 0.5  # of the heads', so that what it knows is not forgotten
_NEARLY_ALL = 0.9  # of the parameters; a part that has them is no stage, but holds the stages


def one_cycle(settings: TrainSettings, total: int) -> Rate:
    """A linear rise, then half a cosine, as shares of the highest rate.

    References:
        Smith and Topin, arXiv:1708.07120, section 3.
    """
    warmup = max(1, round(settings.warmup_fraction * total))

    def share(step: int | float) -> float:
        if step < warmup:
            return (step + 1) / warmup
        done = min(1.0, (step - warmup) / max(1, total - warmup))
        return _LAST_RATE + (1 - _LAST_RATE) * (1 + math.cos(math.pi * done)) / 2

    return share


def exponential(settings: TrainSettings, total: int) -> Rate:  # noqa: ARG001
    """Times ``decay`` every ``decay_steps``, a little at each step."""
    return lambda step: settings.decay_rate ** (step / settings.decay_steps)


SCHEDULES: dict[str, Callable[[TrainSettings, int], Rate]] = {
    "one_cycle": one_cycle,
    "exponential": exponential,
}


def is_at_rest(settings: TrainSettings, pace: Pace, step: int) -> bool:
    """Whether the backbone rests in the step after so many."""
    return pace.at(step) < resting_steps(settings, pace.planned)


def rates_of_groups(
    optimizer: Optimizer, backbone: nn.Module, settings: TrainSettings, pace: Pace
) -> list[Callable[[int], float]]:
    """How the rate of each of an optimizer's groups goes with the steps, at a pace.

    The backbone's schedule begins when its rest ends, and ends with that of the heads.
    """
    total = pace.planned
    first = resting_steps(settings, total)
    make = SCHEDULES[settings.schedule]
    whole, after_rest = make(settings, total), make(settings, total - first)
    late = {id(parameter) for parameter in backbone.parameters()}

    def of_heads(step: int) -> float:
        return whole(pace.at(step))

    def of_backbone(step: int) -> float:
        place = pace.at(step)
        return 0.0 if place < first else after_rest(place - first)

    is_late = [id(group["params"][0]) in late for group in optimizer.param_groups]
    return [of_backbone if each else of_heads for each in is_late]


def rest(backbone: nn.Module, *, is_resting: bool, frozen_stages: int = 0) -> None:
    """Keep a backbone as it is, its batch statistics too, or have it learn again.

    Args:
        backbone: Its modes and its parameters' are set.
        is_resting: Whether all of it is kept.
        frozen_stages: So many of its first stages are kept either way; see `stages_of`. Nothing is
            gone back through below the first parameter that learns, which saves their time.

    References:
        Kumar et al., arXiv:2202.10054, section 3 (the head first, so that the slopes that reach
        the features are no longer those of a random one).
    """
    backbone.train(not is_resting)
    backbone.requires_grad_(not is_resting)
    if is_resting or not frozen_stages:
        return
    for stage in stages_of(backbone)[:frozen_stages]:
        for parameter in stage:
            parameter.requires_grad = False
    for module in backbone.modules():
        own = list(module.parameters(recurse=False))
        if own and not any(parameter.requires_grad for parameter in own):
            module.eval()


def parameter_groups(
    heads: Sequence[Parameter], backbone: nn.Module, settings: TrainSettings
) -> list[dict[str, object]]:
    """Parameters for the optimizer: the backbone slower, vectors and scalars without decay."""
    share = _BACKBONE_RATE if settings.backbone_lr_scale is None else settings.backbone_lr_scale
    decay, slower = settings.layer_decay, settings.learning_rate * share
    stages = [list(backbone.parameters())] if decay == 1 else stages_of(backbone)
    rates = [slower * decay**above for above in reversed(range(len(stages)))]
    parts = [(heads, settings.learning_rate), *zip(stages, rates, strict=True)]
    groups: list[dict[str, object]] = []
    for parameters, rate in parts:
        for is_decayed in (False, True):
            chosen = [one for one in parameters if (one.ndim > 1) == is_decayed]
            weight_decay = settings.weight_decay if is_decayed else 0.0
            groups.append({"params": chosen, "lr": rate, "weight_decay": weight_decay})
    return [group for group in groups if group["params"]]


def stages_of(backbone: nn.Module) -> list[list[Parameter]]:
    """A backbone's parameters from the input to the output: its stem, then its stages.

    They are its children in their order. One that has nearly all parameters holds the stages, and
    is taken apart; one of vectors alone, as a normalisation is, belongs to what stands before it.
    """
    stages: list[list[Parameter]] = []
    for parameters in _parts(backbone, _size(backbone)):
        if stages and not any(parameter.ndim > 1 for parameter in parameters):
            stages[-1] += parameters
        else:
            stages.append(parameters)
    return stages


def _parts(module: nn.Module, whole: int) -> Iterator[list[Parameter]]:
    """Parameters of each child; a module's own, as a transformer's token, go with the first."""
    own = list(module.parameters(recurse=False))
    for child in module.children():
        if _size(child) > _NEARLY_ALL * whole and list(child.children()):
            yield from _parts(child, whole)
        elif _size(child):
            yield [*own, *child.parameters()]
            own = []
    if own:
        yield own


def _size(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
