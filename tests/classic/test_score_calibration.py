"""Calibration: expected IoU and class probabilities."""

import numpy as np
import pytest

from onebox.classic.score_calibration import Calibration, fit_calibration

pytest.importorskip("sklearn")


def test_expected_iou_follows_the_observed_agreement():
    agreements = np.linspace(0.2, 0.9, 100)
    calibration = fit_calibration(agreements, agreements, np.zeros((100, 1)), np.zeros(100, int))
    assert calibration.slope > 0
    assert calibration.expected_iou(0.3) == pytest.approx(0.3, abs=0.05)
    assert calibration.expected_iou(0.8) == pytest.approx(0.8, abs=0.05)


def test_agreement_that_falls_with_iou_is_ignored():
    agreements = np.linspace(0.1, 0.9, 100)
    calibration = fit_calibration(
        agreements, 1 - agreements, np.zeros((100, 1)), np.zeros(100, int)
    )
    assert calibration.slope == 0
    assert (
        calibration.expected_iou(0.1)
        == calibration.expected_iou(0.9)
        == pytest.approx(0.5, abs=0.02)
    )


def test_one_image_is_enough_to_calibrate():
    calibration = fit_calibration(np.array([0.7]), np.array([1.0]), np.zeros((1, 2)), np.array([1]))
    assert 0 <= calibration.expected_iou(0.2) < calibration.expected_iou(0.9) <= 1


def test_probabilities_are_even_for_svms_that_err_and_sharp_for_those_that_do_not():
    values = np.tile([[1.0, 0.0], [0.0, 1.0]], (20, 1))
    right = np.tile([0, 1], 20)
    half = np.tile([0, 1, 1, 0], 10)
    sharp, even = (
        fit_calibration(np.ones(40), np.ones(40), values, each) for each in (right, half)
    )
    assert sharp.probabilities(values[0])[0] > 0.99
    assert even.probabilities(values[0])[0] < 0.55


def test_probabilities_of_huge_decision_values_are_finite():
    assert Calibration().probabilities(np.array([1e4, -1e4])).tolist() == [1.0, 0.0]
