"""Decoded images as batches of tensors, in an order that follows from seed and epoch alone."""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from onebox.learning.data.decoded_cache import Decoded


class Batch(NamedTuple):
    """Some rows of `Decoded`, as tensors.

    Attributes:
        pixels: uint8 of shape (n, side, side, 3).
        boxes: ``xyxy`` in shares of the sides, of shape (n, 4).
        has_box: Whether the image has a subject with a box, of shape (n,).
        labels: Index of the class, or ``cache.NO_LABEL``, of shape (n,).
        keypoints: ``(x, y, visibility)`` in shares of the sides, of shape (n, keypoints, 3).
        rows: Which rows of `Decoded` they are, of shape (n,).
    """

    pixels: Tensor
    boxes: Tensor
    has_box: Tensor
    labels: Tensor
    keypoints: Tensor
    rows: Tensor


class DecodedRows(Dataset[Batch]):
    """Indexed by a list of rows: a batch is one gather from the mapped file."""

    def __init__(self, decoded: Decoded) -> None:
        self._decoded = decoded

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self._decoded)

    def __getitem__(self, rows: list[int]) -> Batch:
        """The chosen rows as one batch."""
        chosen = self._decoded
        return Batch(
            torch.from_numpy(np.ascontiguousarray(chosen.pixels[rows])),
            torch.from_numpy(chosen.boxes[rows]),
            torch.from_numpy(chosen.has_box[rows]),
            torch.from_numpy(chosen.labels[rows]),
            torch.from_numpy(chosen.keypoints[rows]),
            torch.tensor(rows),
        )


class ShuffledRows(Sampler[list[int]]):
    """Lists of rows, each pass in an order of its own, the same in every run of one seed.

    A trainer's epoch is one pass, or some where one is short. The last batch of a pass is as large
    as the others: it is filled from the start of the order, so that no step's batch statistics rest
    on a few images.
    """

    def __init__(self, count: int, batch_size: int, seed: int, passes: int = 1) -> None:
        self._count, self._seed = count, seed
        self._batch_size, self._passes = batch_size, passes
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of one epoch; the trainer calls this."""
        self._epoch = epoch

    def __len__(self) -> int:
        """Batches an epoch."""
        return self._passes * math.ceil(self._count / self._batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        """The batches of the chosen epoch."""
        first = self._epoch * self._passes
        for number in range(first, first + self._passes):
            yield from self._pass(number)

    def _pass(self, number: int) -> Iterator[list[int]]:
        order = np.random.default_rng([self._seed, number]).permutation(self._count)
        filled = np.resize(order, math.ceil(self._count / self._batch_size) * self._batch_size)
        for start in range(0, len(filled), self._batch_size):
            yield np.sort(filled[start : start + self._batch_size]).tolist()


class RowsInOrder(Sampler[list[int]]):
    """Lists of rows from the first to the last."""

    def __init__(self, count: int, batch_size: int) -> None:
        self._count, self._batch_size = count, batch_size

    def __len__(self) -> int:
        """Batches in all."""
        return math.ceil(self._count / self._batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        """The batches."""
        for start in range(0, self._count, self._batch_size):
            yield list(range(start, min(start + self._batch_size, self._count)))


def batches(decoded: Decoded, order: Sampler[list[int]]) -> DataLoader[Batch]:
    """Batches in this process: rows are mapped, and worker processes would steal the cores."""
    return DataLoader(DecodedRows(decoded), sampler=order, batch_size=None, num_workers=0)
