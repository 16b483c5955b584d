import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask
from sklearn.metrics import roc_auc_score

from onebox.metrics import auroc, box_spread, compare, compute_metrics, fraction_at_least, stretch
from onebox.structures import Box, KeypointSet, Prediction, Sample

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


def test_metrics_of_five_images_are_those_worked_by_hand():
    found = compute_metrics(four_with_a_box_and_one_without())
    assert (found.images, found.images_with_box) == (5, 4)
    assert found.mean_iou == pytest.approx(0.575)  # (1 + .5 + .8 + 0) / 4
    assert found.iou_at == {0.5: 0.75, 0.75: 0.5, 0.9: 0.25}
    assert found.class_accuracy == 0.75  # of the four with a label
    # the first two; the third has the wrong label, the fourth an IoU of 0
    assert found.top1_loc == 0.5
    assert found.gt_known_loc == 0.75
    assert found.max_box_acc_v2 == pytest.approx(2 / 3)  # (3/4 at .3 + 3/4 at .5 + 2/4 at .7) / 3
    assert found.mean_box_iou == 0.5  # 10 x 20 over the truth's 10 x 10


def test_without_images_every_metric_is_none():
    found = compute_metrics([])
    assert (found.images, found.images_with_box) == (0, 0)
    assert set(found.iou_at.values()) == {None}
    assert {found.mean_iou, found.class_accuracy, found.top1_loc, found.gt_known_loc} == {None}
    assert {found.max_box_acc_v2, found.mean_box_iou} == {None}


def test_images_without_a_box_count_only_as_images():
    found = compute_metrics([outcome(TRUTH, truth=None)])
    assert (found.images, found.images_with_box) == (1, 0)
    assert {found.mean_iou, found.class_accuracy, found.mean_box_iou} == {None}


def test_a_perfect_predictor_scores_one_everywhere():
    found = compute_metrics(
        [outcome(TRUTH), outcome((3.0, 4.0, 5.0, 6.0), truth=(3.0, 4.0, 5.0, 6.0))]
    )
    assert set(found.iou_at.values()) == {1.0}
    assert {found.mean_iou, found.class_accuracy, found.top1_loc} == {1.0}
    assert {found.gt_known_loc, found.max_box_acc_v2} == {1.0}


def test_the_mean_box_is_stretched_to_each_image():
    sample = Sample(image=Path("a.jpg"), label="cat", box=(10.0, 2.0, 30.0, 8.0))
    prediction = Prediction("cat", 1.0, (0.0, 0.0, 1.0, 1.0), (1.0,))
    # a quarter to three quarters of 40 x 8 is (10, 2, 30, 6): 4 of 6 rows of the truth
    middle = (0.25, 0.25, 0.75, 0.75)
    assert stretch(middle, (40, 8)) == (10.0, 2.0, 30.0, 6.0)
    found = compare(sample, prediction, size_wh=(40, 8), mean_box=middle)
    assert found.mean_box_iou == pytest.approx(4 / 6)


def test_max_box_acc_v2_is_the_mean_fraction_over_three_iou_thresholds():
    found = compute_metrics([outcome((0.0, 0.0, 10.0, rows)) for rows in (2.0, 4.0, 6.0, 7.2)])
    # three of four reach 0.3, two reach 0.5, one reaches 0.7
    assert found.max_box_acc_v2 == pytest.approx((3 / 4 + 2 / 4 + 1 / 4) / 3)


def test_without_a_mean_box_its_iou_is_none():
    assert compute_metrics([outcome(TRUTH, mean_box=None)]).mean_box_iou is None


def test_a_box_exactly_at_the_threshold_counts():
    assert fraction_at_least([0.5, 0.4999], 0.5) == 0.5
    assert fraction_at_least([], 0.5) is None


def test_an_image_without_a_label_is_neither_correct_nor_wrong():
    assert outcome(TRUTH).is_label_right is True
    assert outcome(TRUTH, label="dog").is_label_right is False
    assert outcome(TRUTH, truth=None).is_label_right is None


