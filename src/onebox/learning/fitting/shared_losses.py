"""Losses of workers that train together: weighted so that their mean is that of the whole batch.

A loss is a mean over the images, or keypoints, of the batch that teach it. Workers may have
different numbers of these, and the gradients of all workers are averaged. So each worker's loss is
multiplied by its number over the mean number of all workers.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from onebox.learning.data.dataloader import Batch
from onebox.learning.parallel.process_group import is_grouped, sum_over_workers
from onebox.recipes.sections import LossSettings

# Kind of a loss → the number of those that teach it, by position in `_counts`.
_TAUGHT_BY = {"box": 1, "iou": 1, "label": 2, "presence": 0, "keypoints": 3}


def part_names(settings: LossSettings) -> list[str]:
    """The names of all losses that a batch may have; see `compute_loss`."""
    boxes = [f"box/{name}" for name in settings.box]
    keypoints = [f"keypoints/{name}" for name in settings.keypoints]
    return [*boxes, "label", "iou", "presence", *keypoints]


def shared_parts(parts: Mapping[str, Tensor], truth: Batch) -> dict[str, Tensor]:
    """This worker's losses, whose mean over the workers is the loss of the whole batch."""
    if not is_grouped():
        return dict(parts)
    counts = _counts(truth)
    sums = sum_over_workers(torch.cat([counts, torch.ones_like(counts[:1])]))
    weights = counts * sums[-1] / sums[:-1].clamp(min=1)
    return {
        name: part * weights[_TAUGHT_BY[name.partition("/")[0]]] for name, part in parts.items()
    }


def mean_over_workers(parts: Mapping[str, Tensor], names: list[str]) -> dict[str, Tensor]:
    """The losses of the whole batch: each that at least one worker has, without gradient."""
    if not is_grouped():
        return {name: part.detach() for name, part in parts.items()}
    zero = next(iter(parts.values())).detach().float() * 0
    values = torch.stack(
        [parts[name].detach().float() if name in parts else zero for name in names]
    )
    has = torch.tensor([float(name in parts) for name in names], device=values.device)
    values, has = sum_over_workers(torch.stack([values, has]))
    workers = sum_over_workers(torch.ones_like(has[:1]))[0]
    return {name: values[row] / workers for row, name in enumerate(names) if has[row] > 0}


def _counts(truth: Batch) -> Tensor:
    """Numbers of images, images with a box, labelled images and labelled keypoints."""
    is_labelled = truth.keypoints[truth.has_box][..., 2] > 0
    rows = len(truth.boxes)
    counts = (truth.has_box.sum(), (truth.labels >= 0).sum(), is_labelled.sum())
    return torch.stack([torch.full_like(counts[0], rows), *counts]).float()
