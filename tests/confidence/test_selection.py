"""Bounds on the share of wrong predictions among those accepted."""

from itertools import pairwise, permutations
from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onebox.confidence.selection import (
    aurc,
    fixed_sequence,
    images_for,
    risk_coverage,
    threshold,
    upper_bound,
)

stats = pytest.importorskip("scipy.stats")


def descending(images):
    """Scores from just below 1 to just above 0."""
    return [1 - (index + 0.5) / images for index in range(images)]


def wrong_at(images, *indices):
    return [index in indices for index in range(images)]


@pytest.mark.parametrize("confidence", [0.9, 0.95])
@pytest.mark.parametrize(("errors", "images"), [(0, 1), (0, 59), (3, 59), (58, 59), (59, 59)])
def test_the_bound_is_scipys(errors, images, confidence):
    one_sided = stats.binomtest(errors, images, alternative="less")
    theirs = one_sided.proportion_ci(confidence_level=confidence, method="exact").high
    assert upper_bound(errors, images, confidence) == pytest.approx(theirs, abs=1e-9)


def test_without_errors_the_bound_is_a_root():
    # (1 - p)^59 = 0.05
    assert upper_bound(0, 59) == pytest.approx(1 - 0.05 ** (1 / 59))
    assert upper_bound(0, 0) == 1


@pytest.mark.parametrize(("errors", "images"), [(0, 59), (1, 93), (2, 124), (3, 153)])
def test_5_percent_is_proved_by_so_many_images_and_not_by_one_less(errors, images):
    assert images_for(errors, 0.05) == images
    assert upper_bound(errors, images) <= 0.05 < upper_bound(errors, images - 1)


def test_the_tests_depend_on_the_number_of_images_alone():
    # 59 images are at most a third of 200, 93 are not
    assert fixed_sequence(200, 0.05) == ((59, 0), (93, 1), (124, 2), (153, 3), (181, 4), (200, 4))
    assert fixed_sequence(100, 0.05) == ((59, 0), (93, 1), (100, 1))
    assert fixed_sequence(59, 0.05) == ((59, 0),)
    assert fixed_sequence(58, 0.05) == ()
    assert fixed_sequence(0, 0.05) == ()
    # a third of 406 is 135: 124 images are the most below
    assert fixed_sequence(406, 0.05)[0] == (124, 2)


@settings(max_examples=30)
@given(images=st.integers(0, 150), risk=st.floats(0.01, 0.6))
def test_every_test_proves_the_risk_with_its_errors_and_not_with_one_more(images, risk):
    tests = fixed_sequence(images, risk)
    for count, errors in tests:
        assert upper_bound(errors, count) <= risk + 1e-9
        assert upper_bound(errors + 1, count) > risk - 1e-9
    assert all(former[0] < latter[0] for former, latter in pairwise(tests))
    assert not tests or tests[-1][0] == images


def test_59_right_predictions_prove_5_percent_and_accept_all():
    assert threshold(descending(59), wrong_at(59), 0.05) == -inf
    assert threshold(descending(58), wrong_at(58), 0.05) is None


def test_the_threshold_is_the_score_below_the_last_test_that_passed():
    scores = descending(200)
    # the 93 surest may have one error, and have it at 80; the 124 surest may have two, and have
    # three: so 93 are accepted
    found = threshold(scores, wrong_at(200, 80, 95, 100), 0.05)
    assert found == scores[93]
    assert sum(score > found for score in scores) == 93


def test_an_error_among_the_surest_third_that_allows_none_ends_the_search():
    assert threshold(descending(200), wrong_at(200, 10), 0.05) is None


def test_one_error_in_a_hundred_at_random_is_no_reason_to_refuse_5_percent():
    rng = np.random.default_rng(0)
    refused = [
        threshold(descending(1000), (rng.random(1000) < 0.01).tolist(), 0.05) is None
        for _ in range(200)
    ]
    # tests that start at 59 images without an error would refuse 1 - 0.99^59 = 45 %
    assert np.mean(refused) < 0.02


@pytest.mark.parametrize("images", [1, 8, 9, 59, 500])
def test_predictions_that_are_all_wrong_prove_nothing(images):
    assert threshold(descending(images), [True] * images, 0.5) is None


def test_no_image_proves_nothing():
    assert threshold([], [], 0.05) is None


