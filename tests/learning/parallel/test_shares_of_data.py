"""The rows of each worker: sampled, decoded, and recognized by any number of workers."""

from dataclasses import replace

import numpy as np
import pytest

from onebox.learning.data.dataloader import ShuffledRows
from onebox.learning.data.decoded_cache import add_digests, decode
from onebox.learning.network_runs.job import part_of
from onebox.learning.parallel.placement import Placement

pytestmark = pytest.mark.train


def rows_of(rank, workers, *, count, batch_size, epoch=0):
    """The batches of an epoch, as rows of the whole data set."""
    order = ShuffledRows(count, batch_size, 3, placement=Placement(rank, workers))
    order.set_epoch(epoch)
    batches = list(order)
    assert len(batches) == len(order)
    return [[rank + workers * row for row in batch] for batch in batches]


@pytest.mark.parametrize(("count", "workers"), [(8, 2), (9, 2), (17, 4), (5, 4), (64, 8)])
def test_workers_take_equally_many_steps_and_see_every_image_in_each_pass(count, workers):
    batches = [rows_of(rank, workers, count=count, batch_size=8) for rank in range(workers)]
    # one step for each 8 images or part of them, whatever the number of workers
    assert {len(each) for each in batches} == {-(-count // 8)}
    assert {len(batch) for each in batches for batch in each} == {8 // workers}
    seen = {row for each in batches for batch in each for row in batch}
    assert seen == set(range(count))


def test_each_pass_and_each_worker_has_an_order_of_its_own_that_the_seed_repeats():
    first = rows_of(0, 2, count=64, batch_size=8)
    assert first == rows_of(0, 2, count=64, batch_size=8)
    assert first != rows_of(0, 2, count=64, batch_size=8, epoch=1)
    other = [[row - 1 for row in batch] for batch in rows_of(1, 2, count=64, batch_size=8)]
    assert first != other


@pytest.fixture
def few(discs, shortened, monkeypatch, tmp_path):
    monkeypatch.setenv("ONEBOX_CACHE", str(tmp_path / "cache"))
    return shortened(discs, train=5, val=3)


def decoded_parts(data, workers):
    placements = [Placement(rank, workers) for rank in range(workers)]
    return [decode(part_of(data, each).part("train"), 32, placement=each) for each in placements]


def test_each_worker_decodes_its_own_images_alone(few):
    whole = decode(few.part("train"), 32)
    even, odd = decoded_parts(few, 2)
    np.testing.assert_array_equal(even.pixels, whole.pixels[[0, 2, 4]])
    np.testing.assert_array_equal(odd.boxes, whole.boxes[[1, 3]])


@pytest.mark.parametrize("workers", [2, 3, 5])
def test_the_digest_of_all_parts_is_that_of_the_whole(few, workers):
    parts = decoded_parts(few, workers)
    assert add_digests(part.digest for part in parts) == decode(few.part("train"), 32).digest
    assert len({part.digest for part in parts}) == workers


def test_two_images_that_change_places_change_the_digest(few):
    one, two, *rest = few.samples
    exchanged = replace(few, samples=(two, one, *rest))
    whole = decode(few.part("train"), 32).digest
    assert decode(exchanged.part("train"), 32).digest != whole
