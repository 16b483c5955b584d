"""Student's t: quantiles of the tables, and the interval of a mean."""

import numpy as np
import pytest

from onebox.confidence.student_t import t_interval, t_quantile


@pytest.mark.parametrize(
    ("freedom", "quantile"),
    [
        *[(1, 12.7062), (2, 4.3027), (3, 3.1824), (4, 2.7764), (5, 2.5706)],
        *[(9, 2.2622), (10, 2.2281), (29, 2.0452), (99, 1.9842), (100, 1.9840)],
    ],
)
def test_quantiles_are_those_of_the_tables(freedom, quantile):
    assert t_quantile(freedom) == pytest.approx(quantile, abs=5e-5)


def test_with_many_degrees_of_freedom_the_quantile_is_the_normal_one():
    assert t_quantile(1_000_000) == pytest.approx(1.95996, abs=1e-5)


def test_three_numbers_have_the_interval_worked_out_by_hand():
    low, high = t_interval(np.array([0.70, 0.72, 0.74]))
    # Mean 0.72, standard deviation 0.02; 4.3027 * 0.02 / sqrt(3) = 0.04968.
    assert low == pytest.approx(0.67032, abs=1e-5)
    assert high == pytest.approx(0.76968, abs=1e-5)


def test_the_t_interval_holds_the_mean_in_95_of_100_samples():
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(2000):
        low, high = t_interval(rng.normal(0.7, 0.1, size=12))
        hits += low <= 0.7 <= high
    # The standard deviation of the share is sqrt(0.95 * 0.05 / 2000) = 0.005.
    assert hits / 2000 == pytest.approx(0.95, abs=0.02)
