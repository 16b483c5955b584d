"""The refinement crop lies inside the image, around the box; none covers nearly all of it."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from onebox.refinement import crop_around, cut, decoded_size, square_around


@pytest.mark.parametrize(
    ("box", "margin", "crop"),
    [
        ((40.0, 40.0, 60.0, 60.0), 1.5, (35, 35, 65, 65)),
        ((40.0, 40.0, 60.0, 60.0), 2.0, (30, 30, 70, 70)),
        ((0.0, 10.0, 20.0, 50.0), 1.5, (0, 0, 30, 60)),  # shifted to the right, not cut
        ((80.0, 80.0, 100.0, 100.0), 1.5, (70, 70, 100, 100)),
        ((50.0, 50.0, 50.0, 50.0), 1.5, (35, 35, 65, 65)),  # at least 0.3 of the width and height
        ((30.2, 40.0, 50.2, 60.0), 1.5, (25, 35, 56, 65)),  # whole pixels, outwards
    ],
)
def test_the_crop_is_the_box_times_the_margin(box, margin, crop):
    assert crop_around(box, (100, 100), margin) == crop


def test_a_subject_that_fills_the_image_has_no_crop():
    assert crop_around((5.0, 5.0, 95.0, 95.0), (100, 100)) is None
    assert crop_around((0.0, 0.0, 200.0, 90.0), (200, 100), 1.0) is None
    # 78 % of the area is a crop, 81 % is too much.
    assert crop_around((0.0, 0.0, 78.0, 100.0), (100, 100), 1.0) == (0, 0, 78, 100)
    assert crop_around((0.0, 0.0, 81.0, 100.0), (100, 100), 1.0) is None


lengths = st.integers(8, 4000)
fractions = st.floats(0.0, 1.0)


@settings(deadline=None)
@given(lengths, lengths, st.tuples(fractions, fractions, fractions, fractions), st.floats(1.0, 3.0))
def test_the_crop_holds_the_box_and_lies_in_the_image(width, height, corners, margin):
    x_min, x_max = sorted(corner * width for corner in corners[:2])
    y_min, y_max = sorted(corner * height for corner in corners[2:])
    crop = crop_around((x_min, y_min, x_max, y_max), (width, height), margin)
    if crop is not None:
        left, top, right, bottom = crop
        assert 0 <= left <= x_min + 1e-6
        assert x_max - 1e-6 <= right <= width
        assert 0 <= top <= y_min + 1e-6
        assert y_max - 1e-6 <= bottom <= height


@pytest.mark.parametrize(
    ("box", "margin", "crop"),
    [
        ((40.0, 40.0, 60.0, 80.0), 1.5, (20, 30, 80, 90)),  # one and a half times 40, the longer
        ((0.0, 10.0, 20.0, 30.0), 2.0, (-10, 0, 30, 40)),  # beyond the image, not moved inside
        ((0.0, 0.0, 200.0, 100.0), 1.0, (0, -50, 200, 150)),  # as large as the image, or larger
        ((50.0, 50.0, 50.0, 50.0), 1.5, (35, 35, 65, 65)),  # 0.3 of the shorter edge at least
    ],
)
def test_a_square_is_the_longer_edge_times_the_margin_around_the_centre(box, margin, crop):
    assert square_around(box, (200, 100), margin) == crop


@settings(deadline=None)
@given(lengths, lengths, st.tuples(fractions, fractions, fractions, fractions), st.floats(1.0, 3.0))
def test_a_square_holds_the_box(width, height, corners, margin):
    x_min, x_max = sorted(corner * width for corner in corners[:2])
    y_min, y_max = sorted(corner * height for corner in corners[2:])
    square = square_around((x_min, y_min, x_max, y_max), (width, height), margin)
    assume(square is not None)  # it would have too many pixels
    left, top, right, bottom = square
    assert right - left == bottom - top > 0
    # Whole pixels: the centre moves by half of one.
    assert left - 0.5 <= x_min
    assert right + 0.5 >= x_max
    assert top - 0.5 <= y_min
    assert bottom + 0.5 >= y_max


def test_a_square_is_one_of_the_image_where_decoding_shrank_its_axes_unequally():
    # One decoded pixel covers 4 x 2 pixels of the image: the box has 400 x 400 there.
    box = (100.0, 200.0, 200.0, 400.0)
    left, top, right, bottom = square_around(box, (400, 600), 1.5, (4.0, 2.0))
    assert ((right - left) * 4, (bottom - top) * 2) == (600, 600)
    assert (left + right, top + bottom) == (300, 600)
    # 0.3 of the image's shorter edge, which has 1200 of its pixels
    left, top, right, bottom = square_around((40.0, 80.0, 40.0, 80.0), (400, 600), 1.5, (4.0, 2.0))
    assert ((right - left) * 4, (bottom - top) * 2) == (360, 360)


def test_a_long_and_narrow_image_whose_square_would_fill_the_memory_has_none():
    assert square_around((0.0, 0.0, 60_000.0, 1.0), (60_000, 1)) is None


def test_a_crop_beyond_the_image_is_filled_with_grey():
    pixels = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    found = cut(pixels, (-2, -1, 4, 5))
    assert found.shape == (6, 6, 3)
    np.testing.assert_array_equal(found[1:5, 2:6], pixels[:4, :4])
    is_grey = (found == 128).all(axis=2)
    assert is_grey[0].all()
    assert is_grey[5].all()
    assert is_grey[:, :2].all()
    assert not is_grey[1:5, 2:].any()


def test_a_crop_inside_the_image_is_a_copy_of_its_pixels():
    pixels = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    np.testing.assert_array_equal(cut(pixels, (1, 0, 6, 4)), pixels[:, 1:])


def test_decoding_keeps_twice_the_pixels_for_a_refinement_pass():
    assert (decoded_size(128, None), decoded_size(128, 1.4)) == (128, 256)
