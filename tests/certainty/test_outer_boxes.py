import dataclasses
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from onebox.certainty.outer_boxes import LEVELS, hits_distribution, judge_outer_boxes
from onebox.confidence.records import Calibration, IouModel, SideScores
from onebox.metrics import compare
from onebox.structures import Prediction, Sample

BOX = (40.0, 40.0, 60.0, 60.0)
IOU = IouModel(0.0, 1.0, 0.7)
NINE = tuple(map(float, range(1, 10)))
ROOMY = (30.0, 30.0, 70.0, 70.0)


def calibration(outer, by_label=None):
    sides = {label: SideScores(scores, scores) for label, scores in (by_label or {}).items()}
    return Calibration(len(outer), 1.0, IOU, SideScores(outer, outer), sides)


def outcome(truth, label="cat", box=BOX):
    prediction = Prediction(label, 0.5, box, (0.5, 0.5), sigma=(1.0, 1.0, 1.0, 1.0))
    return compare(Sample(Path("a"), "cat", truth), prediction, size_wh=(100, 100), mean_box=None)


def test_the_levels_are_those_of_the_diagram():
    assert LEVELS == (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)


def test_nine_scores_worked_by_hand():
    # 90 % is the 9th of 9 scores: each side of 1 sigma = 1 px moves by 9, 20 px become 38
    inside, outside = (31.0, 31.0, 69.0, 69.0), (30.9, 40.0, 60.0, 60.0)
    found = judge_outer_boxes([outcome(outside), outcome(inside)], calibration(NINE), 0.9)
    assert (found.level, found.covered, found.stretch) == (0.9, 0.5, pytest.approx(1.9))
    # 50 % is the 5th: 20 px become 30
    half = judge_outer_boxes([outcome((35.0, 35.0, 65.0, 65.1))], calibration(NINE), 0.5)
    assert (half.covered, half.stretch) == (0.0, pytest.approx(1.5))


def test_thirds_are_from_the_least_sure_to_the_surest():
    outcomes = [outcome(ROOMY), outcome(ROOMY), outcome(BOX), outcome(ROOMY), *[outcome(BOX)] * 3]
    # 7 images: thirds of 3, 2, 2
    by_third = judge_outer_boxes(outcomes, calibration(NINE), 0.9).by_third
    assert by_third == pytest.approx((1 / 3, 0.5, 1.0))
    assert judge_outer_boxes(outcomes[:2], calibration(NINE), 0.9).by_third is None


def test_without_enough_calibration_images_or_any_image_there_is_nothing():
    assert judge_outer_boxes([outcome(BOX)], calibration(NINE[:8]), 0.9) is None
    assert judge_outer_boxes([], calibration(NINE), 0.9) is None


def test_an_empty_predicted_box_has_no_stretch():
    point = (40.0, 40.0, 40.0, 40.0)
    found = judge_outer_boxes(
        [outcome((35.0, 35.0, 45.0, 45.0), box=point)], calibration(NINE), 0.9
    )
    assert (found.covered, found.stretch) == (1.0, None)


@pytest.mark.parametrize(("n", "rank", "m"), [(9, 9, 5), (18, 18, 37), (203, 184, 406), (9, 5, 1)])
def test_the_number_of_covered_images_is_beta_binomial(n, rank, m):
    expected = stats.betabinom.pmf(np.arange(m + 1), m, rank, n + 1 - rank)
    np.testing.assert_allclose(hits_distribution(n, rank, m), expected, rtol=1e-9, atol=1e-15)


def test_the_expected_interval_is_of_both_samples():
    found = judge_outer_boxes([outcome(BOX)] * 40, calibration(tuple(map(float, range(18)))), 0.9)
    low, high = stats.betabinom.ppf([0.025, 0.975], 40, 18, 1)
    assert found.expected == (low / 40, high / 40)
    assert found.p_value == pytest.approx(1)


def test_a_label_with_scores_of_its_own_counts_apart():
    cats, dogs = tuple(map(float, range(9))), tuple(map(float, range(10, 19)))
    both = calibration(tuple(sorted(cats + dogs)), {"cat": cats, "dog": dogs})
    # the outer boxes of cats grow by 8 px on a side, those of dogs by 18
    truth = (30.0, 40.0, 60.0, 60.0)
    outcomes = [outcome(truth, "cat")] * 10 + [outcome(truth, "dog")] * 10
    found = judge_outer_boxes(outcomes, both, 0.9)
    assert found.covered == 0.5
    of_ten = stats.betabinom.pmf(np.arange(11), 10, 9, 1)
    cumulative = np.cumsum(np.convolve(of_ten, of_ten))
    low, high = (int((cumulative < tail).sum()) for tail in (0.025, 0.975))
    assert found.expected == (low / 20, high / 20)


def test_the_interval_holds_as_often_as_it_says(sure_outcomes, calibration_of):
    held = []
    for seed in range(60):
        images = sure_outcomes(70, seed=seed)
        found = judge_outer_boxes(images[30:], calibration_of(images[:30]), 0.8)
        held.append(found.expected[0] <= found.covered <= found.expected[1])
    # 95 % of 60 are 57; at most 52 would happen once in 300
    assert sum(held) > 52


def test_the_p_value_is_the_probability_of_so_few_or_fewer():
    # 90 % of 9 scores of 1 to 9: a side of more than 9 px too few is a miss
    outcomes = [outcome((30.0, 40.0, 60.0, 60.0))] * 7 + [outcome(BOX)] * 3
    found = judge_outer_boxes(outcomes, calibration(NINE), 0.9)
    assert found.covered == 0.3
    assert found.p_value == pytest.approx(stats.betabinom.cdf(3, 10, 9, 1))


def test_errors_that_doubled_fall_below_the_interval(sure_outcomes, calibration_of):
    calibrated = calibration_of(sure_outcomes(60, seed=0))
    found = judge_outer_boxes(sure_outcomes(60, seed=1, errors=2.0), calibrated, 0.9)
    assert found.covered < found.expected[0]
    assert dataclasses.asdict(found)["level"] == 0.9
