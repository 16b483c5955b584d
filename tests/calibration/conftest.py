"""Images of a known brightness, and models whose certainty depends on it alone."""

import numpy as np
import pytest

from onebox.structures import Dataset, Sample

SIZE_WH = (60, 40)
BOX = (0.0, 0.0, 30.0, 20.0)
"""What the bright model predicts for these images; see ``write_bright_model``."""


class Grey:
    """An image of one colour."""

    def __init__(self, *rgb):
        self._rgb = rgb

    def __array__(self, dtype=None, copy=None):
        return np.tile(np.uint8(self._rgb), (*SIZE_WH[::-1], 1))

    def __str__(self):
        return f"grey {self._rgb}"


@pytest.fixture
def greys():
    """Make images from dark to bright, whose true box is the wider the brighter they are.

    An image of brightness b has its true box's right edge off by a multiple of its sigma, 6 b px:
    the multiples go round from -1 to 1. So bright images have larger errors. Those in ``wrong``,
    by their numbers, have their true box elsewhere. ``offset`` moves the brightness.
    """

    def make(count, *, wrong=(), labels=("disc",), offset=0, split="cal"):
        samples = []
        for number in range(count):
            level = 40 + offset + 160 * number // count
            error = 6 * level / 255 * (number % 5 - 2) / 2
            box = (
                (0.0, 0.0, 30.0 + error, 20.0) if number not in wrong else (40.0, 30.0, 60.0, 40.0)
            )
            image = Grey(level, level - number % 7, level)
            label = labels[number % len(labels)]
            samples.append(Sample(image, label, box, split=split, size_wh=SIZE_WH))
        return Dataset(tuple(samples), tuple(sorted(set(labels))), name="greys")

    return make


@pytest.fixture
def sure_file(write_bright_model, tmp_path):
    """A model of one class with a spread, and with the distance from three training images."""
    from onebox.calibration.training_features import keep_features

    file = write_bright_model(tmp_path / "model.onnx", sigma=True)
    colours = [(200, 200, 200), (100, 98, 100), (50, 50, 55)]
    keep_features(file, [np.asarray(Grey(*colour)) for colour in colours])
    return file