def test_spread_of_two_boxes_is_one_minus_their_mean_iou_with_the_mean_box():
    two = np.array([[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 3.0, 1.0]])
    # the mean box is 2 wide: IoUs of 1/2 and 2/3, whose mean is 7/12
    assert box_spread(two) == pytest.approx(5 / 12)
    assert box_spread(two[[0, 0, 0]]) == 0


@given(predicted=boxes(), truth=boxes())
def test_iou_of_an_outcome_equals_that_of_pycocotools(predicted, truth):
    as_xywh = [[x, y, right - x, low - y] for x, y, right, low in (predicted, truth)]
    theirs = mask.iou(np.array(as_xywh[:1]), np.array(as_xywh[1:]), [0])[0, 0]
    assert outcome(predicted, truth=truth).iou == pytest.approx(theirs, abs=1e-9)


@given(st.lists(st.tuples(boxes(), boxes(), st.sampled_from(["cat", "dog"])), min_size=1))
def test_a_stricter_metric_is_never_larger(rows):
    found = compute_metrics([outcome(box, truth=truth, label=label) for box, truth, label in rows])
    fractions = list(found.iou_at.values())
    assert fractions == sorted(fractions, reverse=True)
    assert found.top1_loc <= min(found.gt_known_loc, found.class_accuracy)
    assert found.gt_known_loc == found.iou_at[0.5]
    assert 0 <= found.mean_iou <= 1


def test_metrics_as_json_have_null_and_never_nan():
    text = json.dumps(compute_metrics([]).as_json(), allow_nan=False)
    assert json.loads(text)["iou_at"] == {"0.5": None, "0.75": None, "0.9": None}


# --- keypoints -----------------------------------------------------------------------------------

BODY = KeypointSet(("left_hip", "right_shoulder", "head"))
FACE = KeypointSet(("left_eye", "right_eye", "nose"))
# The torso is from (0, 0) to (6, 8): 10 pixels.
TRUE_BODY = ((0.0, 0.0, 2), (6.0, 8.0, 1), (20.0, 20.0, 2))


def posed(found, *, true=TRUE_BODY, keypoint_set=BODY, box=(0.0, 0.0, 40.0, 20.0)):
    """The outcome of predicted ``(x, y)`` keypoints."""
    keypoints = tuple((x, y, 0.5) for x, y in found)
    prediction = Prediction("man", 1.0, (0.0, 0.0, 1.0, 1.0), (1.0,), keypoints)
    sample = Sample(Path("a.jpg"), "man", box, keypoints=true)
    return compare(sample, prediction, size_wh=(99, 99), mean_box=None, keypoints=keypoint_set)


def test_keypoints_are_found_up_to_and_including_a_fifth_of_the_torso_length():
    # 2 px, 3 px and 1 px off, of 10
    one = posed([(2.0, 0.0), (6.0, 11.0), (20.0, 21.0)])
    assert one.keypoint_errors == pytest.approx((0.2, 0.3, 0.1))
    found = compute_metrics([one])
    assert found.pck == pytest.approx(2 / 3)
    assert found.keypoint_pck == (1.0, 0.0, 1.0)
    assert found.keypoint_error == pytest.approx((0.2, 0.3, 0.1))
    assert found.as_json()["pck_0.2"] == pytest.approx(2 / 3)


def test_a_keypoint_just_beyond_a_fifth_is_not_found():
    assert compute_metrics([posed([(2.001, 0.0), (6.0, 8.0), (20.0, 20.0)])]).pck == pytest.approx(
        2 / 3
    )


def test_unlabelled_keypoints_are_left_out_of_every_metric():
    headless = (*TRUE_BODY[:2], (0.0, 0.0, 0))
    found = compute_metrics(
        [
            posed([(0.0, 0.0), (6.0, 8.0), (20.0, 20.0)]),
            posed([(5.0, 0.0), (6.0, 8.0), (77.0, 77.0)], true=headless),
        ]
    )
    # three keypoints of the first image, two of the second, of which one is 5 of 10 px off
    assert found.pck == pytest.approx(4 / 5)
    assert found.keypoint_pck == (0.5, 1.0, 1.0)
    assert found.keypoint_error == (0.25, 0.0, 0.0)


