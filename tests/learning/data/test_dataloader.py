"""Batches: every row in each epoch, in an order that depends on seed and epoch alone."""

import numpy as np
import pytest
import torch

from onebox.learning.data.dataloader import RowsInOrder, ShuffledRows, batches
from onebox.learning.data.decoded_cache import Decoded


def order_of(count, batch_size, *, seed=0, epoch=0):
    rows = ShuffledRows(count, batch_size, seed)
    rows.set_epoch(epoch)
    return list(rows)


def numbered(count):
    """Rows whose pixels, boxes, labels and keypoints all equal their number."""
    number = np.arange(count)
    return Decoded(
        np.broadcast_to(number[:, None, None, None], (count, 2, 2, 3)).astype(np.uint8),
        np.repeat(number[:, None], 4, axis=1).astype(np.float32),
        number % 2 == 0,
        number.astype(np.int64),
        np.broadcast_to(number[:, None, None], (count, 2, 3)).astype(np.float32),
        (1 + number).astype(np.float32),
        ((0, 1),),
        "digest",
    )


@pytest.mark.parametrize(
    ("count", "batch_size"), [(1, 1), (1, 4), (7, 3), (8, 4), (9, 4), (10, 32)]
)
def test_every_row_appears_each_epoch_and_every_batch_is_full(count, batch_size):
    chosen = order_of(count, batch_size)
    assert {row for batch in chosen for row in batch} == set(range(count))
    assert [len(batch) for batch in chosen] == [batch_size] * len(chosen)
    assert len(chosen) == -(-count // batch_size) == len(ShuffledRows(count, batch_size, 0))


def test_no_row_comes_twice_before_all_have_come():
    chosen = [row for batch in order_of(10, 4) for row in batch]
    counts = np.bincount(chosen)
    # three batches of 4 for 10 rows: two rows come twice, to fill the last batch
    assert sorted(counts.tolist()) == [1] * 8 + [2] * 2


def test_the_order_depends_on_seed_and_epoch_and_not_on_earlier_epochs():
    rows = ShuffledRows(20, 4, seed=3)
    for epoch in range(3):
        rows.set_epoch(epoch)
        latest = list(rows)
    assert latest == order_of(20, 4, seed=3, epoch=2)


@pytest.mark.parametrize("other", [{"seed": 1, "epoch": 0}, {"seed": 0, "epoch": 1}])
def test_another_seed_or_epoch_has_another_order(other):
    assert order_of(20, 4) != order_of(20, 4, **other)


def test_seed_and_epoch_are_not_interchangeable():
    assert order_of(20, 4, seed=1, epoch=2) != order_of(20, 4, seed=2, epoch=1)


def test_rows_in_order_come_once_and_the_last_batch_may_be_smaller():
    assert list(RowsInOrder(7, 3)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert len(RowsInOrder(7, 3)) == 3


def test_a_batch_holds_images_and_targets_of_the_same_rows():
    (first, second) = batches(numbered(5), RowsInOrder(5, 3))
    assert first.pixels.dtype == torch.uint8
    assert first.pixels.shape == (3, 2, 2, 3)
    assert second.pixels[:, 0, 0, 0].tolist() == [3, 4]
    assert second.boxes[:, 0].tolist() == [3.0, 4.0]
    assert second.has_box.tolist() == [False, True]
    assert second.labels.tolist() == [3, 4]
    assert second.keypoints.shape == (2, 2, 3)
    assert second.keypoints[:, 1, 2].tolist() == [3.0, 4.0]


def test_an_epoch_of_two_passes_has_the_batches_of_two_epochs_of_one_pass():
    single, double = ShuffledRows(10, 4, seed=3), ShuffledRows(10, 4, seed=3, passes=2)
    singles = []
    for epoch in range(4):
        single.set_epoch(epoch)
        singles += list(single)
    doubles = []
    for epoch in range(2):
        double.set_epoch(epoch)
        doubles += list(double)
    assert doubles == singles
    assert len(double) == 6  # twice 10 rows in batches of 4
