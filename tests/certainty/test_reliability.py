import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import mean_squared_error

from onebox.certainty.reliability import Bin, reliability

coins = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=100)


def judged(probabilities, happened):
    return reliability(np.array(probabilities, float), np.array(happened, bool))


def test_two_bins_of_ten_worked_by_hand():
    found = judged([0.9, 0.2] * 10, [True, True] * 4 + [True, False] * 4 + [False, False] * 2)
    # of the ten at 0.2, 4 came true: 0.4; of those at 0.9, 8: 0.8
    bins = [(0.2, 0.4, 10), (0.9, 0.8, 10)]
    assert [(one.predicted, one.observed, one.images) for one in found.bins] == [
        pytest.approx(one) for one in bins
    ]
    assert found.ece == pytest.approx((0.2 + 0.1) / 2)
    # (4 x 0.64 + 6 x 0.04 + 8 x 0.01 + 2 x 0.81) / 20
    assert found.brier == pytest.approx(0.225)


def test_19_images_are_one_bin_and_150_or_more_are_fifteen():
    rising = np.linspace(0, 1, 160)
    assert len(judged(rising[:19], [True] * 19).bins) == 1
    assert len(judged(rising[:150], [True] * 150).bins) == 15
    assert [one.images for one in judged(rising, [True] * 160).bins] == [10, 11, 11] * 5


def test_a_larger_bin_counts_for_more():
    # 30 at 0.2 of which 15 came true: 0.3 off; 10 at 0.9 of which 8 did: 0.1 off
    found = judged([0.2] * 30 + [0.9] * 10, [True, False] * 15 + [True] * 8 + [False] * 2)
    assert [one.images for one in found.bins] == [30, 10]
    assert found.ece == pytest.approx((30 * 0.3 + 10 * 0.1) / 40)


def test_equal_probabilities_share_a_bin_whatever_their_order():
    mixed = [True] * 10 + [False] * 10
    for happened in (mixed, mixed[::-1]):
        found = judged([0.5] * 20, happened)
        assert found.bins == (Bin(0.5, 0.5, 20),)
        assert found.ece == 0


@pytest.mark.parametrize(("happened", "ece"), [([True] * 12, 0.0), ([False] * 12, 1.0)])
def test_certainty_that_is_right_has_no_error_and_that_is_wrong_has_all(happened, ece):
    found = judged([1.0] * 12, happened)
    assert (found.ece, found.brier, found.ece_by_chance) == (ece, ece, 0.0)


def test_one_image_is_judged_and_none_is_not():
    found = judged([0.75], [True])
    assert (found.ece, found.brier) == (0.25, 0.0625)
    # the gap is 0.25 with probability 3/4 and 0.75 with probability 1/4
    assert found.ece_by_chance == pytest.approx(0.375)
    assert judged([], []) is None


@given(coins)
def test_the_brier_score_is_the_mean_squared_error_of_scikit_learn(pairs):
    p, happened = map(np.array, zip(*pairs, strict=True))
    expected = mean_squared_error(happened.astype(float), p)
    assert judged(p, happened).brier == pytest.approx(expected)


@given(coins)
def test_bins_hold_every_image_once_in_rising_order(pairs):
    p, happened = map(np.array, zip(*pairs, strict=True))
    bins = judged(p, happened).bins
    assert sum(one.images for one in bins) == len(p)
    assert sum(one.images * one.predicted for one in bins) == pytest.approx(p.sum())
    assert sum(one.images * one.observed for one in bins) == pytest.approx(happened.sum())
    assert [one.predicted for one in bins] == sorted(one.predicted for one in bins)


def test_the_error_by_chance_is_that_of_simulated_coins():
    rng = np.random.default_rng(0)
    p = rng.random(60)
    simulated = [judged(p, rng.random(60) < p).ece for _ in range(2000)]
    assert judged(p, p > 0.5).ece_by_chance == pytest.approx(np.mean(simulated), abs=0.003)