def test_an_image_without_a_labelled_torso_has_no_keypoint_errors():
    hipless = ((0.0, 0.0, 0), *TRUE_BODY[1:])
    one = posed([(0.0, 0.0), (6.0, 8.0), (20.0, 20.0)], true=hipless)
    assert one.keypoint_errors == (None, None, None)
    found = compute_metrics([one])
    assert found.pck is None
    assert found.keypoint_pck == (None, None, None)


def test_without_torso_keypoints_the_unit_is_the_longer_edge_of_the_box():
    one = posed([(8.0, 0.0), (6.0, 8.0), (20.0, 20.0)], keypoint_set=FACE)
    # 8 of 40 px
    assert one.keypoint_errors == pytest.approx((0.2, 0.0, 0.0))


def test_without_keypoints_there_is_no_pck():
    found = compute_metrics([posed([(0.0, 0.0)] * 3, keypoint_set=None)])
    assert found.pck is None
    assert "pck_0.2" not in found.as_json()


# --- presence ---------------------------------------------------------------------------------


def judged(present, *, label="cat", truth=TRUTH):
    """The outcome of a presence; an image without label and box has no subject."""
    prediction = Prediction("cat", 0.5, TRUTH, (1.0,), present=present)
    sample = Sample(Path("a.jpg"), label, truth)
    return compare(sample, prediction, size_wh=(20, 20), mean_box=None)


def empty(present):
    return judged(present, label=None, truth=None)


def test_presence_metrics_are_those_worked_by_hand():
    found = compute_metrics([judged(0.9), judged(0.4), judged(0.2), empty(0.5), empty(0.2)])
    # of 3 x 2 pairs: 0.9 beats both, 0.4 beats 0.2, and 0.2 ties with 0.2
    assert found.presence_auroc == pytest.approx(3.5 / 6)
    assert found.false_box_rate == 0.5  # a presence of 0.5 counts as a subject
    assert found.missed_rate == pytest.approx(2 / 3)
    assert (found.images, found.images_with_box, found.mean_iou) == (5, 3, 1.0)


def test_a_label_or_a_box_alone_makes_a_subject():
    found = compute_metrics([judged(0.3, truth=None), judged(0.8, label=None), empty(0.5)])
    assert (found.presence_auroc, found.missed_rate, found.false_box_rate) == (0.5, 0.5, 1.0)


def test_if_all_images_have_the_subject_only_the_missed_rate_is_known():
    found = compute_metrics([judged(0.3), judged(0.8)])
    assert (found.presence_auroc, found.false_box_rate, found.missed_rate) == (None, None, 0.5)
    keys = {"presence_auroc": None, "false_box_rate": None, "missed_rate": 0.5}
    assert keys.items() <= found.as_json().items()


def test_if_all_images_lack_the_subject_only_the_false_box_rate_is_known():
    found = compute_metrics([empty(0.7), empty(0.1)])
    assert (found.presence_auroc, found.false_box_rate, found.missed_rate) == (None, 0.5, None)
    assert found.as_json()["missed_rate"] is None


def test_a_model_without_presence_has_no_presence_metrics():
    found = compute_metrics([judged(None), empty(None)])
    assert {found.presence_auroc, found.false_box_rate, found.missed_rate} == {None}
    assert not found.as_json().keys() & {"presence_auroc", "false_box_rate", "missed_rate"}


# eleven values, so that ties are common
scores = st.lists(st.integers(0, 10).map(lambda tenth: tenth / 10), min_size=1)


@given(positive=scores, negative=scores)
def test_auroc_equals_that_of_scikit_learn(positive, negative):
    truth = [1] * len(positive) + [0] * len(negative)
    expected = roc_auc_score(truth, positive + negative)
    assert auroc(positive, negative) == pytest.approx(expected, abs=1e-12)
    assert auroc(negative, positive) == pytest.approx(1 - expected, abs=1e-12)


def test_auroc_is_none_without_positives_or_without_negatives():
    assert auroc([], [0.5]) is None
    assert auroc([0.5], []) is None
