import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from onebox.certainty.assessment import Accepted, assess, sureness
from onebox.confidence.records import Calibration, IouModel, KeypointModel, SideScores
from onebox.metrics import compare
from onebox.structures import KeypointSet, Prediction, Sample

TRUTH = (0.0, 0.0, 10.0, 10.0)
IOU = IouModel(0.0, 1.0, 0.7)


def outcome(width=10.0, *, score=0.5, label="cat", truth=TRUTH, probabilities=(1.0,), **certainty):
    """An image whose IoU is a tenth of the predicted width."""
    prediction = Prediction(label, score, (0.0, 0.0, width, 10.0), probabilities, **certainty)
    sample = Sample(Path("a.jpg"), None if truth is None else "cat", truth)
    return compare(sample, prediction, size_wh=(20, 20), mean_box=None)


def calibration(**found):
    scores = tuple(map(float, range(9)))
    return Calibration(9, 1.0, IOU, SideScores(scores, scores), **found)


def strict(certainty):
    """What a reader of the JSON gets; NaN and infinity are refused."""
    return json.loads(json.dumps(certainty.as_json(), allow_nan=False))


def test_without_a_true_box_nothing_is_measured():
    assert assess([], None) is None
    assert assess([outcome(truth=None)], None) is None


def test_an_uncalibrated_model_has_the_order_of_its_score_and_no_more():
    # the score orders IoUs of 1, 0.5 and 0.8, surest first; an image without a box is left out
    images = [outcome(10.0, score=0.9), outcome(5.0, score=0.8), outcome(8.0, score=0.7)]
    found = assess([*images, outcome(truth=None)], None)
    assert (found.images, found.calibration_images) == (3, None)
    assert found.spearman == pytest.approx(0.5)
    # risks of 0, 0.5 / 2, 0.7 / 3
    assert found.by_score.area == pytest.approx((0.25 + 0.7 / 3) / 3)
    # the best order has 0, 0.2 / 2, 0.7 / 3
    assert found.by_iou.area == pytest.approx((0.1 + 0.7 / 3) / 3)
    assert found.excess_aurc == pytest.approx(0.05)
    # the probability of the only class is 1 for each, which orders nothing
    assert found.by_class_probability.risks == pytest.approx([0.7 / 3] * 3)
    assert (found.p_iou50, found.p_iou75, found.probability) == (None, None, None)
    assert (found.outer_boxes, found.at_level, found.accepted) == ((), None, None)
    assert (found.drift_p, found.warning()) == (None, None)
    assert strict(found)["outer_boxes"] == []


def test_labelled_keypoints_are_judged_by_the_probability_that_they_are_found():
    names = KeypointSet(("left", "right"))
    sample = Sample(Path("a.jpg"), "cat", TRUTH, keypoints=((2.0, 2.0, 2), (8.0, 8.0, 0)))
    # The box is 10 px long: an error of 2 px is found, one of 3 px is not.
    images = [
        compare(
            sample,
            Prediction("cat", 0.5, TRUTH, (1.0,), ((2.0 + error, 2.0, p), (0.0, 0.0, 0.5))),
            size_wh=(20, 20),
            mean_box=None,
            keypoints=names,
        )
        for error, p in ((2.0, 0.9), (3.0, 0.6), (0.0, 0.9))
    ]
    model = KeypointModel(1.0, (0.0, 0.0))
    found = assess(images, calibration(keypoints=model)).keypoints
    assert [(one.predicted, one.observed, one.images) for one in found.bins] == [
        (pytest.approx(0.8), pytest.approx(2 / 3), 3)
    ]
    assert found.ece == pytest.approx(0.8 - 2 / 3)
    assert assess(images, calibration()).keypoints is None
    assert strict(assess(images, calibration(keypoints=model)))["keypoints"]["brier"] > 0


def test_a_calibrated_model_is_as_sure_as_its_expected_iou():
    images = [outcome(9.0, score=0.1, expected_iou=0.8), outcome(5.0, score=0.9, expected_iou=0.3)]
    assert [sureness(one) for one in images] == [0.8, 0.3]
    found = assess(images, None)
    assert found.spearman == pytest.approx(1)
    # the score orders the other way: a loss of 0.5, then (0.5 + 0.1) / 2
    assert found.by_score.area == pytest.approx((0.5 + 0.3) / 2)


