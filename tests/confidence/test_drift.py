"""The test of exchangeability, against SciPy."""

from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onebox.confidence.drift import exchangeability_p

stats = pytest.importorskip("scipy.stats")

SAMPLES = st.lists(st.integers(0, 40), min_size=1, max_size=25).map(lambda each: np.array(each) / 8)


def test_two_images_apart_from_two_others_are_two_of_six_orders():
    # the orders of 2 + 2 values: AABB and BBAA have the distance 1
    assert exchangeability_p(np.array([1.0, 2.0]), np.array([3.0, 4.0])) == pytest.approx(1 / 3)


def test_the_same_values_do_not_differ():
    values = np.linspace(0, 1, 30)
    assert exchangeability_p(values, values) == 1


@pytest.mark.parametrize("empty", [0, 1])
def test_no_value_is_no_evidence(empty):
    samples = [np.linspace(0, 1, 9)] * 2
    samples[empty] = np.zeros(0)
    assert exchangeability_p(*samples) == 1


def distance(first, second):
    """The largest distance of two distribution functions, as a fraction."""
    return max(
        abs(
            Fraction(sum(each <= value for each in first), len(first))
            - Fraction(sum(each <= value for each in second), len(second))
        )
        for value in [*first, *second]
    )


@pytest.mark.parametrize(("first_size", "second_size"), [(1, 1), (1, 4), (3, 5), (4, 4), (4, 5)])
def test_the_p_value_is_the_share_of_all_orders_that_differ_as_much(first_size, second_size):
    places = range(first_size + second_size)
    distances = [
        distance(chosen, sorted(set(places) - set(chosen)))
        for chosen in combinations(places, first_size)
    ]
    rng = np.random.default_rng(0)
    for _ in range(20):
        samples = rng.normal(size=first_size), rng.normal(size=second_size)
        share = np.mean([each >= distance(*samples) for each in distances])
        assert exchangeability_p(*samples) == pytest.approx(share, abs=1e-12)


@pytest.mark.parametrize("shift", [0.3, 0.8, 1.5])
@pytest.mark.parametrize("sizes", [(10, 10), (19, 40), (40, 19), (200, 60)])
def test_the_p_value_is_scipys_exact_one(sizes, shift):
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=sizes[0]), rng.normal(shift, 1, size=sizes[1])
    theirs = stats.ks_2samp(first, second, method="exact").pvalue
    assert exchangeability_p(first, second) == pytest.approx(theirs, abs=1e-10)


def test_equal_values_make_the_test_careful():
    rng = np.random.default_rng(0)
    warned = [
        exchangeability_p(rng.integers(0, 4, 40) / 4, rng.integers(0, 4, 30) / 4) <= 0.05
        for _ in range(500)
    ]
    assert np.mean(warned) <= 0.05


@given(first=SAMPLES, second=SAMPLES)
def test_the_order_of_the_samples_does_not_matter(first, second):
    assert exchangeability_p(first, second) == exchangeability_p(second, first)


@pytest.mark.parametrize("shift", [0.0, 0.1, 0.25])
def test_with_many_values_the_p_value_is_the_asymptotic_one(shift):
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=900), rng.normal(shift, 1, size=1100)
    theirs = stats.ks_2samp(first, second, method="asymp").pvalue
    assert exchangeability_p(first, second) == pytest.approx(theirs, rel=0.15, abs=1e-6)


def test_like_images_are_warned_of_in_5_percent_of_repetitions():
    rng = np.random.default_rng(0)
    warned = [
        exchangeability_p(rng.normal(size=40), rng.normal(size=30)) <= 0.05 for _ in range(2000)
    ]
    assert 0.02 < np.mean(warned) <= 0.05 + 0.015


def test_images_from_elsewhere_are_found():
    rng = np.random.default_rng(0)
    p = exchangeability_p(np.exp(rng.normal(-3.2, 0.5, 60)), np.exp(rng.normal(-2.4, 0.5, 60)))
    assert p < 1e-4
