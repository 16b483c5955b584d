"""Pyramids: their levels, and how blocks describe an image."""

import numpy as np
import pytest

from onebox.classic.pyramid import level_lengths
from onebox.classic.settings import HogSettings

pytest.importorskip("skimage")

SIDE = 96


def test_levels_cover_the_smallest_to_the_largest_box():
    # a window has 7 * 8 = 56 pixels: a box of a quarter of the image needs 224, a whole image 56
    box_lengths = np.repeat([0.25, 1.0], 50)
    assert level_lengths(box_lengths, HogSettings(scales=1)) == (224, 112, 56)
    assert level_lengths(np.array([0.5]), HogSettings(scales=4)) == (112,)


def test_tiny_boxes_do_not_exceed_the_maximum_level():
    assert level_lengths(np.array([0.001, 0.002]), HogSettings()) == (640,)


def test_blocks_of_stripes_have_norm_one_and_blocks_of_faint_noise_stay_short(pyramid_of):
    generator = np.random.default_rng(0)
    wall = generator.integers(126, 130, (SIDE, SIDE), dtype=np.uint8)
    wave = np.tile(np.where(np.arange(SIDE) // 4 % 2, 230, 20).astype(np.uint8), (SIDE, 1))
    inner = (slice(3, -3), slice(3, -3))
    norms = [
        np.linalg.norm(pyramid_of(pixels).levels[0].blocks[inner], axis=2)
        for pixels in (wall, wave)
    ]
    assert norms[0].max() < 0.5
    assert 0.95 < norms[1].min() <= 1 + 1e-6
