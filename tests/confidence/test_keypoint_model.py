"""The probability that a keypoint is found, given its confidence."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onebox.confidence.keypoint_model import fit, scale
from onebox.confidence.records import KeypointModel

CONFIDENCES = st.lists(st.floats(0, 1), min_size=1, max_size=5)


def sigmoid(logits):
    return 1 / (1 + np.exp(-logits))


def drawn(images, slope, intercepts, seed=0, confident=0.5, spread=2.0):
    """Confidences, and whether each keypoint is found, by a model of these numbers."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(confident, spread, (images, len(intercepts)))
    probability = sigmoid(slope * odds + np.array(intercepts))
    return sigmoid(odds), (rng.random(odds.shape) < probability).astype(float)


def loss(model, confidences, is_found):
    """Negative log-likelihood of the labelled keypoints, and the distances from the prior."""
    odds = np.log(confidences / (1 - confidences))
    p = sigmoid(model.slope * odds + np.array(model.intercepts))
    known = ~np.isnan(is_found)
    likelihood = np.where(is_found > 0, np.log(p), np.log(1 - p))[known].sum()
    # The mean intercept that costs least, beside differences that count fifteen times as much.
    intercepts = np.array(model.intercepts)
    mean = 15 * intercepts.sum() / (1 + 15 * len(intercepts))
    squares = 4 * (model.slope - 1) ** 2 + mean**2 + 15 * ((intercepts - mean) ** 2).sum()
    return squares / 2 - likelihood


def assert_least(found, confidences, is_found):
    least = loss(found, confidences, is_found)
    for step in (1e-3, -1e-3):
        steeper = KeypointModel(found.slope + step, found.intercepts)
        assert loss(steeper, confidences, is_found) > least
        for number in range(len(found.intercepts)):
            moved = list(found.intercepts)
            moved[number] += step
            other = KeypointModel(found.slope, tuple(moved))
            assert loss(other, confidences, is_found) > least


@pytest.mark.parametrize("seed", range(3))
def test_no_model_nearby_has_a_lower_loss(seed):
    confidences, is_found = drawn(25, 0.7, (-1.0, 0.0, 1.5), seed)
    is_found[::4, 1] = np.nan
    assert_least(fit(confidences, is_found), confidences, is_found)


@pytest.mark.parametrize(("confident", "spread"), [(0.5, 0.5), (2.0, 0.5), (2.0, 2.0)])
@pytest.mark.parametrize("images", [20, 50, 300])
def test_confidences_far_from_what_happens_have_the_least_loss_too(images, confident, spread):
    # Full steps of Newton's method lead away from the minimum here.
    data = drawn(images, 1.0, (-4.0,) * 14, 0, confident, spread)
    assert_least(fit(*data), *data)


def test_a_fit_to_many_images_finds_the_numbers_that_made_them():
    found = fit(*drawn(20_000, 0.6, (-1.0, 0.2, 1.5)))
    assert found.slope == pytest.approx(0.6, abs=0.02)
    assert found.intercepts == pytest.approx((-1.0, 0.2, 1.5), abs=0.06)


def test_unlabelled_keypoints_count_for_nothing():
    confidences, is_found = drawn(40, 0.7, (-1.0, 0.5))
    is_found[::3, 1] = np.nan
    expected = fit(confidences, is_found)
    confidences[::3, 1] = 0.999
    assert fit(confidences, is_found) == expected


def test_a_keypoint_without_a_label_has_the_intercept_of_the_others():
    confidences, is_found = drawn(500, 1.0, (1.0, 1.0, 1.0))
    is_found[:, 2] = np.nan
    first, second, third = fit(confidences, is_found).intercepts
    assert third == pytest.approx((first + second) / 2, abs=0.15)


def test_a_few_images_that_all_fail_leave_a_probability_above_zero():
    found = fit(np.full((5, 2), 0.9), np.zeros((5, 2)))
    assert all(0.02 < p < 0.5 for p in scale(found, (0.9, 0.9)))


def test_a_confidence_that_says_the_opposite_is_ignored_and_not_turned_round():
    odds = np.linspace(-3, 3, 400)[:, None]
    found = fit(sigmoid(odds), (odds < 0).astype(float))
    assert found.slope == 0
    assert scale(found, (0.9,)) == pytest.approx((0.5,), abs=0.01)  # half of them are found
    rare = (odds < -1.5).astype(float)  # a quarter
    assert scale(fit(sigmoid(odds), rare), (0.9,)) == pytest.approx((0.25,), abs=0.01)


@given(CONFIDENCES, st.floats(0, 5), st.floats(-5, 5))
def test_probabilities_keep_the_order_of_confidences(confidences, slope, intercept):
    model = KeypointModel(slope, (intercept,) * len(confidences))
    probabilities = scale(model, confidences)
    order = np.argsort(confidences)
    assert (np.diff(np.array(probabilities)[order]) >= 0).all()
    assert all(0 < p <= 1 for p in probabilities)


def test_odds_of_three_become_nine_at_a_slope_of_two():
    assert scale(KeypointModel(2.0, (0.0, np.log(2))), (0.75, 0.75)) == pytest.approx(
        (0.9, 18 / 19)
    )
