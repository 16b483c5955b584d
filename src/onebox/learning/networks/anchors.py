"""Anchor boxes at the cells of a map, and conversion between boxes and offsets from anchors.

Anchors are ``cxcywh`` and boxes are ``xyxy``, both in normalized image coordinates. Offsets are
``(dx, dy, dw, dh)``: the shift of the centre in widths and heights of the anchor, and the
logarithms of the ratios of widths and of heights.
"""

import math

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor
from torchvision.ops import box_convert

from onebox.recipes.sections import AnchorSettings

_LARGEST_LOG_RATIO = math.log(1000 / 16)  # of box to anchor, as in torchvision's box coder
_ITERATIONS = 100  # of k-means, which converges in far fewer; not tuned

Boxes = Float[Tensor, "*rows 4"]
Offsets = Float[Tensor, "*rows 4"]


def anchor_sizes(settings: AnchorSettings) -> list[tuple[float, float]]:
    """Widths and heights: clustered ones if there are any, else every scale with every aspect."""
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
    """``cxcywh`` anchors of every size at every cell, in row-major order, sizes innermost."""
    y = (torch.arange(rows).to(sizes) + 0.5) / rows
    x = (torch.arange(columns).to(sizes) + 0.5) / columns
    centres = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1).reshape(-1, 1, 2)
    count = len(sizes)
    pairs = [centres.expand(-1, count, 2), sizes.expand(len(centres), count, 2)]
    return torch.cat(pairs, dim=-1).reshape(-1, 4)


def encode(boxes: Boxes, anchors: Boxes) -> Offsets:
    """Offsets of ``xyxy`` boxes from ``cxcywh`` anchors.

    References:
        Girshick et al., arXiv:1311.2524, appendix C.
    """
    wanted = box_convert(boxes, "xyxy", "cxcywh")
    shift = (wanted[..., :2] - anchors[..., :2]) / anchors[..., 2:]
    return torch.cat([shift, (wanted[..., 2:] / anchors[..., 2:]).log()], dim=-1)


def decode(offsets: Offsets, anchors: Boxes) -> Boxes:
    """``xyxy`` boxes at offsets from ``cxcywh`` anchors; the inverse of `encode`."""
    centre = anchors[..., :2] + offsets[..., :2] * anchors[..., 2:]
    size_wh = anchors[..., 2:] * offsets[..., 2:].clamp(max=_LARGEST_LOG_RATIO).exp()
    return torch.cat([centre - size_wh / 2, centre + size_wh / 2], dim=-1)


def cluster_sizes(
    boxes: Float[ndarray, "n 4"], count: int, seed: int
) -> tuple[tuple[float, float], ...]:
    """Typical widths and heights of normalized ``xyxy`` boxes, by k-means whose similarity is IoU.

    There are ``count``, or fewer if the boxes have fewer different sizes.

    References:
        Redmon and Farhadi, arXiv:1612.08242, section 2 (dimension clusters).
    """
    sizes = boxes[:, 2:] - boxes[:, :2]
    different = np.unique(sizes, axis=0)
    generator = np.random.default_rng(seed)
    centres = different[generator.permutation(len(different))[:count]]
    for _ in range(_ITERATIONS):
        nearest = _size_iou(sizes, centres).argmax(axis=1)
        members = [sizes[nearest == index] for index in range(len(centres))]
        pairs = zip(members, centres, strict=True)
        moved = np.array([own.mean(axis=0) if len(own) else centre for own, centre in pairs])
        if np.allclose(moved, centres):
            break
        centres = moved
    ordered = centres[np.argsort(centres.prod(axis=1))]
    return tuple((float(width), float(height)) for width, height in ordered)


def _size_iou(
    sizes: Float[ndarray, "n 2"], centres: Float[ndarray, "k 2"]
) -> Float[ndarray, "n k"]:
    """IoU of boxes that share their centre."""
    intersection = np.minimum(sizes[:, None], centres[None]).prod(axis=2)
    union = sizes.prod(axis=1)[:, None] + centres.prod(axis=1)[None] - intersection
    return intersection / union
