"""Batches of decoded images, in an order that depends on seed and epoch alone."""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import BatchSampler, DataLoader, Dataset, Sampler

from onebox.learning.data.decoded_cache import Decoded
from onebox.learning.parallel.placement import ALONE, Placement


class Batch(NamedTuple):
    """Some rows of `Decoded`, as tensors.

    Attributes:
        pixels: uint8 of shape (n, size, size, 3).
        boxes: Normalized ``xyxy``, of shape (n, 4).
        has_box: Whether the image has a subject with a box, of shape (n,).
        labels: Index of the class, or ``decoded_cache.NO_LABEL``, of shape (n,).
        keypoints: Normalized ``(x, y)`` and visibility, of shape (n, keypoints, 3).
        aspects: Width over height of each image before it became a square, of shape (n,).
        rows: Indices of the rows in `Decoded`, of shape (n,).
    """

    pixels: Tensor
    boxes: Tensor
    has_box: Tensor
    labels: Tensor
    keypoints: Tensor
    aspects: Tensor
    rows: Tensor


class DecodedRows(Dataset[Batch]):
    """A data set indexed by lists of rows: a batch is one gather from the mapped file."""

    def __init__(self, decoded: Decoded) -> None:
        self._decoded = decoded

    def __len__(self) -> int:
        return len(self._decoded)

    def __getitem__(self, rows: list[int]) -> Batch:
        decoded = self._decoded
        return Batch(
            torch.from_numpy(np.ascontiguousarray(decoded.pixels[rows])),
            torch.from_numpy(decoded.boxes[rows]),
            torch.from_numpy(decoded.has_box[rows]),
            torch.from_numpy(decoded.labels[rows]),
            torch.from_numpy(decoded.keypoints[rows]),
            torch.from_numpy(decoded.aspects[rows]),
            torch.tensor(rows),
        )


class ShuffledRows(Sampler[list[int]]):
    """Lists of rows; each pass over the data has its own order, which follows from the seed.

    An epoch of the trainer is one pass or several. The last batch of a pass is filled up with the
    first rows of its order, so that no step's batch statistics come from a few images.

    ``count`` and ``batch_size`` are those of all workers together. Each worker has the rows that it
    owns, numbered from 0, and its share of each batch: all workers take the same number of steps.
    """

    def __init__(
        self,
        count: int,
        batch_size: int,
        seed: int,
        passes: int = 1,
        placement: Placement = ALONE,
    ) -> None:
        self._rows = len(placement.part(range(count)))
        self._steps = math.ceil(count / batch_size)
        self._share = placement.share(batch_size)
        self._seed = [seed] if placement.is_alone else [seed, placement.rank, placement.workers]
        self._passes, self._epoch = passes, 0

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch whose order comes next; the trainer calls this."""
        self._epoch = epoch

    def __len__(self) -> int:
        return self._passes * self._steps

    def __iter__(self) -> Iterator[list[int]]:
        first = self._epoch * self._passes
        for number in range(first, first + self._passes):
            yield from self._pass(number)

    def _pass(self, number: int) -> Iterator[list[int]]:
        order = np.random.default_rng([*self._seed, number]).permutation(self._rows)
        filled = np.resize(order, self._steps * self._share)
        for start in range(0, len(filled), self._share):
            yield np.sort(filled[start : start + self._share]).tolist()


class RowsInOrder(BatchSampler):
    """Lists of rows from the first to the last."""

    def __init__(self, count: int, batch_size: int) -> None:
        super().__init__(range(count), batch_size, drop_last=False)


def batches(decoded: Decoded, order: Sampler[list[int]]) -> DataLoader[Batch]:
    """Batches, made in this process: workers would only take cores from training."""
    return DataLoader(DecodedRows(decoded), sampler=order, batch_size=None, num_workers=0)
