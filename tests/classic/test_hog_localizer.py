"""A HOG localizer: its predictions."""

import dataclasses
import math
import pickle
from statistics import NormalDist

import numpy as np
import pytest
from PIL import Image

from onebox.boxes import paired_iou
from onebox.calibration import calibrate_file
from onebox.classic import model_file
from onebox.classic.score_calibration import Calibration as ScoreCalibration
from onebox.confidence.records import Calibration, IouModel, SideScores
from onebox.errors import SettingError
from onebox.structures import Dataset

pytest.importorskip("skimage")
pytest.importorskip("sklearn")
pytestmark = pytest.mark.train

SIDE = 96


def test_label_score_and_probabilities_agree(localizer, two_classes):
    prediction = localizer.predict(two_classes.part("test").samples[0].image)
    assert sum(prediction.probabilities) == pytest.approx(1.0)
    best = int(np.argmax(prediction.probabilities))
    assert prediction.label == localizer.card.classes[best]
    assert 0 < prediction.score < prediction.probabilities[best]


def test_the_score_is_higher_with_the_subject_than_without(localizer, two_classes):
    wall = np.random.default_rng(1).integers(110, 140, (SIDE, SIDE), dtype=np.uint8)
    shown = [localizer.predict(sample.image).score for sample in two_classes.part("test")]
    assert localizer.predict(wall).score < min(shown)


@pytest.mark.parametrize("size", [(1, 1), (8, 6), (3, 200), (200, 3), (20, 20)])
def test_an_image_smaller_than_a_window_gets_a_box_inside_it(localizer, size):
    pixels = np.random.default_rng(0).integers(0, 255, size, dtype=np.uint8)
    x_min, y_min, x_max, y_max = localizer.predict(pixels).box
    assert 0 <= x_min < x_max <= size[1]
    assert 0 <= y_min < y_max <= size[0]


def test_an_image_with_exif_orientation_is_localized_upright(localizer, two_classes, tmp_path):
    upright = Image.fromarray(two_classes.part("test").samples[1].image[:, :80])
    exif = Image.Exif()
    exif[0x0112] = 6  # shown rotated clockwise by 90 degrees
    upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "side.png", exif=exif)
    assert localizer.predict(tmp_path / "side.png") == localizer.predict(upright)


def test_boxes_of_a_large_image_are_in_its_own_pixels(localizer, two_classes):
    sample = two_classes.part("test").samples[0]
    large = np.repeat(np.repeat(sample.image, 7, axis=0), 7, axis=1)
    box = np.array([localizer.predict(large).box])
    assert paired_iou(box / 7, np.array([sample.box]))[0] > 0.6
    small = np.array([localizer.predict(sample.image).box])
    assert paired_iou(box / 7, small)[0] > 0.8


# --- how sure

# Of 59 images none is wrong: 1 - 0.05^(1/59) = 0.0495, the upper bound at 95 %.
GROWTHS = tuple(number / 10 for number in range(59))
CALIBRATION = Calibration(
    images=59,
    temperature=2.0,
    iou=IouModel(intercept=math.log(0.203), slope=0.0, deviation=0.5),
    sides=SideScores(outer=GROWTHS, inner=tuple(value / 10 for value in GROWTHS)),
    scores=(0.9, *([0.01] * 58)),
    is_wrong=(False,) * 59,
)


@pytest.fixture
def image(two_classes):
    """Twice as wide as high, so that widths and heights cannot be confused."""
    return np.repeat(two_classes.part("test").samples[0].image, 2, axis=1)


@pytest.fixture
def sure(localizer):
    """The localizer with a calibration."""
    return localizer.with_card(dataclasses.replace(localizer.card, calibration=CALIBRATION))


def test_sigma_is_the_rest_of_the_expected_iou_times_width_and_height(localizer, image):
    # A slope of 0 leaves the intercept: sigmoid(ln 3) = 3 / 4.
    level = ScoreCalibration(slope=0.0, intercept=math.log(3))
    model = dataclasses.replace(localizer.model, calibration=level)
    prediction = type(localizer)(model, localizer.card).predict(image)
    x_min, y_min, x_max, y_max = prediction.box
    width, height = x_max - x_min, y_max - y_min
    assert prediction.sigma == pytest.approx((width / 4, height / 4, width / 4, height / 4))
    assert prediction.spread == pytest.approx(1 / 4)
    assert localizer.card.sigma


def test_a_surer_box_has_a_smaller_spread(localizer, image):
    wall = np.random.default_rng(1).integers(110, 140, (SIDE, SIDE), dtype=np.uint8)
    assert 0 < localizer.predict(image).spread < localizer.predict(wall).spread < 1


