"""What a model promises, and in which words it does not."""

import dataclasses
from math import inf

import numpy as np
import pytest

from onebox.confidence.guarantees import Growth, Guarantees, guarantees, smallest_risk
from onebox.confidence.records import SideScores
from onebox.confidence.selection import threshold
from onebox.errors import SettingError


def sides(images, step=1.0):
    scores = tuple(step * index for index in range(1, images + 1))
    return SideScores(scores, tuple(10 * score for score in scores))


def judged(calibration, images, *wrong):
    """The calibration with so many images, of which those at these places are wrong."""
    return dataclasses.replace(
        calibration,
        scores=tuple(1 - index / 1000 for index in range(images)),
        is_wrong=tuple(index in wrong for index in range(images)),
    )


def refusal(calibration, **asked):
    with pytest.raises(SettingError) as refused:
        guarantees(calibration, "cats.onnx", **asked)
    return str(refused.value)


def test_the_growth_is_the_quantile_of_each_score(calibration):
    found = guarantees(calibration, "cats.onnx", 0.9)
    # the 19th of 20: ceil(21 x 0.9)
    assert found.growth == Growth(outer=1.9, inner=19.0)
    assert (found.coverage, found.images, found.growth_by_label) == (0.9, 20, {})
    assert (found.max_risk, found.score_threshold) == (None, None)


def test_a_higher_coverage_never_takes_less_growth(calibration):
    found = [guarantees(calibration, "cats.onnx", each).growth for each in (0.5, 0.8, 0.9, 0.95)]
    assert [growth.outer for growth in found] == sorted(growth.outer for growth in found)
    assert found[0].outer < found[-1].outer


def test_nothing_asked_is_nothing_promised():
    assert guarantees(None, "cats.onnx") == Guarantees()
    assert Guarantees().describe() == ()


def test_labels_with_all_images_between_them_have_their_own_growth(calibration):
    split = dataclasses.replace(
        calibration,
        images=120,
        sides=sides(120),
        sides_by_label={"cat": sides(60, 0.5), "dog": sides(60, 3.0)},
    )
    found = guarantees(split, "cats.onnx", 0.9)
    # the 55th of 60: ceil(61 x 0.9)
    assert found.growth_by_label == {"cat": Growth(27.5, 275.0), "dog": Growth(165.0, 1650.0)}
    assert found.growth == Growth(109.0, 1090.0)


def test_a_label_beside_rare_ones_grows_no_less_than_all(calibration):
    split = dataclasses.replace(
        calibration,
        images=130,
        sides=sides(120),
        sides_by_label={"cat": sides(60, 0.5), "dog": sides(60, 3.0)},
    )
    found = guarantees(split, "cats.onnx", 0.9)
    assert found.growth_by_label == {"cat": Growth(109.0, 1090.0), "dog": Growth(165.0, 1650.0)}


def test_a_label_with_too_few_images_for_the_coverage_grows_as_all_do(calibration):
    split = dataclasses.replace(
        calibration, images=120, sides=sides(120), sides_by_label={"cat": sides(60)}
    )
    # 0.99 takes 99 images
    found = guarantees(split, "cats.onnx", 0.99)
    assert found.growth_by_label == {}
    assert found.growth == Growth(120.0, 1200.0)


def test_a_promise_states_its_interval_and_warns_of_few_images(calibration):
    few = dataclasses.replace(calibration, images=18, sides=sides(18))
    assert guarantees(few, "cats.onnx", 0.9).describe() == (
        "Outer boxes contain the true box, and inner boxes lie within it, in 90 % of images each; "
        "with 18 calibration images somewhere in 81 to 100 %.",
        "18 calibration images are few: calibrate with 50 or more for a narrower interval.",
    )


def test_50_images_are_not_few(calibration):
    words = {
        images: guarantees(
            dataclasses.replace(calibration, sides=sides(images)), "cats.onnx", 0.9
        ).describe()
        for images in (49, 50)
    }
    assert [len(words[images]) for images in (49, 50)] == [2, 1]


def test_a_risk_is_stated_with_its_confidence(calibration):
    found = guarantees(judged(calibration, 100, 95, 96, 97), "cats.onnx", max_risk=0.05)
    # the 93 surest have no error, and may have one; all 100 may have one, and have three
    assert found.score_threshold == pytest.approx(1 - 93 / 1000)
    assert found.accepted_share == 0.93
    assert found.describe() == (
        "At most 5 % of accepted predictions are wrong (IoU below 0.5, or another label), with "
        "95 % confidence; of the calibration images, 93 % are accepted.",
    )


