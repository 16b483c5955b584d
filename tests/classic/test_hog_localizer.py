"""A HOG localizer: its predictions."""

import numpy as np
import pytest
from PIL import Image

from onebox.boxes import paired_iou

pytest.importorskip("skimage")
pytest.importorskip("sklearn")
pytestmark = pytest.mark.train

SIDE = 96


def test_label_score_and_probabilities_agree(localizer, two_classes):
    prediction = localizer.predict(two_classes.part("test").samples[0].image)
    assert sum(prediction.probabilities) == pytest.approx(1.0)
    best = int(np.argmax(prediction.probabilities))
    assert prediction.label == localizer.classes[best]
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
