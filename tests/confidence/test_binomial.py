"""The binomial distribution and quantiles of the beta distribution, against SciPy."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onebox.confidence.binomial import beta_quantile, cumulative

stats = pytest.importorskip("scipy.stats")


def test_at_most_one_head_in_three_tosses_has_the_probability_one_half():
    # TTT, and a head in one of three places: 4 of 8
    assert cumulative(1, 3, 0.5) == pytest.approx(0.5, abs=1e-15)


@pytest.mark.parametrize(
    ("successes", "trials", "probability", "expected"),
    [(0, 0, 0.5, 1), (5, 5, 0.9, 1), (2, 5, 0.0, 1), (2, 5, 1.0, 0), (0, 5, 1.0, 0)],
)
def test_the_ends_of_the_range_are_exact(successes, trials, probability, expected):
    assert cumulative(successes, trials, probability) == expected


@given(data=st.data(), trials=st.integers(1, 3000), probability=st.floats(1e-6, 1 - 1e-6))
def test_the_distribution_is_scipys(data, trials, probability):
    successes = data.draw(st.integers(0, trials))
    theirs = stats.binom.cdf(successes, trials, probability)
    assert cumulative(successes, trials, probability) == pytest.approx(theirs, abs=1e-10)


@given(a=st.integers(1, 400), b=st.integers(1, 400), probability=st.floats(0.001, 0.999))
def test_quantiles_are_scipys(a, b, probability):
    theirs = stats.beta.ppf(probability, a, b)
    assert beta_quantile(probability, a, b) == pytest.approx(theirs, abs=1e-9)


def test_with_two_parameters_of_1_the_distribution_is_uniform():
    assert beta_quantile(0.3, 1, 1) == pytest.approx(0.3)