def test_all_may_be_accepted(calibration):
    found = guarantees(judged(calibration, 59), "cats.onnx", max_risk=0.05)
    assert (found.score_threshold, found.accepted_share) == (-inf, 1)


@pytest.mark.parametrize("asked", [{"coverage": 0.9}, {"max_risk": 0.05}])
def test_a_model_that_is_not_calibrated_promises_nothing(asked):
    message = refusal(None, **asked)
    assert message.startswith("cats.onnx is not calibrated")
    assert "onebox calibrate" in message


def test_too_few_images_for_a_coverage_are_named_with_the_number_needed(calibration):
    few = dataclasses.replace(calibration, sides=sides(5))
    assert refusal(few, coverage=0.9) == (
        "cats.onnx: coverage 0.9 needs 9 calibration images, this model has 5. Ask for at most "
        "0.83, or calibrate it with more."
    )
    assert guarantees(few, "cats.onnx", 0.83).growth == Growth(5.0, 50.0)  # as it says
    assert guarantees(dataclasses.replace(calibration, sides=sides(9)), "cats.onnx", 0.9)


def test_without_any_image_there_is_no_coverage_to_ask_for(calibration):
    none = dataclasses.replace(calibration, sides=sides(0))
    assert refusal(none, coverage=0.9) == (
        "cats.onnx: coverage 0.9 needs 9 calibration images, this model has 0. Calibrate it with "
        "more."
    )


def test_too_few_images_for_a_risk_are_named_with_the_smallest_that_they_prove(calibration):
    message = refusal(judged(calibration, 18), max_risk=0.05)
    # 1 - 0.05^(1/18) = 0.1534
    assert message == (
        "cats.onnx: max_risk 0.05 needs at least 59 calibration images, this model has 18. Ask "
        "for 0.154, or calibrate it with more."
    )
    found = guarantees(judged(calibration, 18), "cats.onnx", max_risk=0.154)
    assert found.score_threshold == -inf


def test_errors_among_the_surest_are_named(calibration):
    spoilt = judged(calibration, 200, *range(0, 200, 10))
    message = refusal(spoilt, max_risk=0.05)
    assert message.startswith(
        "cats.onnx: max_risk 0.05 is not proved by its 200 calibration images: too many of the "
        "surest are wrong. Ask for "
    )
    smallest = float(message.split("Ask for ")[1].split(",")[0])
    assert 0.1 < smallest < 0.25  # 10 % are wrong
    assert guarantees(spoilt, "cats.onnx", max_risk=smallest).score_threshold is not None


def test_a_larger_risk_may_not_be_proved_and_the_message_names_a_larger_one_that_is(calibration):
    found = judged(calibration, 50, 12, 15)
    assert guarantees(found, "cats.onnx", max_risk=0.221).score_threshold is not None
    message = refusal(found, max_risk=0.27)
    proved = float(message.split("Ask for ")[1].split(",")[0])
    assert proved > 0.27
    assert guarantees(found, "cats.onnx", max_risk=proved).score_threshold is not None
    for thousandths in range(271, round(1000 * proved)):
        refusal(found, max_risk=thousandths / 1000)


def test_the_smallest_risk_is_the_first_that_is_proved(calibration):
    wrong = np.random.default_rng(3).permutation(69)[:4].tolist()
    found = judged(calibration, 69, *wrong)
    proved = [
        step / 1000
        for step in range(1, 1000)
        if threshold(found.scores, found.is_wrong, step / 1000) is not None
    ]
    assert smallest_risk(found) == proved[0]
    assert smallest_risk(found, above=0.3) == next(risk for risk in proved if risk > 0.3)


@pytest.mark.parametrize("images", [0, 1, 9, 100])
def test_images_that_are_all_wrong_prove_no_risk(calibration, images):
    message = refusal(judged(calibration, images, *range(images)), max_risk=0.05)
    assert message.endswith(". Calibrate it with more.")


@pytest.mark.parametrize("setting", ["coverage", "max_risk"])
@pytest.mark.parametrize(
    ("value", "hint"),
    [(0.0, ""), (1.0, ""), (-1.0, ""), (90.0, " Did you mean 0.9?"), (float("nan"), "")],
)
def test_a_share_out_of_range_is_refused(calibration, setting, value, hint):
    assert refusal(calibration, **{setting: value}).startswith(f"{setting} must be between 0 and 1")
    assert refusal(None, **{setting: value}).endswith(f"got {value:g}.{hint}")
