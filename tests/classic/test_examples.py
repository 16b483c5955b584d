"""Training windows: positives, background, hard negatives, and windows for the box regression."""

import numpy as np
import pytest

from onebox.classic.examples import (
    Example,
    TrainingWindows,
    hard_negatives,
    lay_windows,
    negatives,
    positives,
    regression_windows,
)
from onebox.classic.settings import HogSettings
from onebox.classic.windows import make_grid

pytest.importorskip("skimage")


@pytest.fixture
def windows_of(pyramid_of):
    """Training windows with given IoUs."""

    def make(*ious):
        pyramid = pyramid_of(np.zeros((40, 40), np.uint8))
        grid = make_grid(pyramid, (5, 5), HogSettings(window=5))
        return TrainingWindows(Example(pyramid, 0, None), grid, np.array(ious))

    return make


def test_windows_are_compared_with_the_true_box_inside_the_frame(pyramid_of):
    settings = HogSettings(window=5, padding=1)
    pyramid = pyramid_of(np.zeros((40, 40), np.uint8), (40,), settings)
    corner = Example(pyramid, 0, np.array([0.0, 0.0, 0.8, 0.8]))
    # The first window begins one cell of five beyond the corner: 0.8 x 0.8 of it are inside.
    assert lay_windows(corner, (5, 5), settings).ious[0] == pytest.approx(1.0)
    assert not lay_windows(Example(pyramid, -1, None), (5, 5), settings).ious.any()


def test_positives_are_the_best_few_windows_above_the_threshold(windows_of):
    windows = windows_of(0.5, 0.9, 0.6, 0.7, 0.8)
    assert positives(windows, HogSettings(positives=2)).tolist() == [1, 4]
    assert positives(windows, HogSettings(positives=9)).tolist() == [1, 4, 3, 2]


def test_the_best_window_is_a_positive_unless_it_is_background(windows_of):
    assert positives(windows_of(0.31, 0.4, 0.2), HogSettings()).tolist() == [1]
    assert positives(windows_of(0.1, 0.2, 0.29), HogSettings()).tolist() == []


def test_background_and_regression_windows_are_drawn_by_iou(windows_of):
    windows, generator = windows_of(0.0, 0.29, 0.3, 0.49, 0.5, 0.9), np.random.default_rng(0)
    assert sorted(negatives(windows, HogSettings(), generator)) == [0, 1]
    assert len(negatives(windows, HogSettings(negatives=1), generator)) == 1
    assert sorted(regression_windows(windows, HogSettings(), generator)) == [4, 5]
    assert len(regression_windows(windows, HogSettings(regression_windows=1), generator)) == 1


def test_hard_negatives_are_background_inside_the_margin_hardest_first(windows_of):
    settings = HogSettings(hard_negatives=2)
    windows = windows_of(0.0, 0.2, 0.5, 0.1, 0.0)
    # The third is not background, the last is outside the margin; of three, two are kept.
    decision_values = np.array([-0.5, 0.5, 2.0, 0.1, -2.0])
    assert hard_negatives(windows, decision_values, settings).tolist() == [1, 3]
    assert hard_negatives(windows, decision_values - 5, settings).tolist() == []
