"""Parts of a network with their shapes, parameters and multiply-adds, counted by PyTorch."""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from onebox.learning.networks.network import Network
from onebox.model_card import Part

# Parts that a model file holds; the scale head serves training alone.
_PARTS = (
    "backbone", "vectorizer", "shared",
    "box_head", "keypoint_head", "class_head", "iou_head", "presence_head",
)  # fmt: skip


def summarize(network: Network, size: int) -> tuple[Part, ...]:
    """Each part's parameters, operations and output shapes, in the order in which data flows.

    A black image of ``size`` pixels runs through the network, which is in evaluation mode, as it
    is exported.
    """
    shapes: dict[str, tuple[tuple[int, ...], ...]] = {}

    def record(name: str, _: nn.Module, __: Any, output: Any) -> None:  # noqa: ANN401
        shapes[name] = tuple(_shapes(output))

    parts = {name: module for name, module in network.named_children() if name in _PARTS}
    hooks = [module.register_forward_hook(partial(record, name)) for name, module in parts.items()]
    counter = FlopCounterMode(display=False)
    try:
        with counter, torch.no_grad():
            network(torch.zeros(1, 3, size, size))
    finally:
        for handle in hooks:
            handle.remove()
    operations = counter.get_flop_counts()
    return tuple(
        Part(
            name=name,
            kind=_kind(network, name),
            layers=sum(1 for module in parts[name].modules() if not list(module.children())),
            parameters=sum(weight.numel() for weight in parts[name].parameters()),
            multiply_adds=sum(operations.get(f"Network.{name}", {}).values()) // 2,
            shapes=shapes[name],
        )
        for name in _PARTS
        if name in parts and name in shapes and list(parts[name].modules())[1:]
    )


def _shapes(output: Any) -> list[tuple[int, ...]]:  # noqa: ANN401
    """Shapes of nested tensors, without the batch dimension."""
    if isinstance(output, Tensor):
        return [tuple(output.shape[1:])] if output.ndim > 1 else [(1,)]
    if isinstance(output, list | tuple):
        return [shape for part in output[:2] for shape in _shapes(part)]
    return []


def _kind(network: Network, name: str) -> str:
    module = getattr(network, name)
    return network.backbone_name if name == "backbone" else type(module).__name__
