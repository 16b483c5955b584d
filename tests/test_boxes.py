"""Boxes: layouts, geometry, IoU and turning upright."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageOps
from torchvision.ops import box_convert, box_iou

from onebox.boxes import (
    LAYOUTS,
    box_areas,
    box_sizes,
    clip_boxes,
    from_xyxy,
    paired_iou,
    to_xyxy,
    turn_boxes_upright,
    turn_points_upright,
)

NONE = np.zeros((0, 4))
ORIENTATIONS = range(1, 9)


def whole_boxes(rows):
    """Valid xyxy boxes at whole pixels, so that sums are exact."""
    corners = arrays(np.int64, (rows, 2), elements=st.integers(-50, 50))
    sizes = arrays(np.int64, (rows, 2), elements=st.integers(1, 50))
    return st.builds(lambda c, s: np.concatenate([c, c + s], axis=1).astype(float), corners, sizes)


def bright_box(image):
    rows, columns = np.nonzero(np.asarray(image) > 127)
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


def upright(image, orientation):
    """The image as Pillow turns it upright from this EXIF orientation."""
    image.getexif()[0x0112] = orientation
    return ImageOps.exif_transpose(image)


@pytest.mark.parametrize(
    ("layout", "numbers"),
    [
        ("xyxy", [10.0, 20.0, 40.0, 60.0]),
        ("xywh", [10.0, 20.0, 30.0, 40.0]),
        ("cxcywh", [25.0, 40.0, 30.0, 40.0]),
    ],
)
def test_a_box_30_wide_and_40_high_at_10_20_converts_to_and_from_each_layout(layout, numbers):
    xyxy = np.array([[10.0, 20.0, 40.0, 60.0]])
    np.testing.assert_array_equal(from_xyxy(xyxy, layout), [numbers])
    np.testing.assert_array_equal(to_xyxy(np.array([numbers]), layout), xyxy)


@pytest.mark.parametrize("layout", LAYOUTS)
@given(boxes=whole_boxes(3))
def test_layouts_agree_with_torchvision_both_ways(layout, boxes):
    theirs = box_convert(torch.from_numpy(boxes), "xyxy", layout).numpy()
    np.testing.assert_array_equal(from_xyxy(boxes, layout), theirs)
    np.testing.assert_array_equal(to_xyxy(theirs, layout), boxes)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_no_boxes_stay_no_boxes_and_a_conversion_never_returns_its_input(layout):
    assert to_xyxy(NONE, layout).shape == (0, 4)
    boxes = np.ones((1, 4))
    to_xyxy(boxes, layout)[:] = 7
    from_xyxy(boxes, layout)[:] = 7
    np.testing.assert_array_equal(boxes, np.ones((1, 4)))


def test_an_unknown_layout_is_a_key_error():
    with pytest.raises(KeyError):
        to_xyxy(NONE, "yxyx")


def test_a_width_is_the_difference_of_edges_and_an_inverted_box_has_no_area():
    boxes = np.array([[1.0, 2.0, 4.0, 7.0], [4.0, 7.0, 1.0, 2.0], [3.0, 3.0, 3.0, 9.0]])
    np.testing.assert_array_equal(box_sizes(boxes), [[3, 5], [-3, -5], [0, 6]])
    # 3 x 5; both sides inverted must not multiply to +15; a line
    np.testing.assert_array_equal(box_areas(boxes), [15, 0, 0])


def test_clipping_keeps_the_part_inside_the_frame():
    boxes = np.array([[-5.0, 2.0, 4.0, 30.0], [1.0, 1.0, 2.0, 2.0], [50.0, 50.0, 60.0, 60.0]])
    expected = [[0, 2, 4, 10], [1, 1, 2, 2], [20, 10, 20, 10]]
    np.testing.assert_array_equal(clip_boxes(boxes, (20, 10)), expected)


def test_iou_of_cases_worked_by_hand():
    here = np.array([[0.0, 0.0, 4.0, 4.0]] * 5)
    there = np.array([
        [0.0, 0.0, 4.0, 4.0],  # the same: 1
        [2.0, 0.0, 6.0, 4.0],  # 8 shared of 16 + 16 - 8 = 24
        [1.0, 1.0, 3.0, 3.0],  # inside: 4 of 16
        [4.0, 0.0, 8.0, 4.0],  # a shared edge: 0
        [9.0, 9.0, 5.0, 5.0],  # inverted, elsewhere: 0
    ])  # fmt: skip
    np.testing.assert_allclose(paired_iou(here, there), [1, 1 / 3, 1 / 4, 0, 0])


def test_iou_of_boxes_without_area_is_zero_not_nan():
    point = np.array([[3.0, 3.0, 3.0, 3.0]])
    np.testing.assert_array_equal(paired_iou(point, point), [0])
    assert paired_iou(NONE, NONE).shape == (0,)


@given(left=whole_boxes(4), right=whole_boxes(4))
def test_iou_is_the_diagonal_of_torchvisions_and_symmetric(left, right):
    theirs = box_iou(torch.from_numpy(left), torch.from_numpy(right)).diagonal().numpy()
    np.testing.assert_allclose(paired_iou(left, right), theirs, atol=1e-12)
    np.testing.assert_array_equal(paired_iou(left, right), paired_iou(right, left))


@given(boxes=whole_boxes(3), scale=st.integers(1, 9), shift=st.integers(-30, 30))
def test_iou_does_not_change_when_both_boxes_are_scaled_and_moved(boxes, scale, shift):
    other = boxes + np.array([1.0, 0.0, 3.0, 2.0])
    moved = paired_iou(boxes * scale + shift, other * scale + shift)
    np.testing.assert_allclose(moved, paired_iou(boxes, other))


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_turned_box_is_where_pillow_turns_its_rectangle(orientation):
    image = Image.new("L", (31, 17))
    image.paste(255, (3, 5, 10, 9))
    boxes = np.array([[3.0, 5.0, 10.0, 9.0]])
    found = turn_boxes_upright(boxes, orientation, image.size)
    np.testing.assert_array_equal(found, [bright_box(upright(image, orientation))])


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_turned_point_is_where_pillow_turns_its_pixel(orientation):
    image = Image.new("L", (31, 17))
    image.putpixel((4, 11), 255)
    found = turn_points_upright(np.array([[4.5, 11.5]]), orientation, image.size)
    left, top, *_ = bright_box(upright(image, orientation))
    np.testing.assert_array_equal(found, [[left + 0.5, top + 0.5]])


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_no_boxes_turn_into_no_boxes(orientation):
    assert turn_boxes_upright(NONE, orientation, (31, 17)).shape == (0, 4)


@given(boxes=whole_boxes(3), orientation=st.sampled_from(ORIENTATIONS))
def test_turning_keeps_area_and_iou(boxes, orientation):
    other = boxes + np.array([1.0, 0.0, 3.0, 2.0])
    turned = turn_boxes_upright(boxes, orientation, (100, 60))
    turned_other = turn_boxes_upright(other, orientation, (100, 60))
    np.testing.assert_array_equal(box_areas(turned), box_areas(boxes))
    np.testing.assert_allclose(paired_iou(turned, turned_other), paired_iou(boxes, other))
