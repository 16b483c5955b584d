"""Cached features: a frozen backbone's feature maps of a few augmented views of each image.

While the backbone is frozen, its feature maps of an unchanged view stay the same. With few images,
a few views of each suffice for the heads' first steps, and the backbone sees each view once.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from onebox.learning.data.augmentation import Pairs, Targets, augment
from onebox.learning.data.dataloader import Batch
from onebox.learning.fitting.epochs import steps_per_epoch
from onebox.learning.fitting.schedules import frozen_steps
from onebox.learning.networks.backbones import Backbone
from onebox.recipes.recipe import Recipe
from onebox.recipes.sections import AugmentSettings

_MOST_VIEWS = 1200  # of all images: 0.2 GB of feature maps of a small backbone


class View(NamedTuple):
    """A batch after augmentation: images in [0, 1], channels last in memory, and their truth."""

    images: Float[Tensor, "n 3 size size"]
    truth: Batch


class CachedFeatures(NamedTuple):
    """Feature maps, the finer first, and targets of all training images, by view and row."""

    maps: list[Float[Tensor, "views rows channels height width"]]
    boxes: Float[Tensor, "views rows 4"]
    keypoints: Float[Tensor, "views rows keypoints 3"]


def count_views(steps: int, images: int, recipe: Recipe) -> int:
    """Number of views to cache in a training run of ``steps`` steps; 0 to augment at each step.

    It is 0 if each epoch with a frozen backbone would have a view of its own, or if there would
    be too many views.
    """
    views = recipe.train.feature_cache_views
    epochs = frozen_steps(recipe.train, steps) / steps_per_epoch(images, recipe)
    return views if epochs > views and views * images <= _MOST_VIEWS else 0


def to_planes(pixels: Tensor) -> Tensor:
    """Convert uint8 pixels (n, height, width, 3) to planes (n, 3, height, width) in [0, 1]."""
    return pixels.permute(0, 3, 1, 2).float() / 255


def augment_batch(
    batch: Batch,
    settings: AugmentSettings,
    *,
    size: int,
    flip_pairs: Pairs,
    generator: torch.Generator,
) -> View:
    """Augment a batch at random; see `augment`."""
    targets = Targets(batch.boxes.cpu(), batch.keypoints.cpu(), batch.aspects.cpu())
    images, moved = augment(
        to_planes(batch.pixels),
        targets,
        settings,
        size=size,
        flip_pairs=flip_pairs,
        generator=generator,
    )
    device = batch.boxes.device
    truth = batch._replace(boxes=moved.boxes.to(device), keypoints=moved.keypoints.to(device))
    return View(images.contiguous(memory_format=torch.channels_last), truth)


def cache_features(
    backbone: Backbone, batches: Iterable[Batch], views: Sequence[Callable[[Batch], View]]
) -> CachedFeatures:
    """Compute a frozen backbone's features of all training images in each of some views.

    The batches have the images in the order of their rows. Each view is called once for every
    batch, in order, and returns the augmented batch on the backbone's device.
    """
    whole = list(batches)
    parts = [_features(backbone, map(view, whole)) for view in views]
    maps, boxes, keypoints = zip(*parts, strict=True)
    stacked = [torch.stack(each) for each in zip(*maps, strict=True)]
    return CachedFeatures(stacked, torch.stack(boxes), torch.stack(keypoints))


def _features(backbone: Backbone, views: Iterable[View]) -> tuple[list[Tensor], Tensor, Tensor]:
    with torch.no_grad():
        parts = [(backbone(view.images), view.truth.boxes, view.truth.keypoints) for view in views]
    maps, boxes, keypoints = zip(*parts, strict=True)
    rows = [torch.cat(each) for each in zip(*maps, strict=True)]
    return rows, torch.cat(boxes), torch.cat(keypoints)


def read_features(cached: CachedFeatures, batch: Batch, epoch: int) -> tuple[list[Tensor], Batch]:
    """The cached feature maps and targets of a batch in the view of an epoch, counted from 0.

    The batch has its rows in ascending order. A row that occurs again, because the images do not
    fill the batch, gets the next view.
    """
    rows = batch.rows
    repeats = torch.arange(len(rows), device=rows.device) - torch.searchsorted(rows, rows)
    view = (epoch + repeats) % len(cached.boxes)
    maps = [each[view, rows] for each in cached.maps]
    truth = batch._replace(boxes=cached.boxes[view, rows], keypoints=cached.keypoints[view, rows])
    return [each.contiguous(memory_format=torch.channels_last) for each in maps], truth
