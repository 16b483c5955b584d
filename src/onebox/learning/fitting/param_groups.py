"""Parameter groups of the optimizer: learning rates by depth, weight decay by shape."""

import math
from collections.abc import Callable, Iterator

from torch import nn
from torch.nn import Parameter

from onebox.recipes.sections import TrainSettings

_BACKBONE_SCALE = 0.5  # of the heads' rate, from pretrained weights; other values not measured
_REFERENCE_BATCH = 32  # images per step for which a recipe states its learning rate
_SCALINGS: dict[str, Callable[[float], float]] = {
    "none": lambda factor: 1.0,  # noqa: ARG005
    "linear": lambda factor: factor,
    "sqrt": math.sqrt,
}
_NEARLY_ALL = 0.9  # of the parameters: a child that has them is a container of stages, not a stage


def scaled_learning_rate(settings: TrainSettings) -> float:
    """The highest learning rate of the heads, at the recipe's batch size.

    References:
        Goyal et al., arXiv:1706.02677, section 2.1 (linear).
    """
    factor = settings.batch_size / _REFERENCE_BATCH
    return settings.learning_rate * _SCALINGS[settings.scale_learning_rate](factor)


def parameter_groups(
    network: nn.Module, backbone: nn.Module, settings: TrainSettings
) -> list[dict[str, object]]:
    """Parameter groups: a lower rate for the backbone, no weight decay for vectors and scalars.

    What is in the network and not in the backbone is a head.
    """
    in_backbone = {id(parameter) for parameter in backbone.parameters()}
    heads = [each for each in network.parameters() if id(each) not in in_backbone]
    scale = settings.backbone_lr_scale
    of_heads = scaled_learning_rate(settings)
    highest = of_heads * (_BACKBONE_SCALE if scale is None else scale)
    decay = settings.layer_decay
    stages = [list(backbone.parameters())] if decay == 1 else stages_of(backbone)
    rates = [highest * decay**above for above in reversed(range(len(stages)))]
    groups: list[dict[str, object]] = []
    for parameters, rate in [(heads, of_heads), *zip(stages, rates, strict=True)]:
        for is_decayed in (False, True):
            chosen = [one for one in parameters if (one.ndim > 1) == is_decayed]
            weight_decay = settings.weight_decay if is_decayed else 0.0
            groups.append({"params": chosen, "lr": rate, "weight_decay": weight_decay})
    return [group for group in groups if group["params"]]


def stages_of(backbone: nn.Module) -> list[list[Parameter]]:
    """A backbone's parameters by stage, from the input to the output: the stem, then the stages.

    The stages are the backbone's children in their order. A child that has nearly all parameters
    is a container, and its children are stages. A child that has vectors alone, such as a
    normalization layer, belongs to the stage before it.
    """
    stages: list[list[Parameter]] = []
    for parameters in _children_parameters(backbone, _size(backbone)):
        if stages and not any(parameter.ndim > 1 for parameter in parameters):
            stages[-1] += parameters
        else:
            stages.append(parameters)
    return stages


def _children_parameters(module: nn.Module, whole: int) -> Iterator[list[Parameter]]:
    """Parameters of each child; the first also has the module's own (a transformer's token)."""
    own = list(module.parameters(recurse=False))
    for child in module.children():
        if _size(child) > _NEARLY_ALL * whole and list(child.children()):
            yield from _children_parameters(child, whole)
        elif _size(child):
            yield [*own, *child.parameters()]
            own = []
    if own:
        yield own


def _size(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
