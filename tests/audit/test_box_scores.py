"""Scores of labelled boxes: scales of residuals, the side that stands out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onebox.audit.box_scores import residual_scales, score_boxes

LEFT, TOP, RIGHT, BOTTOM = range(4)


def predictions(count, seed=0):
    """Predicted boxes and spreads that differ a hundredfold, and labels that follow them."""
    rng = np.random.default_rng(seed)
    low = rng.uniform(0.05, 0.3, (count, 2))
    boxes = np.concatenate([low, low + rng.uniform(0.2, 0.6, (count, 2))], axis=1)
    sigmas = np.exp(rng.uniform(np.log(0.001), np.log(0.1), (count, 1))) * np.ones(4)
    given = boxes + rng.normal(0, 1, (count, 4)) * sigmas
    return boxes, sigmas, given


def test_residuals_that_follow_the_spread_are_scaled_by_it():
    boxes, sigmas, given = predictions(400)
    scales = residual_scales(given - boxes, boxes, sigmas)
    ratio = np.log(scales / sigmas)
    # one factor for all, apart from the share of the box's size that is added to residuals
    assert np.corrcoef(np.log(scales).ravel(), np.log(sigmas).ravel())[0, 1] > 0.99
    assert ratio.std() < 0.35


def test_scales_do_not_move_where_a_twentieth_of_the_labels_is_wrong():
    boxes, sigmas, given = predictions(400)
    wrong = given.copy()
    wrong[::20] += 0.3
    before = residual_scales(given - boxes, boxes, sigmas)
    after = residual_scales(wrong - boxes, boxes, sigmas)
    assert np.abs(np.log(after / before)).max() < 0.15


def test_wrong_boxes_come_first():
    boxes, sigmas, given = predictions(300)
    given[:15] += 0.3
    scores = score_boxes(given, boxes, sigmas)
    certain = sigmas[:15, 0] < 0.03  # a shift of .3 is ten spreads there
    others = np.sort(scores.scores[15:])
    assert (scores.scores[:15][certain] > others[-3]).all()
    assert (scores.q_values[:15][certain] < 0.1).all()


def test_the_same_residual_counts_more_where_the_network_is_certain():
    boxes, sigmas, given = predictions(200)
    given[0], given[1] = boxes[0] + 0.05, boxes[1] + 0.05
    sigmas[0], sigmas[1] = 0.002, 0.05
    boxes[1] = boxes[0]
    given[1] = given[0]
    scores = score_boxes(given, boxes, sigmas).scores
    assert scores[0] > 5 * scores[1]


@pytest.mark.parametrize("side", [LEFT, TOP, RIGHT, BOTTOM])
def test_one_side_that_is_far_off_stands_out_and_alone_is_wrong(side):
    boxes, sigmas, given = predictions(200)
    given[0] = boxes[0] + 0.5 * sigmas[0]
    given[0, side] += 30 * sigmas[0, side]
    scores = score_boxes(given, boxes, sigmas)
    assert scores.side_of(0) == side
    assert scores.one_side[0] == side


def test_a_box_that_is_shifted_as_a_whole_has_no_side_that_stands_out():
    boxes, sigmas, given = predictions(200)
    given[0] = boxes[0] + 30 * sigmas[0]
    scores = score_boxes(given, boxes, sigmas)
    assert scores.side_of(0) is None
    assert scores.one_side[0] == -1


def test_a_side_may_stand_out_of_a_box_that_is_wrong_without_it_too():
    boxes, sigmas, given = predictions(200)
    given[0] = boxes[0] + 15 * sigmas[0]
    given[0, TOP] = boxes[0, TOP] - 60 * sigmas[0, TOP]
    scores = score_boxes(given, boxes, sigmas)
    assert scores.side_of(0) == TOP
    assert scores.one_side[0] == -1


def test_without_boxes_there_are_no_scores():
    none = np.zeros((0, 4))
    assert len(score_boxes(none, none, none).scores) == 0


def test_labels_equal_to_the_predictions_are_not_suspicious():
    boxes, sigmas, _ = predictions(30)
    scores = score_boxes(boxes, boxes, sigmas)
    assert np.isfinite(scores.scores).all()
    assert (scores.q_values > 0.4).all()


@given(st.floats(0.01, 100))
def test_scores_do_not_depend_on_the_unit_of_the_spreads(factor):
    boxes, sigmas, given = predictions(60)
    np.testing.assert_allclose(
        score_boxes(given, boxes, sigmas * factor).scores,
        score_boxes(given, boxes, sigmas).scores,
        rtol=1e-6,
    )
