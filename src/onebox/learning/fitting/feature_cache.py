"""Training images as they are shown: varied anew at each step, or a few views of each, kept.

As long as the backbone rests, its maps of an image that is shown in one way stay the same. With
few images, few ways to show each do for the heads' first steps, and the backbone looks at each
once.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from onebox.learning.data.augmentation import Pairs, Targets, augment
from onebox.learning.data.dataloader import Batch
from onebox.learning.networks.backbones import Backbone
from onebox.recipes.sections import AugmentSettings


class View(NamedTuple):
    """A batch as it is shown.

    Attributes:
        images: Values in [0, 1], channels last in memory.
        truth: The batch, its boxes and keypoints where the images now have them.
    """

    images: Float[Tensor, "n 3 size size"]
    truth: Batch


class KeptViews(NamedTuple):
    """All training images shown in some ways, way by way and row by row.

    Attributes:
        maps: A resting backbone's, the finer first.
        boxes: As in `Batch`, where the views have them.
        keypoints: Likewise.
    """

    maps: list[Float[Tensor, "views rows channels height width"]]
    boxes: Float[Tensor, "views rows 4"]
    keypoints: Float[Tensor, "views rows keypoints 3"]


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
    targets = Targets(batch.boxes.cpu(), batch.keypoints.cpu())
    images, moved = augment(
        planes(batch.pixels),
        targets,
        settings,
        size=size,
        flip_pairs=flip_pairs,
        generator=generator,
    )
    device = batch.boxes.device
    truth = batch._replace(boxes=moved.boxes.to(device), keypoints=moved.keypoints.to(device))
    return View(images.contiguous(memory_format=torch.channels_last), truth)


def keep_views(
    backbone: Backbone, batches: Iterable[Batch], show: Sequence[Callable[[Batch], View]]
) -> KeptViews:
    """Have a backbone at rest look at all training images, shown in each of some ways.

    Args:
        backbone: In the modes of `rates.rest`; it stays as it is.
        batches: All training images, in the order of their rows.
        show: The ways; each is asked for every batch once, in their order, and has the images on
            the backbone's device.
    """
    rows = list(batches)
    views = [_look(backbone, map(way, rows)) for way in show]
    maps, boxes, keypoints = zip(*views, strict=True)
    stacked = [torch.stack(each) for each in zip(*maps, strict=True)]
    return KeptViews(stacked, torch.stack(boxes), torch.stack(keypoints))


def _look(backbone: Backbone, views: Iterable[View]) -> tuple[list[Tensor], Tensor, Tensor]:
    """Maps, boxes and keypoints of all rows in one view."""
    with torch.no_grad():
        parts = [(backbone(view.images), view.truth.boxes, view.truth.keypoints) for view in views]
    maps, boxes, keypoints = zip(*parts, strict=True)
    rows = [torch.cat(each) for each in zip(*maps, strict=True)]
    return rows, torch.cat(boxes), torch.cat(keypoints)


def recall(kept: KeptViews, batch: Batch, number: int) -> tuple[list[Tensor], Batch]:
    """The backbone's maps of a batch, and what is true of it, in the views of a pass.

    Args:
        kept: All views.
        batch: Its rows in rising order. One that comes again, as where the images do not fill a
            batch, comes in the next view.
        number: Of the pass.
    """
    rows = batch.rows
    again = torch.arange(len(rows), device=rows.device) - torch.searchsorted(rows, rows)
    view = (number + again) % len(kept.boxes)
    maps = [each[view, rows] for each in kept.maps]
    truth = batch._replace(boxes=kept.boxes[view, rows], keypoints=kept.keypoints[view, rows])
    return [each.contiguous(memory_format=torch.channels_last) for each in maps], truth
