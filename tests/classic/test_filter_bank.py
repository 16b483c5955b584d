"""Box regression targets, and the vote of candidates."""

import numpy as np
import pytest

from onebox.classic.filter_bank import regression_targets, vote


def test_regression_targets_lead_from_the_window_to_the_box():
    windows = np.array([[0.0, 0.0, 0.5, 1.0]])
    # a quarter to the right is half of this window's width, a tenth up is a tenth of its height
    truth = np.array([0.25, -0.1, 0.75, 0.9])
    np.testing.assert_allclose(regression_targets(truth, windows), [[0.5, -0.1, 0.5, -0.1]])


def test_two_overlapping_candidates_outvote_a_third_with_the_same_decision_value():
    boxes = np.array([[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 0.8, 1.0], [0.0, 0.0, 0.1, 0.1]])
    agreed = vote(np.zeros(3), boxes, 5.0)
    np.testing.assert_allclose(agreed.box, [0.0, 0.0, 0.9, 1.0])
    # IoUs with the result: 0.9, 0.8 / 0.9 and 0.01 / 0.9
    assert agreed.agreement == pytest.approx((0.9 + 0.8 / 0.9 + 0.01 / 0.9) / 3)


def test_a_larger_decision_value_outvotes_two_overlapping_candidates():
    boxes = np.array([[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 0.8, 1.0], [0.0, 0.0, 0.1, 0.1]])
    agreed = vote(np.array([0.0, 0.0, 2.0]), boxes, 5.0)
    np.testing.assert_allclose(agreed.box, boxes[2])
