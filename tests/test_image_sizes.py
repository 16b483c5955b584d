"""The size of a sample's image, stated or looked up."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from onebox.errors import ImageError
from onebox.image_sizes import size_of
from onebox.structures import Sample


def test_a_stated_size_is_returned_without_reading_the_image():
    assert size_of(Sample(Path("missing.jpg"), size_wh=(40, 30))) == (40, 30)


def test_the_size_of_a_file_is_that_of_the_upright_image(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # stored on its side
    Image.new("RGB", (40, 30)).save(tmp_path / "a.jpg", exif=exif)
    assert size_of(Sample(tmp_path / "a.jpg")) == (30, 40)


def test_the_size_of_an_array_is_its_width_and_height():
    assert size_of(Sample(np.zeros((30, 40, 3), np.uint8))) == (40, 30)


def test_the_size_of_a_missing_file_is_an_image_error(tmp_path):
    with pytest.raises(ImageError, match=r"gone\.jpg: there is no such file"):
        size_of(Sample(tmp_path / "gone.jpg"))
