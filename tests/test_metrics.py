import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask

from onebox.metrics import compare, figures, share_at, spread, stretch
from onebox.structures import Box, Prediction, Sample

TRUTH = (0.0, 0.0, 10.0, 10.0)
LEFT_HALF = (0.0, 0.0, 0.5, 1.0)

edges = st.floats(0, 100).map(lambda edge: round(edge, 3))


@st.composite
def boxes(draw):
    (left, right), (top, bottom) = (sorted(draw(st.tuples(edges, edges))) for _ in range(2))
    return (left, top, right + 1.0, bottom + 1.0)


def outcome(box: Box, *, label="cat", truth: Box | None = TRUTH, mean_box: Box | None = LEFT_HALF):
    sample = Sample(image=Path("a.jpg"), label=None if truth is None else "cat", box=truth)
    prediction = Prediction(label=label, score=0.5, box=box, probabilities=(0.5, 0.5))
    return compare(sample, prediction, size_wh=(20, 20), mean_box=mean_box)


def four_with_a_box_and_one_without():
    return [
        outcome(TRUTH),  # IoU 1
        outcome((0.0, 0.0, 10.0, 5.0)),  # 50 of 100
        outcome((0.0, 0.0, 10.0, 8.0), label="dog"),  # 80 of 100
        outcome((10.0, 10.0, 20.0, 20.0)),  # a corner in common
        outcome(TRUTH, truth=None),
    ]


def test_figures_of_five_pictures_are_those_worked_by_hand():
    found = figures(four_with_a_box_and_one_without())
    assert (found.images, found.images_with_box) == (5, 4)
    assert found.mean_iou == pytest.approx(0.575)  # (1 + .5 + .8 + 0) / 4
    assert found.iou_at == {0.5: 0.75, 0.75: 0.5, 0.9: 0.25}
    assert found.class_accuracy == 0.75  # of the four with a label
    # the first two; the third has the wrong label, the fourth the wrong place
    assert found.top1_loc == 0.5
    assert found.gt_known_loc == 0.75
    assert found.max_box_acc_v2 == pytest.approx(2 / 3)  # (3/4 at .3 + 3/4 at .5 + 2/4 at .7) / 3
    assert found.mean_box_iou == 0.5  # 10 x 20 over the truth's 10 x 10


def test_no_pictures_have_no_figures_but_their_number():
    found = figures([])
    assert (found.images, found.images_with_box) == (0, 0)
    assert set(found.iou_at.values()) == {None}
    assert {found.mean_iou, found.class_accuracy, found.top1_loc, found.gt_known_loc} == {None}
    assert {found.max_box_acc_v2, found.mean_box_iou} == {None}


def test_pictures_without_a_box_count_as_pictures_only():
    found = figures([outcome(TRUTH, truth=None)])
    assert (found.images, found.images_with_box) == (1, 0)
    assert {found.mean_iou, found.class_accuracy, found.mean_box_iou} == {None}


def test_a_perfect_predictor_scores_one_everywhere():
    found = figures([outcome(TRUTH), outcome((3.0, 4.0, 5.0, 6.0), truth=(3.0, 4.0, 5.0, 6.0))])
    assert set(found.iou_at.values()) == {1.0}
    assert {found.mean_iou, found.class_accuracy, found.top1_loc} == {1.0}
    assert {found.gt_known_loc, found.max_box_acc_v2} == {1.0}


def test_the_mean_box_is_stretched_to_each_picture():
    sample = Sample(image=Path("a.jpg"), label="cat", box=(10.0, 2.0, 30.0, 8.0))
    prediction = Prediction("cat", 1.0, (0.0, 0.0, 1.0, 1.0), (1.0,))
    # a quarter to three quarters of 40 x 8 is (10, 2, 30, 6): 4 of 6 rows of the truth
    middle = (0.25, 0.25, 0.75, 0.75)
    assert stretch(middle, (40, 8)) == (10.0, 2.0, 30.0, 6.0)
    found = compare(sample, prediction, size_wh=(40, 8), mean_box=middle)
    assert found.mean_box_iou == pytest.approx(4 / 6)


def test_max_box_acc_v2_is_the_mean_of_the_shares_at_three_overlaps():
    found = figures([outcome((0.0, 0.0, 10.0, rows)) for rows in (2.0, 4.0, 6.0, 7.2)])
    # three of four reach 0.3, two reach 0.5, one reaches 0.7
    assert found.max_box_acc_v2 == pytest.approx((3 / 4 + 2 / 4 + 1 / 4) / 3)


def test_an_unknown_mean_box_has_no_figure():
    assert figures([outcome(TRUTH, mean_box=None)]).mean_box_iou is None


def test_a_threshold_counts_the_boxes_that_just_reach_it():
    assert share_at([0.5, 0.4999], 0.5) == 0.5
    assert share_at([], 0.5) is None


def test_a_picture_without_a_label_is_neither_right_nor_wrong():
    assert outcome(TRUTH).is_label_right is True
    assert outcome(TRUTH, label="dog").is_label_right is False
    assert outcome(TRUTH, truth=None).is_label_right is None


def test_spread_of_two_boxes_is_their_mean_distance_from_the_box_between():
    two = np.array([[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 3.0, 1.0]])
    # the mean is 2 wide: overlaps 1/2 and 2/3, whose mean is 7/12
    assert spread(two) == pytest.approx(5 / 12)
    assert spread(two[[0, 0, 0]]) == 0


@given(predicted=boxes(), truth=boxes())
def test_iou_of_an_outcome_is_the_one_of_pycocotools(predicted, truth):
    as_xywh = [[x, y, right - x, low - y] for x, y, right, low in (predicted, truth)]
    theirs = mask.iou(np.array(as_xywh[:1]), np.array(as_xywh[1:]), [0])[0, 0]
    assert outcome(predicted, truth=truth).iou == pytest.approx(theirs, abs=1e-9)


@given(st.lists(st.tuples(boxes(), boxes(), st.sampled_from(["cat", "dog"])), min_size=1))
def test_a_stricter_figure_is_never_larger(rows):
    found = figures([outcome(box, truth=truth, label=label) for box, truth, label in rows])
    shares = list(found.iou_at.values())
    assert shares == sorted(shares, reverse=True)
    assert found.top1_loc <= min(found.gt_known_loc, found.class_accuracy)
    assert found.gt_known_loc == found.iou_at[0.5]
    assert 0 <= found.mean_iou <= 1


def test_figures_as_json_hold_null_and_never_nan():
    text = json.dumps(figures([]).as_json(), allow_nan=False)
    assert json.loads(text)["iou_at"] == {"0.5": None, "0.75": None, "0.9": None}
