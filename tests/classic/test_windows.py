"""Windows over a pyramid: their boxes, shapes and scores."""

import numpy as np
import pytest

from onebox.classic.settings import HogSettings
from onebox.classic.windows import (
    describe_windows,
    feature_count,
    make_grid,
    score_windows,
    window_shape,
)

pytest.importorskip("skimage")

SIDE = 96


def test_windows_cover_the_frame_and_its_padding(pyramid_of):
    settings = HogSettings(window=5, padding=1)
    pyramid = pyramid_of(np.zeros((40, 40), np.uint8), (40,), settings)
    grid = make_grid(pyramid, (5, 5), settings)
    # 5 cells and one on each side are 7, in which a window of 5 has 3 x 3 positions
    assert len(grid.boxes) == 9
    np.testing.assert_allclose(grid.boxes[0], [-0.2, -0.2, 0.8, 0.8])
    np.testing.assert_allclose(grid.boxes[1], [0.0, -0.2, 1.0, 0.8])
    np.testing.assert_allclose(grid.boxes[4], [0.0, 0.0, 1.0, 1.0])


def test_a_stride_of_two_keeps_every_second_row_and_column(pyramid_of):
    settings = HogSettings(window=5, padding=1, stride=2)
    pyramid = pyramid_of(np.zeros((40, 40), np.uint8), (40,), settings)
    boxes = make_grid(pyramid, (5, 5), settings).boxes
    np.testing.assert_allclose(boxes[:, :2], [[-0.2, -0.2], [0.2, -0.2], [-0.2, 0.2], [0.2, 0.2]])


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_scores_are_the_product_of_features_and_weights(two_classes, stride, pyramid_of):
    settings = HogSettings(window=5, stride=stride)
    pyramid = pyramid_of(two_classes.samples[0].image, (SIDE, 64), settings)
    shape = (4, 6)
    grid = make_grid(pyramid, shape, settings)
    features = describe_windows(pyramid, grid, np.arange(len(grid.boxes)), settings)
    generator = np.random.default_rng(0)
    weights = generator.normal(size=(feature_count(shape, settings), 3)).astype(np.float32)
    scores = score_windows(pyramid, grid, weights, settings)
    np.testing.assert_allclose(scores, features @ weights, atol=2e-4)


def test_a_window_shape_has_the_requested_aspect_and_about_the_same_area():
    assert window_shape(1.0, HogSettings(window=6)) == (6, 6)
    assert window_shape(2.25, HogSettings(window=6)) == (4, 9)
    assert window_shape(1 / 2.25, HogSettings(window=6)) == (9, 4)
    # a window holds at least 2 x 2 blocks of 2 cells: 3 cells
    assert window_shape(1000.0, HogSettings(window=6))[0] == 3
