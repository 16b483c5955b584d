"""A small calibration, whose numbers a reader can check."""

import pytest

from onebox.confidence.records import Calibration, IouModel, SideScores

IMAGES = 20


@pytest.fixture
def calibration():
    """20 images, all right: outer scores 0.1, 0.2 ... 2.0, inner scores ten times these.

    The novelties are 1 to 20, the scores 0.99 down to 0.80.
    """
    steps = range(1, IMAGES + 1)
    return Calibration(
        images=IMAGES,
        temperature=2.0,
        iou=IouModel(intercept=0.0, slope=1.0, deviation=0.5),
        sides=SideScores(tuple(step / 10 for step in steps), tuple(map(float, steps))),
        scores=tuple(1 - step / 100 for step in steps),
        is_wrong=(False,) * IMAGES,
        spreads=tuple(step / 100 for step in steps),
        novelties=tuple(map(float, steps)),
    )