def test_without_a_calibration_nothing_is_said_of_the_iou(localizer, image):
    prediction = localizer.predict(image)
    assert (prediction.expected_iou, prediction.p_iou50, prediction.p_iou75) == (None,) * 3
    assert (prediction.outer_box, prediction.inner_box, prediction.accepted) == (None,) * 3


def test_a_calibration_changes_score_and_probabilities_and_not_the_box(localizer, sure, image):
    before, after = localizer.predict(image), sure.predict(image)
    assert (after.label, after.box, after.sigma) == (before.label, before.box, before.sigma)
    # A temperature of 2 takes the square roots.
    roots = np.sqrt(before.probabilities)
    np.testing.assert_allclose(after.probabilities, roots / roots.sum())
    # log(1 - IoU + .003) is normal about log .203, with a deviation of .5, whatever the spread.
    normal = NormalDist(math.log(0.203), 0.5)
    assert after.p_iou50 == pytest.approx(normal.cdf(math.log(0.503)))
    assert after.p_iou75 == pytest.approx(normal.cdf(math.log(0.253)))
    assert after.score == pytest.approx(max(after.probabilities) * after.expected_iou)
    assert (after.familiar, after.is_familiar) == (None, None)


def test_an_outer_and_an_inner_box_move_each_side_by_the_quantile_of_sigmas(sure, image):
    prediction = sure.with_guarantees(coverage=0.9).predict(image)
    # The 54th of 59 scores, since 0.9 (59 + 1) = 54: 5.3 outwards, 0.53 inwards.
    left, top, right, bottom = prediction.box
    sigma = prediction.sigma
    moved = np.array(prediction.box) + 5.3 * np.array(sigma) * (-1, -1, 1, 1)
    outer = np.clip(moved, 0, [2 * SIDE, SIDE] * 2)
    assert (moved != outer).any()
    assert prediction.outer_box == pytest.approx(tuple(outer))
    inner = (
        left + 0.53 * sigma[0],
        top + 0.53 * sigma[1],
        right - 0.53 * sigma[2],
        bottom - 0.53 * sigma[3],
    )
    assert prediction.inner_box == pytest.approx(inner)
    assert prediction.accepted is None


def test_a_prediction_is_accepted_if_its_score_exceeds_the_threshold(sure, image):
    promising = sure.with_guarantees(max_risk=0.05)
    assert promising.predict(image).accepted is True
    strict = dataclasses.replace(
        CALIBRATION, scores=(*([1.0] * 59), 0.99999), images=60, is_wrong=(*([False] * 59), True)
    )
    stricter = sure.with_card(dataclasses.replace(sure.card, calibration=strict))
    assert stricter.with_guarantees(max_risk=0.05).predict(image).accepted is False
    assert promising.predict(image).outer_box is None


def test_a_localizer_that_is_not_calibrated_promises_nothing(localizer, image):
    with pytest.raises(SettingError, match=r"hog-svm is not calibrated.*onebox calibrate"):
        localizer.with_guarantees(coverage=0.9)
    assert localizer.with_guarantees().predict(image) == localizer.predict(image)


def test_guarantees_stay_with_other_threads_and_in_other_processes(sure, image):
    promising = sure.with_guarantees(coverage=0.9, max_risk=0.05)
    expected = promising.predict(image)
    assert promising.with_threads(1).predict(image) == expected
    assert pickle.loads(pickle.dumps(promising)).predict(image) == expected  # noqa: S301 - our own
    (answer,) = promising.predict_many([image], threads=2)
    assert answer.prediction == expected


def test_guarantees_go_with_the_card_that_they_came_from(sure, image):
    promising = sure.with_guarantees(coverage=0.9)
    assert promising.with_card(sure.card).predict(image) == sure.predict(image)
    assert promising.with_guarantees().predict(image) == sure.predict(image)


def test_a_calibrated_file_promises_what_its_images_support(stripes, localizer, tmp_path):
    file = tmp_path / "model.npz"
    model_file.save(localizer, file)
    images = stripes("lying", "upright", counts={"train": 1, "test": 12}).part("test")
    summary = calibrate_file(file, Dataset(images.samples, images.classes))
    calibrated = model_file.load(file)
    assert summary.images == calibrated.card.calibration.images == 24
    promising = calibrated.with_guarantees(coverage=0.9)
    contained = [
        contains(promising.predict(sample.image).outer_box, sample.box) for sample in images
    ]
    # 0.9 (24 + 1) = 22.5: the outer boxes are as large as 23 of these very images need.
    assert sum(contained) >= 23
    again = calibrate_file(file, Dataset(images.samples, images.classes))
    assert model_file.load(file).card == calibrated.card
    assert again.before == again.after == summary.after


def contains(outer, inner):
    return (
        outer[0] <= inner[0]
        and outer[1] <= inner[1]
        and (outer[2] >= inner[2] and outer[3] >= inner[3])
    )
