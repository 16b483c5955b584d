"""False-discovery rates: p-values of the empirical null, and q-values."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from onebox.audit.false_discovery import (
    normal_tail,
    p_values,
    q_values,
    q_values_of_probabilities,
)

PROBABILITIES = st.lists(st.floats(0, 1), min_size=1, max_size=40).map(np.array)


def right_scores(count, seed=0):
    return np.exp(np.random.default_rng(seed).normal(0.4, 0.5, count))


@given(st.floats(-8, 8))
def test_the_tail_of_the_normal_is_that_of_scipy(z):
    assert normal_tail(z) == pytest.approx(stats.norm.sf(z), rel=1e-9)


@given(PROBABILITIES)
def test_q_values_are_those_of_scipy(p):
    np.testing.assert_allclose(q_values(p), stats.false_discovery_control(p), rtol=1e-12)


def test_q_values_of_four_p_values_by_hand():
    # sorted .01 .02 .03 .5, times 4 over rank: .04 .04 .04 .5
    found = q_values(np.array([0.5, 0.01, 0.03, 0.02]))
    np.testing.assert_allclose(found, [0.5, 0.04, 0.04, 0.04])


def test_without_labels_there_are_no_values():
    none = np.zeros(0)
    assert len(p_values(none)) == len(q_values(none)) == len(q_values_of_probabilities(none)) == 0


def test_the_median_has_p_one_half_and_a_higher_score_a_lower_p():
    scores = right_scores(401)
    p = p_values(scores)
    assert p[np.argsort(scores)[200]] == pytest.approx(0.5)
    assert (np.diff(p[np.argsort(scores)]) <= 0).all()


def test_log_normal_scores_have_uniform_p_values():
    assert stats.kstest(p_values(right_scores(2000)), "uniform").pvalue > 0.01


def test_a_tenth_of_wrong_labels_hardly_moves_the_p_values_of_the_right_ones():
    right = right_scores(900)
    alone = p_values(right)
    among = p_values(np.concatenate([right, np.full(100, 50.0)]))[:900]
    # the median moves up by 0.14 standard deviations: at most .4 x .14 = .06 of probability
    assert np.abs(among - alone).max() < 0.08


def test_scores_that_are_all_equal_are_not_suspicious():
    np.testing.assert_array_equal(p_values(np.full(5, 3.0)), 0.5)


@pytest.mark.parametrize("rate", [0.05, 0.1, 0.2])
def test_of_log_normal_scores_and_wrong_labels_the_stated_rate_holds(rate):
    shares = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        wrong = np.exp(rng.normal(2.4, 0.5, 15))  # four standard deviations above
        listed = q_values(p_values(np.concatenate([right_scores(285, seed), wrong]))) <= rate
        shares.append(listed[:285].sum() / max(1, listed.sum()))
    # 40 means of a share: its standard error is about .02
    assert np.mean(shares) < rate + 0.05


def test_the_rate_of_probabilities_is_their_mean_over_the_list():
    # of the two lowest (.1 + .2) / 2, of all three (.1 + .2 + .9) / 3
    found = q_values_of_probabilities(np.array([0.9, 0.1, 0.2]))
    np.testing.assert_allclose(found, [0.4, 0.1, 0.15])