def test_probabilities_are_compared_with_the_iou_they_are_of():
    # IoUs of 0.5 and 0.75, exactly at the thresholds
    images = [outcome(width, p_iou50=0.9, p_iou75=0.25) for width in (5.0, 7.5)]
    found = assess(images, None)
    assert [(one.predicted, one.observed) for one in found.p_iou50.bins] == [(0.9, 1.0)]
    assert [(one.predicted, one.observed) for one in found.p_iou75.bins] == [(0.25, 0.5)]
    assert found.p_iou75.brier == pytest.approx((0.0625 + 0.5625) / 2)


def test_the_probability_of_the_label_is_judged_for_several_classes():
    images = [
        outcome(label="cat", probabilities=(0.8, 0.2)),
        outcome(label="dog", probabilities=(0.2, 0.8)),
    ]
    found = assess(images, None)
    (only,) = found.probability.bins
    assert (only.predicted, only.observed, only.images) == (0.8, 0.5, 2)


def test_a_box_without_a_label_has_no_wrong_label():
    unlabelled = dataclasses.replace(outcome(), sample=Sample(Path("a"), None, TRUTH))
    assert assess([unlabelled], None).probability is None
    assert unlabelled.is_wrong is False


@pytest.mark.parametrize(
    ("one", "is_wrong"),
    [
        (outcome(5.0), False),
        (outcome(4.9), True),
        (outcome(label="dog"), True),
        (outcome(truth=None), None),
    ],
)
def test_a_prediction_is_wrong_by_its_box_or_its_label(one, is_wrong):
    assert one.is_wrong is is_wrong


@pytest.mark.parametrize("images", [[outcome()], [outcome()] * 12, [outcome(1e-9)] * 12])
def test_one_image_or_equal_ones_have_no_rank_correlation(images):
    # all right, or all wrong: the confidence is constant too
    found = assess(images, None)
    assert found.spearman is None
    assert found.excess_aurc == pytest.approx(0)
    assert strict(found)["spearman"] is None


def test_a_confidence_that_is_no_number_is_none_at_all():
    nan = float("nan")
    found = assess([outcome(10.0, score=0.5), outcome(5.0, score=nan, p_iou50=nan)], None)
    assert found.spearman == pytest.approx(1)
    assert found.p_iou50.brier == 1.0
    strict(found)


def proving(wrong_below):
    """Calibration images whose 60 highest scores are right: 59 prove a risk of 5 %."""
    scores = tuple(1 - index / 100 for index in range(80))
    return calibration(scores=scores, is_wrong=tuple(index >= wrong_below for index in range(80)))


def test_accepted_predictions_are_those_above_the_calibrated_threshold():
    # 59 right images prove 5 %; the next score below them is that of index 59: 0.41
    images = [outcome(score=0.9), outcome(3.0, score=0.42), outcome(score=1 - 59 / 100)]
    found = assess(images, proving(60)).accepted
    assert found == Accepted(max_risk=0.05, share=2 / 3, risk=0.5)
    none = assess([outcome(score=0.1)], proving(60)).accepted
    assert (none.share, none.risk) == (0.0, None)


def test_a_risk_that_is_not_proved_accepts_nothing():
    assert assess([outcome()], proving(3)).accepted is None
    assert assess([outcome()], calibration()).accepted is None


def test_few_calibration_images_allow_few_levels():
    # 9 images allow 90 %, and not 95 %
    images = [outcome(sigma=(1.0, 1.0, 1.0, 1.0))]
    found = assess(images, calibration())
    assert [one.level for one in found.outer_boxes][-1] == found.at_level.level == 0.9
    assert len(found.outer_boxes) == 9
    assert assess([outcome()], calibration()).outer_boxes == ()  # without sigma


def test_the_least_sure_third_comes_first():
    # the outer box of the least sure image reaches to 3 + 8, of its true 10; of 1 sigma = 0.1 px
    # that of another to 5 + 0.8
    least = outcome(3.0, sigma=(1.0, 1.0, 1.0, 1.0), expected_iou=0.2)
    others = [outcome(5.0, sigma=(0.1, 0.1, 0.1, 0.1), expected_iou=0.5)] * 2
    found = assess([*others, least], calibration()).at_level
    assert found.by_third == (1.0, 0.0, 0.0)


