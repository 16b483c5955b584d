"""Striped squares on faint noise, and one localizer trained on them."""

import numpy as np
import pytest

from onebox import images
from onebox.structures import Dataset, Sample

SIDE = 96
COUNTS = {"train": 16, "val": 6, "test": 6}


def striped(label, split, generator):
    """A square of upright or lying stripes on a wall of faint noise."""
    pixels = generator.integers(110, 140, (SIDE, SIDE), dtype=np.uint8)
    length = int(generator.integers(32, 54))
    x, y = (int(start) for start in generator.integers(0, SIDE - length, 2))
    wave = np.where(np.arange(length) // 4 % 2, 230, 20).astype(np.uint8)
    square = np.tile(wave, (length, 1))
    pixels[y : y + length, x : x + length] = square if label == "upright" else square.T
    box = (float(x), float(y), float(x + length), float(y + length))
    return Sample(np.repeat(pixels[:, :, None], 3, axis=2), label, box, split)


@pytest.fixture(scope="session")
def stripes():
    """Make a data set of striped squares, each with the direction of its stripes as the label."""

    def make(*labels, counts=COUNTS):
        generator = np.random.default_rng(7)
        samples = [
            striped(label, split, generator)
            for split, count in counts.items()
            for _ in range(count)
            for label in labels
        ]
        return Dataset(tuple(samples), labels, name="stripes")

    return make


@pytest.fixture(scope="session")
def two_classes(stripes):
    """Squares of lying and of upright stripes."""
    return stripes("lying", "upright")


@pytest.fixture(scope="session")
def localizer(two_classes):
    """A localizer trained on `two_classes`."""
    from onebox.classic.hog_training import train
    from onebox.classic.settings import HogSettings

    return train(two_classes, HogSettings(window=5, scales=1))


@pytest.fixture(scope="session")
def pyramid_of():
    """Build the pyramid of an array of pixels."""
    from onebox.classic.pyramid import build_pyramid
    from onebox.classic.settings import HogSettings

    def build(pixels, lengths=(SIDE,), settings=None, min_cells=(5, 5)):
        settings = settings or HogSettings()
        return build_pyramid(images.load(pixels), lengths, settings, min_cells=min_cells)

    return build
