"""The geometry of boxes in JavaScript, run in the browser."""

import pytest

from .fake_label_server import FakeSession, application, entry, serving

pytestmark = pytest.mark.train

BOX = [95.25, 60.5, 310.125, 240]


@pytest.fixture(scope="module")
def call(browser):
    """Call a function of ``geometry.js``: ``call("iou", a, b)``."""
    only = entry(1)
    with serving(application(FakeSession({only["id"]: only}, ["cat"]))) as url:
        page = browser.new_page()
        page.goto(url)
        script = "async ([name, values]) => (await import('/assets/geometry.js'))[name](...values)"
        yield lambda name, *values: page.evaluate(script, [name, list(values)])
        page.close()


def test_iou_of_neighbours_that_share_a_third(call):
    # 1 x 1 shared, 2 + 2 - 1 = 3 together
    assert call("iou", [0, 0, 2, 1], [1, 0, 3, 1]) == pytest.approx(1 / 3)


def test_iou_of_boxes_apart_is_zero(call):
    assert call("iou", [0, 0, 1, 1], [2, 2, 3, 3]) == 0


def test_a_moved_side_is_snapped_and_the_others_keep_their_fractions(call):
    moved = call("movePart", BOX, "left", {"x": 3.4, "y": 9}, [400, 300], 1)
    assert moved == [99, 60.5, 310.125, 240]


def test_a_corner_that_moves_along_x_keeps_the_fraction_of_its_y(call):
    moved = call("movePart", BOX, "top-left", {"x": 3.4, "y": 0}, [400, 300], 1)
    assert moved == [99, 60.5, 310.125, 240]


def test_a_moved_box_keeps_its_size_at_the_border(call):
    moved = call("movePart", BOX, "box", {"x": 500, "y": -500}, [400, 300], 1)
    assert moved == [185.125, 0, 400, 179.5]


def test_a_nudge_there_and_back_changes_nothing(call):
    there = call("nudge", BOX, "top-left", {"x": -10, "y": 1}, [400, 300])
    assert there == [85.25, 61.5, 310.125, 240]
    assert call("nudge", there, "top-left", {"x": 10, "y": -1}, [400, 300]) == BOX


def test_a_point_makes_a_box_of_one_pixel_inside_the_image(call):
    assert call("boxAround", [{"x": 500, "y": -3}], [400, 300], 1) == [399, 0, 400, 1]


@pytest.mark.parametrize(
    ("point", "part"),
    [
        ((100, 60), "top-left"),
        ((111, 100), "left"),  # 11 pixels inside
        ((113, 100), "box"),
        ((300, 211), "bottom-right"),
        ((87, 100), None),  # 13 pixels outside
    ],
)
def test_the_part_under_a_point(call, point, part):
    x, y = point
    assert call("partAt", [100, 50, 300, 200], {"x": x, "y": y}, 12) == part


def test_the_middle_of_a_small_box_can_be_moved_by_a_finger(call):
    assert call("partAt", [0, 0, 20, 20], {"x": 10, "y": 10}, 22) == "box"


@pytest.mark.parametrize(("scale", "grid"), [(0.5, 1), (1.99, 1), (2, 0.1), (30, 0.1)])
def test_tenths_of_a_pixel_are_kept_where_they_can_be_seen(call, scale, grid):
    assert call("gridOf", scale) == grid
