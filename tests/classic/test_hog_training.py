"""Training of a HOG localizer: what it learns, and data that it refuses."""

from dataclasses import replace

import numpy as np
import pytest

from onebox import evaluation, synthetic
from onebox.boxes import paired_iou
from onebox.classic.hog_training import train
from onebox.classic.settings import HogSettings
from onebox.classic.windows import window_shape
from onebox.errors import DataError
from onebox.localizer import Localizer
from onebox.structures import Dataset, KeypointSet, Sample

pytest.importorskip("skimage")
pytest.importorskip("sklearn")
pytestmark = pytest.mark.train

SIDE = 96
SMALL = HogSettings(window=5, scales=1)


def bars(count):
    """White bars, twice as wide as high."""
    generator = np.random.default_rng(8)
    for _ in range(count):
        pixels = generator.integers(110, 140, (SIDE, SIDE), dtype=np.uint8)
        x, y = (int(start) for start in generator.integers(0, 30, 2))
        pixels[y : y + 30, x : x + 60] = 255
        box = (float(x), float(y), float(x + 60), float(y + 30))
        yield Sample(np.repeat(pixels[:, :, None], 3, axis=2), "bar", box)


def test_stripes_are_localized_and_classified(localizer, two_classes):
    assert isinstance(localizer, Localizer)
    overall = evaluation.evaluate(localizer, two_classes.part("test")).overall
    assert overall.mean_iou > 0.7 > overall.mean_box_iou + 0.2
    assert overall.class_accuracy == 1.0


def test_discs_are_localized_better_than_by_the_mean_box():
    discs = synthetic.dataset("synth:blobs", size=64, counts={"train": 20, "val": 4, "test": 8})
    found = train(discs, SMALL)
    overall = evaluation.evaluate(found, discs.part("test")).overall
    assert overall.mean_iou > overall.mean_box_iou + 0.3
    assert found.predict(np.asarray(discs.part("test").samples[0].image)).probabilities == (1.0,)


def test_the_mean_box_is_that_of_the_training_images(localizer, two_classes):
    boxes = two_classes.part("train").boxes()
    np.testing.assert_allclose(localizer.card.mean_box, boxes.mean(axis=0) / SIDE)


def test_the_same_seed_gives_the_same_svms_and_another_seed_does_not(localizer, two_classes):
    again = train(two_classes, SMALL)
    other = train(two_classes, SMALL.model_copy(update={"seed": 1}))
    weights = [each.model.banks[0].weights for each in (localizer, again, other)]
    np.testing.assert_array_equal(weights[0], weights[1])
    assert np.abs(weights[0] - weights[2]).max() > 0
    assert localizer.model.calibration == again.model.calibration


def test_classes_of_different_aspect_ratios_have_their_own_windows(stripes):
    squares = stripes("lying", "upright", counts={"train": 6})
    mixed = Dataset((*squares.samples, *bars(6)), ("lying", "bar", "upright"))
    found = train(mixed, SMALL)
    assert {bank.class_indices: bank.shape for bank in found.model.banks} == {
        (0, 2): (5, 5),
        (1,): window_shape(2.0, SMALL),
    }
    right = sum(found.predict(sample.image).label == sample.label for sample in mixed)
    assert right >= 15  # of 18; with class indices mixed up, about 6 would be right


def test_the_position_prior_localizes_in_an_image_without_gradients():
    corner = (48.0, 48.0, 90.0, 90.0)
    grey = np.full((SIDE, SIDE, 3), 128, np.uint8)
    plain = Dataset(tuple(Sample(grey, "corner", corner) for _ in range(6)), ("corner",))
    ious = []
    for prior in (1.0, 0.0):
        # Without padding, the frame gives no gradients either.
        settings = HogSettings(
            window=5, padding=0, position_prior=prior, regression_iou=1.0, svm_c=1.0
        )
        box = train(plain, settings).predict(grey).box
        ious.append(paired_iou(np.array([box]), np.array([corner]))[0])
    assert ious[0] > 0.6 > ious[1]


def test_images_without_the_subject_are_learned_as_background(localizer, two_classes):
    wall = Sample(np.full((SIDE, SIDE, 3), 128, np.uint8), split="train")
    found = train(replace(two_classes, samples=(*two_classes.samples, wall, wall)), SMALL)
    assert found.card.provenance["learned_from"] == 34
    assert found.card.mean_box == localizer.card.mean_box


def test_the_maximum_of_images_is_kept_and_each_class_is_among_them(two_classes):
    few = train(two_classes, SMALL.model_copy(update={"images": 3}))
    assert few.card.provenance["learned_from"] == 3
    one = train(two_classes, SMALL.model_copy(update={"images": 1}))
    assert one.card.provenance["learned_from"] == 2


def test_scores_are_calibrated_on_val_if_it_is_large_enough(localizer, two_classes):
    assert localizer.card.provenance["calibrated_on"] == "val"
    few = [sample for sample in two_classes if sample.split != "val"]
    calls = []
    without = train(
        replace(two_classes, samples=tuple(few)),
        SMALL,
        progress=lambda done, total: calls.append((done, total)),
    )
    assert calls == [(done, 32) for done in range(1, 33)]
    assert without.card.provenance["calibrated_on"] == "train"


def test_keypoints_are_ignored(localizer, two_classes):
    keypointed = replace(two_classes, keypoints=KeypointSet(("head", "tail")))
    found = train(keypointed, SMALL)
    assert found.card.keypoints is None
    assert found.model.calibration == localizer.model.calibration
    assert evaluation.evaluate(found, keypointed.part("test")).overall.mean_iou > 0.7


def test_a_class_without_a_training_image_is_named(two_classes):
    with pytest.raises(DataError, match="no training image of zigzag with a box"):
        train(replace(two_classes, classes=(*two_classes.classes, "zigzag")), SMALL)


def test_an_empty_data_set_is_refused():
    with pytest.raises(DataError, match="no training image with a box"):
        train(Dataset((), ()), SMALL)


def test_every_unreadable_image_is_named(two_classes, tmp_path):
    broken = []
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(b"no image")
        sample = two_classes.samples[0]
        broken.append(
            replace(sample, image=tmp_path / name, size_wh=(9, 9), origin=f"l.csv:{name}")
        )
    with pytest.raises(DataError) as caught:
        train(replace(two_classes, samples=(*two_classes.samples, *broken)), SMALL)
    assert [problem.split(": ")[0] for problem in caught.value.problems] == [
        "l.csv:a.jpg",
        "l.csv:b.jpg",
    ]


def test_subjects_too_small_for_any_window_are_refused():
    pixels = np.zeros((400, 400, 3), np.uint8)
    speck = Sample(pixels, "speck", (200.0, 200.0, 202.0, 202.0))
    with pytest.raises(DataError, match="class 'speck': no window comes near"):
        train(Dataset((speck,), ("speck",)), SMALL)


def test_subjects_that_leave_no_background_are_refused():
    pixels = np.zeros((40, 40, 3), np.uint8)
    whole = Sample(pixels, "all", (0.0, 0.0, 40.0, 40.0))
    with pytest.raises(DataError, match="no window is left as background"):
        train(Dataset((whole,), ("all",)), HogSettings(window=5, padding=0))
