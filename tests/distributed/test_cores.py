"""How workers share the cores of machines."""

import pytest

from onebox.distributed.cores import cores_of_each


@pytest.mark.parametrize(
    ("machines", "workers", "each"),
    [
        ([2], 1, 2),
        ([2], 2, 1),
        ([8, 8], 2, 8),
        ([8, 8], 3, 4),  # 4 + 4 on one machine, 4 on the other
        ([5, 5], 3, 2),  # 3 cores each would fit once on either machine
        ([4, 12], 2, 6),  # both on the second machine
        ([4, 12], 5, 3),  # 1 + 4 workers
        ([0, 2], 2, 1),
    ],
)
def test_workers_get_as_many_cores_as_fit_on_the_machines(machines, workers, each):
    assert cores_of_each(machines, workers) == each


@pytest.mark.parametrize(("machines", "workers"), [([2], 3), ([], 1), ([0], 1)])
def test_there_is_no_core_for_each_of_too_many_workers(machines, workers):
    assert cores_of_each(machines, workers) == 0
