"""What calibration and guarantees add to one prediction."""

import dataclasses
from math import inf, log

import pytest

from onebox.confidence.applying import calibrated, guaranteed
from onebox.confidence.guarantees import Growth, Guarantees
from onebox.confidence.iou_model import expected_iou, probability_at_least
from onebox.confidence.records import KeypointModel, NoveltyModel
from onebox.structures import Prediction

SIZE_WH = (200, 150)


@pytest.fixture
def prediction():
    """A box 100 px wide and 50 px high with edges of 5 % and 10 %: the spread is 0.075."""
    return Prediction(
        label="cat",
        score=0.9,
        box=(20.0, 30.0, 120.0, 80.0),
        probabilities=(0.9, 0.1),
        sigma=(5.0, 5.0, 5.0, 5.0),
        distance=0.2,
    )


def test_the_score_is_probability_times_expected_iou_times_presence(prediction, calibration):
    seen = dataclasses.replace(prediction, present=0.8)
    found = calibrated(seen, calibration)
    assert found.probabilities == pytest.approx(
        (0.75, 0.25)
    )  # a temperature of 2: 9 to 1 as 3 to 1
    assert found.expected_iou == expected_iou(calibration.iou, 0.075)
    assert found.score == pytest.approx(0.75 * found.expected_iou * 0.8)


def test_the_confidence_of_a_keypoint_becomes_the_probability_that_it_is_found(
    prediction, calibration
):
    seen = dataclasses.replace(prediction, keypoints=((1.0, 2.0, 0.75), (3.0, 4.0, 0.5)))
    assert calibrated(seen, calibration).keypoints == seen.keypoints  # it knows nothing of them
    model = KeypointModel(2.0, (0.0, log(3)))
    found = calibrated(seen, dataclasses.replace(calibration, keypoints=model)).keypoints
    # odds of 3 become 9, and odds of 1 become 3
    assert [point[:2] for point in found] == [(1.0, 2.0), (3.0, 4.0)]
    assert [p for _, _, p in found] == pytest.approx([0.9, 0.75])


def test_a_model_without_presence_leaves_it_out(prediction, calibration):
    found = calibrated(prediction, calibration)
    assert found.score == pytest.approx(0.75 * found.expected_iou)


def test_the_probabilities_of_the_iou_are_those_of_the_spread(prediction, calibration):
    found = calibrated(prediction, calibration)
    assert found.p_iou50 == probability_at_least(calibration.iou, 0.075, 0.5)
    assert found.p_iou75 == probability_at_least(calibration.iou, 0.075, 0.75)
    assert 0 < found.p_iou75 < found.p_iou50 < 1


def test_novelty_adds_up_the_three_signs_and_is_ranked(prediction, calibration):
    found = calibrated(prediction, calibration)
    # only the distance has a weight: (log 0.2 - log 0.1) x 10 / log 2
    assert found.novelty == pytest.approx(10)
    # itself and 10 to 20, of 21; 10 itself or not, as rounding has it
    assert found.familiar in {11 / 21, 12 / 21}
    assert found.is_familiar is True
    far = calibrated(dataclasses.replace(prediction, distance=0.8), calibration)
    assert far.novelty == pytest.approx(30)
    assert (far.familiar, far.is_familiar) == (1 / 21, False)


def test_the_signs_are_those_of_the_calibrated_prediction(prediction, calibration):
    unsure = NoveltyModel(means=(0.0, 0.0, 0.0), weights=(0.0, 1.0, 1.0))
    found = calibrated(prediction, dataclasses.replace(calibration, novelty=unsure))
    # the spread 0.075, and the label wrong with the probability 0.25 at a temperature of 2
    assert found.novelty == pytest.approx(log(0.075 + 1e-4) + log(0.25 + 0.01))


def test_few_calibration_images_give_a_rank_without_a_verdict(prediction, calibration):
    few = dataclasses.replace(calibration, novelties=calibration.novelties[:18])
    found = calibrated(dataclasses.replace(prediction, distance=0.8), few)
    assert (found.familiar, found.is_familiar) == (1 / 19, None)


def test_a_model_without_novelty_has_no_rank(prediction, calibration):
    without = dataclasses.replace(calibration, novelty=None, novelties=())
    near = dataclasses.replace(prediction, distance=None)
    for found in (calibrated(prediction, without), calibrated(near, calibration)):
        assert (found.novelty, found.familiar, found.is_familiar) == (None, None, None)


def test_all_else_stays(prediction, calibration):
    found = calibrated(prediction, calibration)
    for name in ("label", "box", "sigma", "distance", "keypoints", "present", "outer_box"):
        assert getattr(found, name) == getattr(prediction, name)


def test_a_prediction_without_sigma_stays_as_it_is(prediction, calibration):
    old = dataclasses.replace(prediction, sigma=None)
    assert calibrated(old, calibration) == old


@pytest.mark.parametrize("sigma", [(0.0,) * 4, (1e6,) * 4])
@pytest.mark.parametrize("box", [(20.0, 30.0, 120.0, 80.0), (20.0, 30.0, 20.0, 30.0)])
def test_an_edge_case_of_sigma_or_box_has_a_score_from_0_to_1(prediction, calibration, sigma, box):
    odd = dataclasses.replace(prediction, sigma=sigma, box=box)
    found = calibrated(odd, calibration)
    assert 0 <= found.score <= 1
    assert 0 <= found.p_iou75 <= found.p_iou50 <= 1


def test_boxes_move_by_sigmas_within_the_image(prediction):
    found = guaranteed(prediction, Guarantees(growth=Growth(outer=5.0, inner=2.0)), SIZE_WH)
    assert found.outer_box == (0, 5, 145, 105)  # 25 px outwards, at the left only 20
    assert found.inner_box == (30, 40, 110, 70)  # 10 px inwards
    assert found.accepted is None


def test_an_inner_box_without_a_size_is_none(prediction):
    found = guaranteed(prediction, Guarantees(growth=Growth(outer=1.0, inner=5.0)), SIZE_WH)
    assert found.inner_box is None  # 25 px from above and below leave nothing of 50
    assert found.outer_box == (15, 25, 125, 85)


def test_a_label_with_its_own_growth_uses_it(prediction):
    promise = Guarantees(
        growth=Growth(outer=1.0, inner=1.0), growth_by_label={"cat": Growth(2.0, 3.0)}
    )
    found = guaranteed(prediction, promise, SIZE_WH)
    assert (found.outer_box, found.inner_box) == ((10, 20, 130, 90), (35, 45, 105, 65))
    dog = guaranteed(dataclasses.replace(prediction, label="dog"), promise, SIZE_WH)
    assert dog.outer_box == (15, 25, 125, 85)


@pytest.mark.parametrize(
    ("score_threshold", "accepted"), [(0.89, True), (0.9, False), (0.95, False), (-inf, True)]
)
def test_a_score_above_the_threshold_is_accepted(prediction, score_threshold, accepted):
    found = guaranteed(prediction, Guarantees(score_threshold=score_threshold), SIZE_WH)
    assert found.accepted is accepted
    assert (found.outer_box, found.inner_box) == (None, None)


def test_no_promise_changes_nothing(prediction):
    assert guaranteed(prediction, Guarantees(), SIZE_WH) == prediction
