"""Training pictures as they are shown: varied anew at each step, or a few views of each, kept.

As long as the backbone rests, its maps of a picture that is shown in one way stay the same. With
few pictures, few ways to show each do for the heads' first steps, and the backbone looks at each
once.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from onebox.learning.augmentation import Pairs, Targets, augment
from onebox.learning.backbones import Backbone
from onebox.learning.batches import Batch
from onebox.learning.recipe import AugmentSettings

_MOST_BYTES = 2**30
_BYTES_A_NUMBER = 4


class View(NamedTuple):
    """A batch as it is shown.

    Attributes:
        pictures: Values in [0, 1], channels last in memory.
        truth: The batch, its boxes and joints where the pictures now have them.
    """

    pictures: Float[Tensor, "n 3 size size"]
    truth: Batch


class KeptView(NamedTuple):
    """All training pictures shown in one way, row by row, as a resting backbone sees them.

    Attributes:
        maps: The backbone's.
        boxes: As in `Batch`, where the view has them.
        joints: Likewise.
    """

    maps: list[Tensor]
    boxes: Float[Tensor, "n 4"]
    joints: Float[Tensor, "n joints 3"]


def planes(pixels: Tensor) -> Tensor:
    """uint8 rows of pixels → planes in [0, 1]."""
    return pixels.permute(0, 3, 1, 2).float() / 255


def vary(
    batch: Batch,
    settings: AugmentSettings,
    *,
    size: int,
    flip_pairs: Pairs,
    generator: torch.Generator,
) -> View:
    """Show a batch at random, as `augment` does."""
    targets = Targets(batch.boxes.cpu(), batch.joints.cpu())
    pictures, moved = augment(
        planes(batch.pixels),
        targets,
        settings,
        size=size,
        flip_pairs=flip_pairs,
        generator=generator,
    )
    device = batch.boxes.device
    truth = batch._replace(boxes=moved.boxes.to(device), joints=moved.joints.to(device))
    return View(pictures.contiguous(memory_format=torch.channels_last), truth)


def find_room(backbone: Backbone, looks: int) -> bool:
    """Whether the maps of so many looks at pictures, at the whole size, find room in a gigabyte."""
    numbers = sum(channels * rows * columns for channels, rows, columns in backbone.shapes)
    return looks * numbers * _BYTES_A_NUMBER <= _MOST_BYTES


def keep_views(
    backbone: Backbone, batches: Iterable[Batch], show: Sequence[Callable[[Batch], View]]
) -> list[KeptView]:
    """Have a backbone at rest look at all training pictures, shown in each of some ways.

    Args:
        backbone: In the modes of `rates.rest`; it stays as it is.
        batches: All training pictures, in the order of their rows, on the backbone's device.
        show: The ways; each is asked for every batch once, in their order.
    """
    return [_keep(backbone, map(way, batches)) for way in show]


def _keep(backbone: Backbone, views: Iterable[View]) -> KeptView:
    with torch.no_grad():
        parts = [
            KeptView(backbone(view.pictures), view.truth.boxes, view.truth.joints) for view in views
        ]
    maps, boxes, joints = zip(*parts, strict=True)
    return KeptView(
        [torch.cat(each) for each in zip(*maps, strict=True)], torch.cat(boxes), torch.cat(joints)
    )


def recall(kept: KeptView, batch: Batch) -> tuple[list[Tensor], Batch]:
    """The backbone's maps of a batch in a kept view, and what is true of it there."""
    maps = [each[batch.rows] for each in kept.maps]
    truth = batch._replace(boxes=kept.boxes[batch.rows], joints=kept.joints[batch.rows])
    return [each.contiguous(memory_format=torch.channels_last) for each in maps], truth
