"""A small calibration, whose numbers a reader can check."""

from math import log

import pytest

from onebox.confidence.records import Calibration, IouModel, NoveltyModel, SideScores

IMAGES = 20


@pytest.fixture
def calibration():
    """20 images, all right: outer scores 0.1, 0.2 ... 2.0, inner scores ten times these.

    The scores are 0.99 down to 0.80, the novelties 1 to 20. A distance of 0.1 has the novelty 0,
    and each doubling adds 10.
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
        novelty=NoveltyModel(means=(log(0.1), 0.0, 0.0), weights=(10 / log(2), 0.0, 0.0)),
        novelties=tuple(map(float, steps)),
    )
