"""The layouts in which a head's four numbers may stand, on tensors; see `onebox.boxes`."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torchvision.ops import box_convert

Rows = Float[Tensor, "*rows 4"]


def _from_xyhw(rows: Rows) -> Rows:
    return box_convert(rows[..., [0, 1, 3, 2]], "xywh", "xyxy")


def _to_xyhw(rows: Rows) -> Rows:
    return box_convert(rows, "xyxy", "xywh")[..., [0, 1, 3, 2]]


def _converter(source: str, target: str) -> Callable[[Rows], Rows]:
    return lambda rows: box_convert(rows, source, target)


# layout → (its rows to xyxy, xyxy to its rows)
LAYOUTS: dict[str, tuple[Callable[[Rows], Rows], Callable[[Rows], Rows]]] = {
    "xyxy": (torch.clone, torch.clone),
    "xywh": (_converter("xywh", "xyxy"), _converter("xyxy", "xywh")),
    "cxcywh": (_converter("cxcywh", "xyxy"), _converter("xyxy", "cxcywh")),
    "xyhw": (_from_xyhw, _to_xyhw),
}


def to_xyxy(rows: Rows, layout: str) -> Rows:
    """Rows of a named layout as ``xyxy``, in the same unit."""
    return LAYOUTS[layout][0](rows)


def from_xyxy(rows: Rows, layout: str) -> Rows:
    """``xyxy`` rows in a named layout, in the same unit."""
    return LAYOUTS[layout][1](rows)
