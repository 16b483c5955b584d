"""The mean training box, as fractions of the image size."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from onebox.errors import ImageError
from onebox.mean_box import mean_box, normalized_boxes
from onebox.structures import Dataset, Sample

SMALL = Sample(Path("a.jpg"), "cat", (0.0, 0.0, 10.0, 10.0), size_wh=(20, 40))
LARGE = Sample(Path("b.jpg"), "cat", (50.0, 100.0, 100.0, 400.0), size_wh=(100, 400))
EMPTY = Sample(Path("c.jpg"), size_wh=(100, 400))


def dataset(*samples):
    return Dataset(samples, ("cat",))


def test_boxes_are_divided_by_the_size_of_their_own_image():
    boxes = normalized_boxes(dataset(SMALL, EMPTY, LARGE))
    np.testing.assert_allclose(boxes, [[0, 0, 0.5, 0.25], [0.5, 0.25, 1, 1]])


def test_the_mean_box_is_the_mean_of_the_normalized_boxes():
    np.testing.assert_allclose(mean_box(dataset(SMALL, LARGE)), (0.25, 0.125, 0.75, 0.625))


def test_there_is_no_mean_box_without_boxes():
    assert mean_box(dataset(EMPTY)) is None
    assert normalized_boxes(dataset()).shape == (0, 4)


def test_a_missing_size_is_read_from_the_file_or_the_array(tmp_path):
    Image.new("RGB", (20, 40)).save(tmp_path / "a.png")
    box = (0.0, 0.0, 10.0, 10.0)
    samples = [
        Sample(image, "cat", box) for image in (tmp_path / "a.png", np.zeros((40, 20, 3), np.uint8))
    ]
    for sample in samples:
        assert mean_box(dataset(sample)) == (0, 0, 0.5, 0.25)


def test_an_image_of_unknown_size_that_cannot_be_read_is_named(tmp_path):
    sample = Sample(tmp_path / "none.png", "cat", (0.0, 0.0, 1.0, 1.0))
    with pytest.raises(ImageError, match=r"none\.png"):
        normalized_boxes(dataset(sample))
