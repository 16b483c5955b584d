"""Filter banks: what the SVMs learn."""

import numpy as np
import pytest

from onebox.boxes import paired_iou
from onebox.classic.hog_training import train
from onebox.classic.settings import HogSettings
from onebox.classic.windows import make_grid, score_windows

pytest.importorskip("skimage")
pytest.importorskip("sklearn")
pytestmark = pytest.mark.train

SIDE = 96
SMALL = HogSettings(window=5, scales=1)


def test_svms_learn_from_hard_negatives(localizer, two_classes, pyramid_of):
    without = train(two_classes, SMALL.model_copy(update={"hard_negatives": 0}))
    hardest = []
    for each in (localizer, without):
        bank = each.model.banks[0]
        pyramid = pyramid_of(two_classes.samples[0].image, each.model.level_lengths)
        grid = make_grid(pyramid, bank.shape, SMALL)
        scores = score_windows(pyramid, grid, bank.weights, SMALL) + bank.bias
        truth = np.broadcast_to(np.array(two_classes.samples[0].box) / SIDE, grid.boxes.shape)
        hardest.append(scores[paired_iou(grid.boxes, truth) < 0.3].max())
    assert hardest[0] < hardest[1]
