"""Anchor boxes: where a cell's offsets start from, and the two ways between box and offsets.

Anchors lie at the middle of every cell of a map, in shares of the image's sides. Boxes are
``xyxy`` in the same unit; offsets are ``(dx, dy, dw, dh)``: the move of the centre in widths and
heights of the anchor, and the logarithms of the ratios of the sides.
"""

import math

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor
from torchvision.ops import box_convert

from onebox.recipes.sections import AnchorSettings

_CLIP = math.log(1000 / 16)  # of a logarithm of a ratio, as torchvision's box coder has it
_ROUNDS = 100

Rows = Float[Tensor, "*rows 4"]


def anchor_sizes(settings: AnchorSettings) -> list[tuple[float, float]]:
    """Widths and heights: those that were clustered, or every scale with every aspect."""
    if settings.sizes:
        return list(settings.sizes)
    return [
        (scale * math.sqrt(aspect), scale / math.sqrt(aspect))
        for scale in settings.scales
        for aspect in settings.aspects
    ]


def place_anchors(
    sizes: Float[Tensor, "a 2"], rows: int, columns: int
) -> Float[Tensor, "anchors 4"]:
    """``cxcywh`` anchors of every size at every cell, cells by rows and sizes within a cell."""
    y = (torch.arange(rows).to(sizes) + 0.5) / rows
    x = (torch.arange(columns).to(sizes) + 0.5) / columns
    centres = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1).reshape(-1, 1, 2)
    count = len(sizes)
    pairs = [centres.expand(-1, count, 2), sizes.expand(len(centres), count, 2)]
    return torch.cat(pairs, dim=-1).reshape(-1, 4)


def encode(boxes: Rows, anchors: Rows) -> Rows:
    """Offsets that lead from ``cxcywh`` anchors to ``xyxy`` boxes.

    References:
        Girshick et al., arXiv:1311.2524, appendix C.
    """
    wanted = box_convert(boxes, "xyxy", "cxcywh")
    move = (wanted[..., :2] - anchors[..., :2]) / anchors[..., 2:]
    return torch.cat([move, (wanted[..., 2:] / anchors[..., 2:]).log()], dim=-1)


def decode(offsets: Rows, anchors: Rows) -> Rows:
    """``xyxy`` boxes that offsets lead to from ``cxcywh`` anchors: the inverse of `encode`."""
    centre = anchors[..., :2] + offsets[..., :2] * anchors[..., 2:]
    sides = anchors[..., 2:] * offsets[..., 2:].clamp(max=_CLIP).exp()
    return torch.cat([centre - sides / 2, centre + sides / 2], dim=-1)


def cluster_sizes(
    boxes: Float[ndarray, "n 4"], count: int, seed: int
) -> tuple[tuple[float, float], ...]:
    """Sizes around which those of the boxes gather, by k-means with overlap for nearness.

    Args:
        boxes: ``xyxy`` in shares of the image's sides.
        count: How many sizes; no more than there are different ones come back.
        seed: Chooses the first centres.

    References:
        Redmon and Farhadi, arXiv:1612.08242, section 2 (dimension clusters).
    """
    sizes = boxes[:, 2:] - boxes[:, :2]
    different = np.unique(sizes, axis=0)
    generator = np.random.default_rng(seed)
    centres = different[generator.permutation(len(different))[:count]]
    for _ in range(_ROUNDS):
        nearest = _size_iou(sizes, centres).argmax(axis=1)
        members = [sizes[nearest == place] for place in range(len(centres))]
        moved = np.array(
            [
                group.mean(axis=0) if len(group) else centre
                for group, centre in zip(members, centres, strict=True)
            ]
        )
        if np.allclose(moved, centres):
            break
        centres = moved
    ordered = centres[np.argsort(centres.prod(axis=1))]
    return tuple((float(width), float(height)) for width, height in ordered)


def _size_iou(
    sizes: Float[ndarray, "n 2"], centres: Float[ndarray, "k 2"]
) -> Float[ndarray, "n k"]:
    """Overlap of boxes that share their centre."""
    shared = np.minimum(sizes[:, None], centres[None]).prod(axis=2)
    return shared / (sizes.prod(axis=1)[:, None] + centres.prod(axis=1)[None] - shared)
