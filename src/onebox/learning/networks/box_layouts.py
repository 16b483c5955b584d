"""Box layouts of a head's four numbers, on tensors; see `onebox.boxes`."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torchvision.ops import box_convert

Boxes = Float[Tensor, "*rows 4"]


def _from_xyhw(boxes: Boxes) -> Boxes:
    return box_convert(boxes[..., [0, 1, 3, 2]], "xywh", "xyxy")


def _to_xyhw(boxes: Boxes) -> Boxes:
    return box_convert(boxes, "xyxy", "xywh")[..., [0, 1, 3, 2]]


def _converter(source: str, target: str) -> Callable[[Boxes], Boxes]:
    return lambda boxes: box_convert(boxes, source, target)


# layout → (conversion to xyxy, conversion from xyxy)
LAYOUTS: dict[str, tuple[Callable[[Boxes], Boxes], Callable[[Boxes], Boxes]]] = {
    "xyxy": (torch.clone, torch.clone),
    "xywh": (_converter("xywh", "xyxy"), _converter("xyxy", "xywh")),
    "cxcywh": (_converter("cxcywh", "xyxy"), _converter("xyxy", "cxcywh")),
    "xyhw": (_from_xyhw, _to_xyhw),
}


def to_xyxy(boxes: Boxes, layout: str) -> Boxes:
    """Boxes of a named layout as ``xyxy``, in the same unit."""
    return LAYOUTS[layout][0](boxes)


def from_xyxy(boxes: Boxes, layout: str) -> Boxes:
    """``xyxy`` boxes in a named layout, in the same unit."""
    return LAYOUTS[layout][1](boxes)
