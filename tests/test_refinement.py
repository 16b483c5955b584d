"""The part that is shown again: inside the image, around the answer, none where it is all."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onebox.refinement import part_around


@pytest.mark.parametrize(
    ("box", "margin", "part"),
    [
        ((40.0, 40.0, 60.0, 60.0), 1.5, (35, 35, 65, 65)),
        ((40.0, 40.0, 60.0, 60.0), 2.0, (30, 30, 70, 70)),
        ((0.0, 10.0, 20.0, 50.0), 1.5, (0, 0, 30, 60)),  # moved to the right, not cut
        ((80.0, 80.0, 100.0, 100.0), 1.5, (70, 70, 100, 100)),
        ((50.0, 50.0, 50.0, 50.0), 1.5, (35, 35, 65, 65)),  # three tenths of a side at least
        ((30.2, 40.0, 50.2, 60.0), 1.5, (25, 35, 56, 65)),  # whole pixels, outwards
    ],
)
def test_the_part_is_so_many_times_the_box(box, margin, part):
    assert part_around(box, (100, 100), margin) == part


def test_a_subject_that_fills_the_frame_is_not_looked_at_again():
    assert part_around((5.0, 5.0, 95.0, 95.0), (100, 100)) is None
    assert part_around((0.0, 0.0, 200.0, 90.0), (200, 100), 1.0) is None
    # 78 % of the area is worth it, 81 % is not.
    assert part_around((0.0, 0.0, 78.0, 100.0), (100, 100), 1.0) == (0, 0, 78, 100)
    assert part_around((0.0, 0.0, 81.0, 100.0), (100, 100), 1.0) is None


sides = st.integers(8, 4000)
shares = st.floats(0.0, 1.0)


@settings(deadline=None)
@given(sides, sides, st.tuples(shares, shares, shares, shares), st.floats(1.0, 3.0))
def test_the_part_holds_the_box_and_lies_in_the_image(width, height, corners, margin):
    x_min, x_max = sorted(corner * width for corner in corners[:2])
    y_min, y_max = sorted(corner * height for corner in corners[2:])
    part = part_around((x_min, y_min, x_max, y_max), (width, height), margin)
    if part is not None:
        left, top, right, bottom = part
        assert 0 <= left <= x_min + 1e-6
        assert x_max - 1e-6 <= right <= width
        assert 0 <= top <= y_min + 1e-6
        assert y_max - 1e-6 <= bottom <= height
