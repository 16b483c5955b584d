"""The choice between the best and the last checkpoint."""

import numpy as np
import pytest

from onebox.learning.data.decoded_cache import Decoded
from onebox.learning.fitting.checkpointing import select_checkpoint

pytestmark = pytest.mark.train


def val_of(boxed, unboxed=0):
    """Decoded validation images, ``boxed`` of them with a box."""
    count = boxed + unboxed
    return Decoded(
        pixels=np.zeros((count, 4, 4, 3), dtype=np.uint8),
        boxes=np.zeros((count, 4), dtype=np.float32),
        has_box=np.arange(count) < boxed,
        labels=np.zeros(count, dtype=np.int64),
        keypoints=np.zeros((count, 0, 3), dtype=np.float32),
        aspects=np.ones(count, dtype=np.float32),
        flip_pairs=(),
        digest="",
    )


@pytest.mark.parametrize(
    ("setting", "boxed", "selected"),
    [
        ("auto", 49, "last"),
        ("auto", 50, "best"),
        ("best", 1, "best"),
        ("last", 400, "last"),
    ],
)
def test_auto_selects_the_best_epoch_from_fifty_validation_boxes_on(
    tiny_recipe, setting, boxed, selected
):
    recipe = tiny_recipe.changed({"train.checkpoint": setting})
    assert select_checkpoint(recipe, val_of(boxed, unboxed=60)) == selected
