"""Temperature scaling of class probabilities."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onebox.confidence.temperature import fit, scale

PROBABILITIES = st.lists(st.floats(1e-6, 1.0), min_size=1, max_size=6).map(
    lambda each: tuple(value / sum(each) for value in each)
)


def drawn(images, temperature, seed=0, classes=3):
    """Labels that follow probabilities at a temperature, and the probabilities at 1."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (images, classes))
    true = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (true.cumsum(axis=1) > rng.random((images, 1))).argmax(axis=1)
    said = np.exp(logits * temperature)
    # Not below 1e-7, where `fit` cuts them off.
    return np.maximum(said / said.sum(axis=1, keepdims=True), 1e-7), labels


def log_likelihoods(probabilities, labels, temperatures):
    """Of each temperature, in all images together."""
    logs = np.log(probabilities)[None] / temperatures[:, None, None]
    logs -= np.log(np.exp(logs).sum(axis=2, keepdims=True))
    return logs[:, np.arange(len(labels)), labels].sum(axis=1)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 1.7, 3.0])
def test_a_fit_is_where_a_fine_grid_has_the_least_negative_log_likelihood(temperature):
    probabilities, labels = drawn(60, temperature)
    grid = np.geomspace(0.1, 10, 20_001)
    prior = 2 * (1 / grid + np.log(grid))
    best = grid[np.argmin(prior - log_likelihoods(probabilities, labels, grid))]
    assert fit(probabilities, labels) == pytest.approx(best, rel=5e-4)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_a_fit_to_many_images_finds_the_temperature_that_made_them(temperature):
    probabilities, labels = drawn(4000, temperature)
    assert fit(probabilities, labels) == pytest.approx(temperature, rel=0.06)
    grid = np.geomspace(0.1, 10, 2001)
    best = grid[np.argmax(log_likelihoods(probabilities, labels, grid))]
    assert fit(probabilities, labels) == pytest.approx(best, rel=0.01)  # the prior is lost


def test_a_model_that_says_90_percent_and_is_right_in_60_becomes_less_sure():
    said = np.tile([0.9, 0.1], (1000, 1))
    labels = np.repeat([0, 1], [600, 400])
    found = fit(said, labels)
    assert scale((0.9, 0.1), found) == pytest.approx((0.6, 0.4), abs=0.005)
    # without the prior, 9^(1/T) = 600 / 400 and T = log 9 / log 1.5
    assert found == pytest.approx(5.42, rel=0.05)


@pytest.mark.parametrize("images", [1, 9, 18])
def test_a_few_images_that_are_all_right_leave_no_certainty(images):
    said = np.tile([0.9, 0.1], (images, 1))
    found = fit(said, np.zeros(images, int))
    assert 0.4 < found < 1
    assert scale((0.9, 0.1), found)[0] < 0.999


def test_images_that_are_all_wrong_make_the_classes_even():
    said = np.tile([0.9, 0.1], (500, 1))
    found = fit(said, np.ones(500, int))
    assert found == pytest.approx(10, rel=1e-6)  # the largest
    assert scale((0.9, 0.1), found) == pytest.approx((0.555, 0.445), abs=1e-3)


def test_one_class_or_no_image_has_the_temperature_1():
    assert fit(np.ones((20, 1)), np.zeros(20, int)) == pytest.approx(1)
    assert fit(np.zeros((0, 3)), np.zeros(0, int)) == pytest.approx(1)


def test_a_probability_of_0_for_the_true_class_gives_a_number():
    found = fit(np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([0, 1]))
    assert 1 < found <= 10


def test_a_temperature_of_2_takes_the_square_root_of_the_ratio():
    assert scale((0.9, 0.1), 2.0) == pytest.approx((0.75, 0.25))  # 9 to 1 becomes 3 to 1


def test_a_temperature_of_1_changes_nothing():
    assert scale((0.7, 0.2, 0.1), 1.0) == (0.7, 0.2, 0.1)


def test_probabilities_of_0_and_1_stay():
    assert scale((1.0, 0.0), 0.1) == (1, 0)
    assert scale((1.0, 0.0), 10.0) == (1, 0)
    assert scale((1.0,), 3.0) == (1,)


@given(probabilities=PROBABILITIES, temperature=st.floats(0.1, 10))
def test_scaled_probabilities_sum_to_1_in_the_same_order(probabilities, temperature):
    scaled = scale(probabilities, temperature)
    assert sum(scaled) == pytest.approx(1)
    pairs = sorted(zip(probabilities, scaled, strict=True))
    assert all(low[1] <= high[1] + 1e-12 for low, high in pairwise(pairs))


@given(probabilities=PROBABILITIES, temperature=st.floats(0.1, 10), more=st.floats(1, 3))
def test_a_higher_temperature_never_makes_a_label_surer(probabilities, temperature, more):
    cool, warm = scale(probabilities, temperature), scale(probabilities, temperature * more)
    assert max(warm) <= max(cool) + 1e-12