SIGMA = (1.0, 1.0, 1.0, 1.0)  # of a box of 10 x 10: a spread of 0.1


def with_spreads(count=20):
    """Images whose spreads are 0.05 to 0.15, each with a perfect box."""
    sigmas = map(float, np.linspace(0.5, 1.5, count))
    return [outcome(sigma=(sigma, sigma, sigma, sigma), novelty=5.0) for sigma in sigmas]


def from_0_to(end):
    return tuple(np.linspace(0, end, 40).tolist())


def test_images_unlike_the_calibration_images_are_warned_of():
    alike = calibration(spreads=tuple(np.linspace(0.04, 0.16, 40).tolist()))
    assert assess(with_spreads(), alike).warning() is None
    unlike = calibration(spreads=from_0_to(0.08))
    found = assess(with_spreads(), unlike)
    new = np.linspace(0.05, 0.15, 20)
    exact = stats.ks_2samp(unlike.spreads, new, method="exact").pvalue
    # two tests: of the spreads, and of the coverage, which is complete
    assert found.drift_p < 0.001
    assert found.drift_p == pytest.approx(2 * exact, rel=0.5)
    assert found.warning().startswith(
        f"these images differ from those that the model was calibrated on (p = {found.drift_p:.1g})"
    )
    assert "onebox calibrate MODEL DATA" in found.warning()


def test_each_further_test_multiplies_the_p_value():
    alone = assess(with_spreads(), calibration(novelties=from_0_to(4.9))).drift_p
    both = calibration(spreads=from_0_to(0.2), novelties=from_0_to(4.9))
    assert alone < 1e-6
    assert assess(with_spreads(), both).drift_p == pytest.approx(alone * 3 / 2)


def test_outer_boxes_that_miss_too_often_are_warned_of(sure_outcomes, calibration_of):
    calibrated = calibration_of(sure_outcomes(60, seed=1))
    worse = assess(sure_outcomes(60, seed=2, errors=2.0, calibration=calibrated), calibrated)
    assert worse.at_level.p_value < 0.003
    assert worse.drift_p == pytest.approx(2 * worse.at_level.p_value)
    assert "these images differ" in worse.warning()


def test_a_calibration_without_stored_spreads_shows_no_drift():
    assert assess([outcome(sigma=SIGMA)], calibration()).drift_p == pytest.approx(1)


def test_a_model_that_knows_its_errors_passes_every_check(sure_outcomes, calibration_of):
    calibrated = calibration_of(sure_outcomes(400, seed=1))
    found = assess(sure_outcomes(600, seed=2, calibration=calibrated), calibrated)
    assert found.calibration_images == 400
    assert found.spearman > 0.7
    assert found.by_iou.area < found.by_score.area < 0.7 * found.by_class_probability.area
    assert found.p_iou50.ece < 0.04
    assert found.p_iou75.ece < 0.06
    # each level is outside once in 20 data sets, together with its neighbours
    assert sum(one.expected[0] <= one.covered <= one.expected[1] for one in found.outer_boxes) > 7
    assert found.at_level.covered == pytest.approx(0.9, abs=0.035)
    stretches = [one.stretch for one in found.outer_boxes]
    assert stretches == sorted(stretches)
    assert found.warning() is None
    assert strict(found)["risk_coverage"]["oracle"][-1] == pytest.approx(found.by_iou.risks[-1])


def test_the_table_shows_what_there_is(sure_outcomes, calibration_of):
    calibrated = calibration_of(sure_outcomes(60, seed=1))
    found = assess(sure_outcomes(60, seed=2, calibration=calibrated), calibrated)
    rows = found.rows()
    assert rows["coverage_0.9.covered"] == found.at_level.covered
    assert rows["p_iou75.ece"] == found.p_iou75.ece
    uncalibrated = assess([outcome()], None).rows()
    assert list(uncalibrated) == list(rows)
    assert [name for name, value in uncalibrated.items() if value is not None] == ["aurc"]
