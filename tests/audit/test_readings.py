"""Readings of four numbers other than two corners in pixels."""

import numpy as np
import pytest
from PIL import Image, ImageOps

from onebox.audit.readings import READINGS, better_reading, iou

SIZE = (400, 300)
TRUE = (40.0, 60.0, 130.0, 240.0)

# What a file holds, by the reading that makes it the true box.
HELD = {
    "x, y, width and height": (40, 60, 90, 180),
    "centre, width and height": (85, 150, 90, 180),
    "two corners that were read as x, y, width and height": (40, 60, 170, 300),
    "y before x": (60, 40, 240, 130),
    "percent of width and height": (10, 20, 32.5, 80),
    "thousandths of width and height": (100, 200, 325, 800),
    "coordinates of the image mirrored left to right": (270, 60, 360, 240),
    "coordinates of the image upside down": (270, 60, 360, 240),
}


@pytest.mark.parametrize("name", list(HELD)[:-1])
def test_each_reading_makes_the_true_box_of_what_the_file_holds(name):
    box = READINGS[name](tuple(map(float, HELD[name])), SIZE)
    np.testing.assert_allclose(box, TRUE)


def test_both_x_then_both_y():
    assert READINGS["both x, then both y"]((1.0, 2.0, 3.0, 4.0), SIZE) == (1.0, 3.0, 2.0, 4.0)


@pytest.mark.parametrize(
    ("orientation", "name"),
    [
        (2, "coordinates of the image mirrored left to right"),
        (3, "coordinates of the image upside down"),
        (4, "coordinates of the image mirrored top to bottom"),
        (6, "coordinates of the image turned by 90 degrees counterclockwise"),
        (7, "coordinates of the image mirrored at its other diagonal"),
        (8, "coordinates of the image turned by 90 degrees clockwise"),
    ],
)
def test_a_box_on_a_turned_image_is_where_pillow_turns_it_upright(orientation, name):
    stored = Image.new("L", SIZE[::-1] if orientation > 4 else SIZE)
    stored.paste(255, (20, 50, 60, 70))
    stored.getexif()[0x0112] = orientation
    rows, columns = np.nonzero(np.asarray(ImageOps.exif_transpose(stored)))
    bright = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert READINGS[name]((20.0, 50.0, 60.0, 70.0), SIZE) == bright


@pytest.mark.parametrize(
    "name",
    [
        "x, y, width and height",
        "centre, width and height",
        "y before x",
        "percent of width and height",
        "coordinates of the image mirrored left to right",
    ],
)
def test_the_reading_nearest_to_the_prediction_is_found(name):
    given = tuple(map(float, HELD[name]))
    predicted = (42.0, 58.0, 133.0, 238.0)
    found = better_reading(given, predicted, SIZE)
    assert found.name == name
    np.testing.assert_allclose(found.box, TRUE)
    assert found.iou == pytest.approx(iou(TRUE, predicted))


def test_a_box_near_the_prediction_needs_no_other_reading():
    assert better_reading((40.0, 60.0, 120.0, 200.0), TRUE, SIZE) is None


def test_a_box_that_no_reading_brings_near_has_none():
    assert better_reading((300.0, 10.0, 390.0, 60.0), TRUE, SIZE) is None


def test_a_reading_that_leaves_the_frame_does_not_count():
    # as x, y, width and height it reaches to x = 380: beyond a frame of 300
    given = (100.0, 60.0, 280.0, 150.0)
    predicted = (100.0, 60.0, 300.0, 210.0)
    assert better_reading(given, predicted, SIZE) is None or iou(given, predicted) >= 0.5
    outside = (100.0, 60.0, 250.0, 100.0)
    assert better_reading(outside, (100.0, 60.0, 350.0, 160.0), (400, 300)).box[2] == 350
    assert better_reading(outside, (100.0, 60.0, 300.0, 160.0), (300, 300)) is None
