import pytest

from onebox.labelling.accuracy import (
    Guess,
    Progress,
    Round,
    advise,
    gain_since_half,
    measure,
)
from onebox.labelling.records import Accuracy, Label


def sample(count):
    """Images whose true box is 10 x 10 pixels."""
    return {f"{number}": Label("cat", (0.0, 0.0, 10.0, 10.0)) for number in range(count)}


def guesses(ious, label="cat"):
    """Boxes as high as the true one and narrower, so that the IoU is the share of the width."""
    boxes = ((0.0, 0.0, 10.0 * iou, 10.0) for iou in ious)
    return {f"{number}": Guess(label, box) for number, box in enumerate(boxes)}


def test_ten_images_give_the_mean_iou_and_its_t_interval():
    found = measure(Round(40, guesses([0.6] * 5 + [0.8] * 5)), sample(10), classes=1)
    assert found is not None
    assert found.images == 10
    assert found.mean_iou == pytest.approx(0.7)
    # Standard deviation sqrt(10 * 0.1**2 / 9) = 0.10541, over sqrt(10) = 0.03333; t is 2.262.
    assert found.low == pytest.approx(0.7 - 2.262 * 0.03333, abs=1e-4)
    assert found.high == pytest.approx(0.7 + 2.262 * 0.03333, abs=1e-4)
    assert found.class_accuracy is None


def test_nine_images_measure_nothing():
    assert measure(Round(40, guesses([0.6] * 9)), sample(9), classes=1) is None


def test_an_image_without_a_subject_is_left_out():
    labels = {**sample(10), "10": Label()}
    found = measure(Round(40, guesses([0.5] * 11)), labels, classes=1)
    assert found is not None
    assert found.images == 10


def test_an_image_without_a_prediction_is_left_out():
    found = measure(Round(40, guesses([0.5] * 10)), sample(12), classes=1)
    assert found is not None
    assert found.images == 10


def test_class_accuracy_is_the_share_of_right_classes():
    right, wrong = guesses([0.5] * 10), guesses([0.5] * 10, label="dog")
    mixed = {key: (wrong if key in {"1", "2", "3"} else right)[key] for key in right}
    found = measure(Round(40, mixed), sample(10), classes=2)
    assert found is not None
    assert found.class_accuracy == pytest.approx(0.7)


def test_an_interval_stays_between_nothing_and_one():
    found = measure(Round(40, guesses([1e-9] * 9 + [1.0])), sample(10), classes=1)
    assert found is not None
    assert found.low == 0.0
    assert found.mean_iou == pytest.approx(0.1)


def test_the_gain_is_that_over_the_round_with_half_as_many_labels():
    rounds = {
        1: Round(20, guesses([0.1] * 10)),
        2: Round(40, guesses([0.5, 0.7] * 5)),
        3: Round(80, guesses([0.6, 0.8] * 5)),
    }
    low, high = gain_since_half(rounds, sample(10))
    # Every image gained 0.1: the interval has no width, whatever the IoUs are.
    assert (low, high) == (pytest.approx(0.1), pytest.approx(0.1))


def test_without_a_round_of_about_half_as_many_labels_there_is_no_gain():
    rounds = {1: Round(20, guesses([0.5] * 10)), 2: Round(80, guesses([0.6] * 10))}
    assert gain_since_half(rounds, sample(10)) is None
    assert gain_since_half({}, sample(10)) is None
    assert gain_since_half({1: Round(0, guesses([0.5] * 10))}, sample(10)) is None


def test_only_images_that_both_rounds_predict_count_in_the_gain():
    half = Round(40, guesses([0.5] * 9))
    assert gain_since_half({1: half, 2: Round(80, guesses([0.6] * 12))}, sample(12)) is None


ACCURACY = Accuracy(25, 0.82, 0.78, 0.86)


def test_without_a_model_it_is_too_early():
    advice = advise(Progress(remaining=50))
    assert (advice.kind, advice.text) == ("too_early", "No model was measured yet.")


def test_with_too_few_images_the_advice_says_how_many_there_are():
    advice = advise(Progress(remaining=50, measured=6))
    assert advice.kind == "too_early"
    assert "10 or more images" in advice.text
    assert "there are 6 images so far" in advice.text


def test_the_lower_end_of_the_interval_must_reach_the_target():
    assert advise(Progress(50, 25, ACCURACY, target=0.78)).kind == "good_enough"
    assert advise(Progress(50, 25, ACCURACY, target=0.79)).kind == "go_on"


def test_a_gain_whose_upper_end_is_below_one_hundredth_has_levelled_off():
    advice = advise(Progress(50, 25, ACCURACY, gain=(-0.012, 0.009)))
    assert advice.kind == "levelled_off"
    assert "-0.012 to +0.009" in advice.text
    assert advise(Progress(50, 25, ACCURACY, gain=(-0.012, 0.011))).kind == "go_on"


def test_the_advice_gives_the_figures_of_the_interval():
    text = advise(Progress(50, 25, ACCURACY)).text
    assert "0.820 (95 % interval 0.780 to 0.860)" in text
    assert "on 25 images" in text


def test_when_every_image_has_a_label_nothing_is_left_to_do():
    assert advise(Progress(0, 25, ACCURACY)).kind == "done"
    assert advise(Progress(0)).kind == "done"
