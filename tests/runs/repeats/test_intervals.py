"""Means and intervals, worked by hand."""

import dataclasses

import numpy as np
import pytest

from onebox.confidence.student_t import t_interval
from onebox.metrics import compare, compute_metrics
from onebox.runs.repeats.intervals import Estimate, headlines, over_images, over_runs
from onebox.structures import KeypointSet, Prediction, Sample

TRUE = (0.0, 0.0, 10.0, 10.0)
KEYPOINTS = KeypointSet(("nose", "tail"))


def outcome(iou=1.0, *, label="cat", has_subject=True, present=None, errors=()):
    """An image whose predicted box is as high as the true one and narrower: IoU is its width."""
    points = None
    marks = None
    if errors:
        marks = tuple((0.0, 0.0, 2) for _ in errors)
        points = tuple((10 * error, 0.0, 1.0) for error in errors)  # the box is 10 long
    box = TRUE if has_subject else None
    sample = Sample(np.zeros((4, 4, 3)), "cat" if has_subject else None, box, keypoints=marks)
    prediction = Prediction(label, 1.0, (0.0, 0.0, 10 * iou, 10.0), (1.0,), points, present)
    keypoints = KEYPOINTS if errors else None
    return compare(
        sample, prediction, size_wh=(20, 20), mean_box=(0.0, 0.0, 0.5, 0.25), keypoints=keypoints
    )


def test_three_runs_have_their_mean_and_the_t_interval_worked_out_by_hand():
    found = over_runs([0.70, 0.72, 0.74])
    assert found is not None
    # Standard deviation 0.02, t of two degrees of freedom 4.3027: 4.3027 * 0.02 / sqrt(3).
    assert (found.value, found.count) == (pytest.approx(0.72), 3)
    assert (found.low, found.high) == (
        pytest.approx(0.72 - 0.04968, abs=1e-5),
        pytest.approx(0.72 + 0.04968, abs=1e-5),
    )


def test_an_interval_over_runs_stays_within_what_a_fraction_can_be():
    found = over_runs([0.8, 1.0])
    assert (found.low, found.high, found.count) == (0.0, 1.0, 2)


def test_one_run_has_no_interval_and_none_has_no_mean():
    assert over_runs([0.5, None]) == Estimate(0.5, None, None, 1)
    assert over_runs([None, None]) is None


def test_the_mean_over_images_has_the_t_interval_of_its_ious():
    ious = [0.5, 0.7, 0.9, 0.6]
    found = over_images([*map(outcome, ious), outcome(has_subject=False)])["mean_iou"]
    low, high = t_interval(np.array(ious))
    assert (found.value, found.count) == (pytest.approx(0.675), 4)
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))


def test_a_ratio_over_images_has_the_jackknife_worked_out_by_hand():
    # 3 of 3 keypoints are found (two images with 1 and 2), then 0 of 1: 3 / 4 in all.
    images = [outcome(errors=(0.1,)), outcome(errors=(0.0, 0.1)), outcome(errors=(0.9,))]
    found = over_images(images)["pck_0.2"]
    # Without each: 2/3, 1/2, 3/3. Pseudo-values 3 * 3/4 - 2 * each: 11/12, 15/12, 3/12.
    half = 4.3027 * np.std([11 / 12, 15 / 12, 3 / 12], ddof=1) / 3**0.5
    assert found.value == 0.75
    assert half > 0.75
    assert (found.low, found.high) == (0.0, 1.0)
    wide = over_images(images * 40)["pck_0.2"]
    assert wide.value == 0.75
    assert 0 < wide.low < 0.75 < wide.high < 1


def test_the_interval_of_the_auroc_is_the_jackknife_of_its_definition():
    rng = np.random.default_rng(0)
    images = [outcome(present=float(rng.normal(0.6, 0.2))) for _ in range(12)]
    images += [outcome(has_subject=False, present=float(rng.normal(0.5, 0.2))) for _ in range(9)]
    found = over_images(images)["presence_auroc"]

    def area(some):
        return compute_metrics(some).presence_auroc

    whole, count = area(images), len(images)
    pseudo = [
        count * whole - (count - 1) * area(images[:row] + images[row + 1 :]) for row in range(count)
    ]
    low, high = t_interval(np.array(pseudo))
    assert found.value == pytest.approx(whole)
    assert found.high == pytest.approx(min(1.0, whole + (high - low) / 2))
    assert found.low == pytest.approx(whole - (high - low) / 2)


def test_metrics_over_images_are_those_of_an_evaluation(sure_outcomes):
    rng = np.random.default_rng(3)
    images = []
    for one in sure_outcomes(40, seed=1):
        prediction = dataclasses.replace(one.prediction, present=float(rng.random()))
        images.append(dataclasses.replace(one, prediction=prediction, mean_box_iou=rng.random()))
    images += [outcome(has_subject=False, present=float(rng.random())) for _ in range(15)]
    whole = headlines(compute_metrics(images).as_json())
    found = over_images(images)
    assert found.keys() == {name for name, value in whole.items() if value is not None}
    assert len(found) == 12
    for name, one in found.items():
        assert one.value == pytest.approx(whole[name])
        assert one.low <= one.value <= one.high


def test_the_interval_over_images_holds_the_truth_in_95_of_100_samples():
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(300):
        found = over_images([outcome(iou) for iou in rng.uniform(0.4, 1.0, 20)])["mean_iou"]
        hits += found.low <= 0.7 <= found.high
    assert hits / 300 == pytest.approx(0.95, abs=0.04)


def test_headlines_have_dotted_names_and_leave_out_the_number_of_images():
    metrics = {"images": 5, "mean_iou": 0.5, "iou_at": {"0.5": 1.0, "0.9": None}, "pck_0.2": None}
    assert headlines(metrics) == {
        "mean_iou": 0.5,
        "iou_at.0.5": 1.0,
        "iou_at.0.9": None,
        "pck_0.2": None,
    }
