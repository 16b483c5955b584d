"""Whose weights are kept."""

import numpy as np
import pytest

from onebox.learning.data.decoded_cache import Decoded
from onebox.learning.fitting.checkpointing import which_is_kept


def val_of(boxed, unboxed=0):
    """Decoded validation images, so many of them with a box."""
    count = boxed + unboxed
    return Decoded(
        pixels=np.zeros((count, 4, 4, 3), dtype=np.uint8),
        boxes=np.zeros((count, 4), dtype=np.float32),
        has_box=np.arange(count) < boxed,
        labels=np.zeros(count, dtype=np.int64),
        keypoints=np.zeros((count, 0, 3), dtype=np.float32),
        flip_pairs=(),
        digest="",
    )


@pytest.mark.parametrize(
    ("keep", "boxed", "kept"),
    [
        ("auto", 49, "last"),
        ("auto", 50, "best"),
        ("best", 1, "best"),
        ("last", 400, "last"),
    ],
)
def test_the_best_epoch_is_kept_where_enough_images_tell_which_it_is(
    tiny_recipe, keep, boxed, kept
):
    train = tiny_recipe.train.model_copy(update={"checkpoint": keep})
    recipe = tiny_recipe.model_copy(update={"train": train})
    assert which_is_kept(recipe, val_of(boxed, unboxed=60)) == kept
