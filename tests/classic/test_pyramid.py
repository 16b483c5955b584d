"""Pyramids: their levels, and how blocks describe an image."""

import numpy as np
import pytest
from PIL import Image

from onebox.classic.pyramid import build_pyramid, level_lengths
from onebox.classic.settings import HogSettings
from onebox.images import LoadedImage

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


@pytest.mark.parametrize("factors", [(2, 1), (1, 2), (3, 1)])
def test_levels_have_the_shape_of_the_image_however_it_was_shrunk(factors):
    rows, columns = np.mgrid[0:240, 0:480]
    whole = (127 + 100 * np.sin(rows / 17) * np.cos(columns / 23)).astype(np.uint8)
    pixels = np.repeat(whole[:, :, None], 3, axis=2)
    shrunk = np.asarray(Image.fromarray(pixels).reduce(factors))
    scale_xy = (float(factors[0]), float(factors[1]))
    given = LoadedImage(pixels, (480, 240)), LoadedImage(shrunk, (480, 240), scale_xy)
    built = [build_pyramid(image, (96, 48), HogSettings(), min_cells=(5, 5)) for image in given]
    for level, again in zip(built[0].levels, built[1].levels, strict=True):
        assert level.size_wh == again.size_wh
        assert level.blocks.shape == again.blocks.shape
        assert np.abs(level.blocks - again.blocks).mean() < 0.02
    assert [level.size_wh for level in built[1].levels] == [(96, 48), (48, 24)]
