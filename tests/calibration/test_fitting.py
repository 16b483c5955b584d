"""What calibration images, with their predictions, leave in a model card."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from onebox.calibration.fitting import fit
from onebox.confidence import iou_model, keypoint_model, temperature
from onebox.confidence.applying import calibrated
from onebox.metrics import compare
from onebox.structures import KeypointSet, Prediction, Sample, as_box

CLASSES = ("cat", "dog")
BOX = (100.0, 100.0, 200.0, 150.0)


def outcome(
    *,
    outwards=(0.0, 0.0, 0.0, 0.0),
    sigma=(4.0, 2.0, 4.0, 2.0),
    probability=0.9,
    label="cat",
    predicted="cat",
    distance=None,
):
    """One image, whose true box is that many pixels outside the predicted one on each side."""
    left, top, right, bottom = outwards
    truth = (BOX[0] - left, BOX[1] - top, BOX[2] + right, BOX[3] + bottom)
    rest = 1 - probability
    prediction = Prediction(
        predicted,
        probability,
        BOX,
        (probability, rest) if predicted == "cat" else (rest, probability),
        sigma=as_box(map(float, sigma)),
        distance=distance,
    )
    sample = Sample(Path("a.jpg"), label, truth)
    return compare(sample, prediction, size_wh=(400, 300), mean_box=None)


def test_side_scores_are_those_of_the_worst_side_sorted():
    found = fit(
        [
            # 8, 3, -4 and 0 px outwards, of sigmas 4, 2, 4 and 2: 2, 1.5, -1 and 0 sigmas
            outcome(outwards=(8, 3, -4, 0)),
            # all sides inwards: -1, -0.5, -2 and -3 sigmas
            outcome(outwards=(-4, -1, -8, -6)),
            outcome(outwards=(1, 0, 0, 1), sigma=(1, 1, 1, 4)),
        ],
        CLASSES,
    )
    assert found.images == 3
    assert found.sides.outer == pytest.approx((-0.5, 1, 2))
    assert found.sides.inner == pytest.approx((0, 1, 3))


def test_the_numbers_are_those_of_the_formulas():
    rng = np.random.default_rng(0)
    outcomes = [
        outcome(
            outwards=tuple(rng.normal(0, 5, 4)),
            sigma=tuple(rng.uniform(1, 10, 4)),
            probability=float(rng.uniform(0.5, 1)),
            label=str(rng.choice(CLASSES)),
        )
        for _ in range(30)
    ]
    found = fit(outcomes, CLASSES)
    spreads = np.array([each.prediction.spread for each in outcomes])
    assert found.spreads == tuple(sorted(spreads.tolist()))
    assert found.iou == iou_model.fit(spreads, np.array([each.iou for each in outcomes]))
    probabilities = np.array([each.prediction.probabilities for each in outcomes])
    labels = np.array([CLASSES.index(each.sample.label) for each in outcomes])
    assert found.temperature == temperature.fit(probabilities, labels) != 1


def test_scores_are_calibrated_ones_highest_first_each_with_whether_it_is_wrong():
    outcomes = [
        outcome(sigma=(1, 1, 1, 1)),
        outcome(sigma=(40, 20, 40, 20), outwards=(150, 0, 0, 0)),  # an IoU of 0.4
        outcome(sigma=(9, 9, 9, 9), label="dog"),
        outcome(sigma=(3, 3, 3, 3), label=None),
    ]
    found = fit(outcomes, CLASSES)
    scores = [calibrated(each.prediction, found).score for each in outcomes]
    assert found.scores == tuple(sorted(scores, reverse=True))
    by_score = dict(zip(found.scores, found.is_wrong, strict=True))
    assert [by_score[score] for score in scores] == [False, True, True, False]


def test_a_wrong_label_or_a_wrong_box_is_wrong():
    outcomes = [
        outcome(label="dog"),
        outcome(outwards=(-51, 0, 0, 0)),  # 49 of 100 px
        outcome(outwards=(-50, 0, 0, 0)),
        outcome(),
    ]
    assert sorted(fit(outcomes, CLASSES).is_wrong) == [False, False, True, True]


# --- temperature -------------------------------------------------------------------------------


def test_labels_that_are_less_often_right_than_they_say_raise_the_temperature():
    sure = [outcome(label="cat" if number % 2 else "dog") for number in range(60)]
    right = [outcome() for _ in range(60)]
    assert fit(sure, CLASSES).temperature > 1 > fit(right, CLASSES).temperature


def test_one_class_has_the_temperature_1():
    only = [dataclasses.replace(outcome().prediction, probabilities=(1.0,))]
    given = [dataclasses.replace(outcome(), prediction=each) for each in only * 9]
    assert fit(given, ("cat",)).temperature == 1


def test_images_without_a_label_have_no_say_in_the_temperature():
    labelled = [outcome(label="dog", probability=0.7) for _ in range(9)]
    unlabelled = [outcome(label=None, probability=0.99) for _ in range(9)]
    assert fit(unlabelled, CLASSES).temperature == 1
    expected = fit(labelled, CLASSES).temperature
    assert fit([*labelled, *unlabelled], CLASSES).temperature == expected


# --- scores of a label -------------------------------------------------------------------------


@pytest.mark.parametrize(("cats", "labels"), [(49, set()), (50, {"cat"})])
def test_a_predicted_label_has_scores_of_its_own_from_50_images_on(cats, labels):
    outcomes = [outcome(outwards=(number, 0, 0, 0)) for number in range(cats)]
    # Their label is what the model says, not what is true.
    outcomes += [outcome(predicted="dog", label="cat", outwards=(-1, -1, -1, -1))] * 9
    found = fit(outcomes, CLASSES)
    assert set(found.sides_by_label) == labels
    for sides in found.sides_by_label.values():
        assert sides.outer == pytest.approx([number / 4 for number in range(cats)])
    assert len(found.sides.outer) == cats + 9


def test_the_scores_of_the_only_label_are_those_of_all_images():
    assert fit([outcome()] * 60, CLASSES).sides_by_label == {}


# --- keypoints ---------------------------------------------------------------------------------

EYES = KeypointSet(("left", "right"))


def with_keypoints(confidences, errors):
    """One image, whose box is 100 px long, with keypoints so many hundredths of that away."""
    truth = ((110.0, 110.0, 2), (150.0, 120.0, 2))
    marked = tuple(
        (x, y, 0 if error is None else 2) for (x, y, _), error in zip(truth, errors, strict=True)
    )
    found = tuple(
        (x + 100 * (error or 0.0), y, confidence)
        for (x, y, _), error, confidence in zip(truth, errors, confidences, strict=True)
    )
    plain = outcome()
    return compare(
        dataclasses.replace(plain.sample, keypoints=marked),
        dataclasses.replace(plain.prediction, keypoints=found),
        size_wh=(400, 300),
        mean_box=None,
        keypoints=EYES,
    )


def test_a_keypoint_is_found_within_a_fifth_of_the_unit_and_unlabelled_ones_do_not_count():
    rows = [((0.8, 0.6), (0.1, 0.3)), ((0.3, 0.9), (0.25, None)), ((0.6, 0.7), (0.19, 0.21))]
    found = fit([with_keypoints(*row) for row in rows], CLASSES)
    confidences = np.array([confidences for confidences, _ in rows])
    is_found = np.array([[1.0, 0.0], [0.0, np.nan], [1.0, 0.0]])
    assert found.keypoints == keypoint_model.fit(confidences, is_found)


def test_without_a_labelled_keypoint_there_is_no_model_of_them():
    assert fit([outcome()] * 9, CLASSES).keypoints is None
    assert fit([with_keypoints((0.5, 0.5), (None, None))] * 9, CLASSES).keypoints is None


# --- novelty -----------------------------------------------------------------------------------


def test_novelties_are_those_that_predictions_get_sorted():
    outcomes = [
        outcome(distance=distance, sigma=(width, 1.0, width, 1.0), probability=probability)
        for distance, width, probability in [(0.1, 1.0, 0.9), (0.3, 5.0, 0.6), (0.2, 2.0, 0.99)]
    ]
    found = fit(outcomes, CLASSES)
    novelties = [calibrated(each.prediction, found).novelty for each in outcomes]
    assert found.novelties == tuple(sorted(novelties))
    assert sum(novelties) == pytest.approx(0, abs=1e-9)
    # Each is as novel as itself, so the most novel one has the rank (1 + 1) / (3 + 1).
    ranks = [calibrated(each.prediction, found).familiar for each in outcomes]
    assert sorted(ranks) == [2 / 4, 3 / 4, 1]


def test_a_model_without_a_distance_has_no_novelty():
    found = fit([outcome()] * 9, CLASSES)
    assert (found.novelty, found.novelties) == (None, ())
    mixed = fit([outcome(distance=0.1), outcome()], CLASSES)
    assert (mixed.novelty, mixed.novelties) == (None, ())


# --- what is refused ---------------------------------------------------------------------------


def test_no_image_no_box_or_no_spread_is_a_wrong_call():
    boxless = compare(Sample(Path("a.jpg")), outcome().prediction, size_wh=(9, 9), mean_box=None)
    spreadless = dataclasses.replace(
        outcome(), prediction=dataclasses.replace(outcome().prediction, sigma=None)
    )
    for outcomes in ([], [outcome(), boxless], [outcome(), spreadless]):
        with pytest.raises(ValueError, match="needs images, each with a true box"):
            fit(outcomes, CLASSES)
