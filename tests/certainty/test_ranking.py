import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from onebox.certainty.ranking import risk_curve, spearman

few = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=30)


def test_the_rank_correlation_of_one_swap_in_three_is_one_half():
    # 1 - 6 x (0 + 1 + 1) over 3 x (9 - 1)
    assert spearman(np.array([1.0, 2.0, 3.0]), np.array([10.0, 30.0, 20.0])) == pytest.approx(0.5)


@given(few)
def test_the_rank_correlation_with_ties_is_that_of_scipy(pairs):
    left, right = np.array(pairs, float).reshape(-1, 2).T
    found = spearman(left, right)
    if len(set(left)) < 2 or len(set(right)) < 2:
        assert found is None
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert found == pytest.approx(stats.spearmanr(left, right).statistic)


def test_the_risk_is_the_mean_loss_of_the_surest():
    curve = risk_curve(np.array([0.7, 0.9, 0.8]), np.array([0.6, 0.0, 0.3]))
    assert curve.coverages == pytest.approx((1 / 3, 2 / 3, 1))
    assert curve.risks == pytest.approx((0.0, 0.15, 0.3))
    assert curve.area == pytest.approx(0.15)


def test_a_constant_confidence_has_a_flat_curve_at_the_mean_loss():
    losses = np.array([0.0, 0.0, 0.0, 1.0])
    curve = risk_curve(np.full(4, 0.8), losses)
    assert curve.risks == pytest.approx([0.25] * 4)
    assert curve.area == pytest.approx(0.25)


def test_a_long_curve_keeps_100_points_and_its_exact_area():
    losses = np.random.default_rng(0).random(1234)
    curve = risk_curve(1 - losses, losses)
    every = np.cumsum(np.sort(losses)) / np.arange(1, 1235)
    assert len(curve.risks) == len(curve.coverages) == 100
    assert (curve.risks[0], curve.risks[-1]) == pytest.approx((losses.min(), losses.mean()))
    assert (curve.coverages[0], curve.coverages[-1]) == pytest.approx((1 / 1234, 1))
    assert curve.area == pytest.approx(every.mean())