def test_equal_scores_are_accepted_together_or_not_at_all():
    assert threshold([0.7] * 200, wrong_at(200, 3, 50), 0.05) == -inf  # 2 of 200, up to 4 may be
    assert threshold([0.7] * 200, wrong_at(200, 1, 2, 3, 4, 5), 0.05) is None
    # 59 and 93 images cannot be told from the 124; of 153 and more, too many are wrong
    found = threshold([0.9] * 124 + [0.5] * 76, wrong_at(200, *range(130, 190)), 0.05)
    assert found == 0.5


@pytest.mark.parametrize(("images", "risk"), [(80, 0.1), (200, 0.05), (400, 0.05)])
def test_a_model_that_is_just_too_often_wrong_is_accepted_in_5_percent_of_repetitions(images, risk):
    rng = np.random.default_rng(0)
    broken = [
        threshold(descending(images), (rng.random(images) < risk + 1e-4).tolist(), risk) is not None
        for _ in range(3000)
    ]
    # 3 standard errors of 3000 repetitions: 0.012
    assert np.mean(broken) <= 0.05 + 0.012
    assert np.mean(broken) > 0.01  # the test has some power


@pytest.mark.parametrize("images", [120, 300])
def test_the_stated_risk_is_broken_in_5_percent_of_repetitions_at_most(images):
    rng = np.random.default_rng(0)
    broken, accepted = [], []
    for _ in range(1500):
        scores = np.sort(rng.random(images))[::-1]
        # wrong with the probability (1 - score)^2 / 2, so above t with (1 - t)^2 / 6 on average
        is_wrong = rng.random(images) < (1 - scores) ** 2 / 2
        found = threshold(scores.tolist(), is_wrong.tolist(), 0.1)
        risk = 0.0 if found is None else (1 - max(found, 0.0)) ** 2 / 6
        broken.append(risk > 0.1)
        accepted.append(found is not None)
    assert np.mean(broken) <= 0.05 + 0.017
    assert np.mean(accepted) > 0.5


@given(data=st.data(), images=st.integers(1, 150))
def test_a_higher_risk_never_loses_what_a_lower_one_accepts_without_errors(data, images):
    risk = data.draw(st.floats(0.02, 0.4))
    low, high = (
        threshold(descending(images), wrong_at(images), each) for each in (risk, 1.5 * risk)
    )
    assert low is None or high == -inf


def test_the_area_of_a_curve_worked_by_hand():
    scores, losses = np.array([0.7, 0.9, 0.8]), np.array([0.0, 0.0, 1.0])
    curve = risk_coverage(scores, losses)
    np.testing.assert_allclose(curve.coverages, [1 / 3, 2 / 3, 1])
    # surest first, the losses are 0, 1, 0
    np.testing.assert_allclose(curve.risks, [0, 1 / 2, 1 / 3])
    assert aurc(scores, losses) == pytest.approx((0 + 1 / 2 + 1 / 3) / 3)


def test_equal_scores_give_the_mean_over_all_their_orders():
    scores = np.array([0.5, 0.9, 0.5, 0.5])
    losses = np.array([1.0, 0.3, 0.0, 0.2])
    orders = [np.array([0.3, *tail]) for tail in permutations([1.0, 0.0, 0.2])]
    brute = np.mean([np.cumsum(order) / np.arange(1, 5) for order in orders], axis=0)
    np.testing.assert_allclose(risk_coverage(scores, losses).risks, brute)


@given(
    st.lists(
        st.tuples(st.integers(0, 50), st.floats(0, 1)),
        min_size=1,
        max_size=30,
        unique_by=lambda pair: pair[0],
    )
)
def test_the_area_is_that_of_every_count_taken_by_itself(pairs):
    scores = np.array([pair[0] / 50 for pair in pairs])
    losses = np.array([pair[1] for pair in pairs])
    surest = sorted(range(len(scores)), key=lambda index: -scores[index])
    brute = [
        np.mean([losses[index] for index in surest[:count]]) for count in range(1, len(surest) + 1)
    ]
    assert aurc(scores, losses) == pytest.approx(np.mean(brute))


def test_constant_scores_have_the_mean_loss_everywhere():
    assert aurc(np.full(5, 0.3), np.array([0.0, 1.0, 0.0, 0.0, 1.0])) == pytest.approx(0.4)


def test_no_image_has_no_area():
    assert len(risk_coverage(np.zeros(0), np.zeros(0)).risks) == 0
    with pytest.raises(ValueError, match="at least one image"):
        aurc(np.zeros(0), np.zeros(0))
