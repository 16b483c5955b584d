"""White discs: their shape, their sizes and their boxes."""

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from onebox.structures import SPLITS
from onebox.synthetic import blobs


def first(samples, count=1):
    return list(itertools.islice(samples, count))


def pixels(sample):
    return np.asarray(sample.image)


def extent(mask):
    rows, columns = np.nonzero(mask)
    return (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)


@settings(deadline=None)
@given(seed=st.integers(0, 2**40), size=st.integers(16, 120), split=st.sampled_from(SPLITS))
def test_a_discs_box_is_the_extent_of_its_white_pixels(seed, size, split):
    for sample in first(blobs(size=size, seed=seed, split=split), 3):
        drawn = pixels(sample)
        assert (drawn.shape, drawn.dtype) == ((size, size, 3), np.uint8)
        assert set(np.unique(drawn)) == {0, 255}
        assert sample.box == extent(drawn[:, :, 0] > 127)
        assert (sample.label, sample.split, sample.size_wh) == ("disc", split, (size, size))


def test_discs_are_round_inside_the_frame_and_0_1_to_0_7_of_its_width():
    samples = first(blobs(size=200), 300)
    boxes = np.array([sample.box for sample in samples])
    sizes = boxes[:, 2:] - boxes[:, :2]
    # A disc covers pi/4 of its square; a disc cut by the frame would have an oblong box.
    coverage = np.array([np.mean(pixels(s)) / 255 * 200**2 for s in samples]) / sizes.prod(axis=1)
    assert np.abs(sizes[:, 0] - sizes[:, 1]).max() <= 1
    assert np.abs(coverage - np.pi / 4).max() < 0.06
    assert 20 - 1 <= sizes.min() < 26
    assert 134 < sizes.max() <= 140 + 1
