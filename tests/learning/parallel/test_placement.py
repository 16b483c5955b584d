"""Which rows a worker owns, and its share of a batch."""

import pytest

from onebox.learning.parallel.placement import ALONE, Placement


def test_workers_own_every_row_once():
    parts = [list(Placement(rank, 3).part(range(8))) for rank in range(3)]
    assert parts == [[0, 3, 6], [1, 4, 7], [2, 5]]


def test_the_only_worker_owns_everything():
    assert (ALONE.part("abc"), ALONE.share(32), ALONE.is_alone, ALONE.is_first) == (
        "abc", 32, True, True,
    )  # fmt: skip


def test_a_batch_is_shared_equally_or_not_at_all():
    assert Placement(1, 4).share(32) == 8
    with pytest.raises(ValueError, match="a batch of 32 cannot be divided by 3 workers"):
        Placement(0, 3).share(32)
    with pytest.raises(ValueError, match="a batch of 1 cannot"):
        Placement(0, 2).share(1)


@pytest.mark.parametrize("rank", [-1, 2])
def test_a_rank_is_that_of_a_worker(rank):
    with pytest.raises(ValueError, match=f"rank must be from 0 to 1, got {rank}"):
        Placement(rank, 2)
