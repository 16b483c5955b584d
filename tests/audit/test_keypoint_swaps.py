"""Keypoints whose left and right are exchanged."""

import numpy as np
import pytest

from onebox.audit.keypoint_swaps import exchange, swap_gain

PAIRS = ((0, 1), (2, 3))
POINTS = np.array([[10, 10, 2], [50, 10, 2], [12, 80, 1], [48, 80, 2], [30, 0, 2]], np.float64)


def test_exchanging_swaps_the_two_of_each_pair_and_twice_changes_nothing():
    once = exchange(POINTS, PAIRS)
    np.testing.assert_array_equal(once[:, 0], [50, 10, 48, 12, 30])
    np.testing.assert_array_equal(exchange(once, PAIRS), POINTS)


def test_the_gain_is_the_ratio_of_mean_errors():
    predicted = POINTS[:, :2] + np.array([0, 3])  # 3 pixels off
    # as labelled: 40, 40, 36, 36 across and 3 down
    as_labelled = (2 * np.hypot(40, 3) + 2 * np.hypot(36, 3)) / 4
    gain = swap_gain(exchange(POINTS, PAIRS), predicted, PAIRS, 100.0)
    assert gain == pytest.approx(as_labelled / 3)


@pytest.mark.parametrize(
    ("points", "predicted", "diagonal"),
    [
        pytest.param(POINTS, POINTS[:, :2], 100.0, id="right"),
        pytest.param(exchange(POINTS, PAIRS), POINTS[:, :2] + 60, 100.0, id="both far"),
        pytest.param(exchange(POINTS, PAIRS), POINTS[:, :2], 1000.0, id="small error"),
        pytest.param(POINTS * [1, 1, 0], POINTS[::-1, :2], 100.0, id="not labelled"),
    ],
)
def test_no_gain_where_exchanging_explains_nothing(points, predicted, diagonal):
    assert swap_gain(points, predicted, PAIRS, diagonal) is None


def test_one_labelled_pair_says_too_little():
    points = exchange(POINTS, PAIRS)
    points[2, 2] = 0
    assert swap_gain(points, POINTS[:, :2], PAIRS, 100.0) is None
