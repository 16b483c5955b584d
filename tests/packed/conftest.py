"""What the tests of shards share: loose images with labels, and the same in shards."""

import numpy as np
import pytest
from PIL import Image

from onebox.formats import read, write
from onebox.structures import SPLITS, Dataset, KeypointSet, Sample

CLASSES = ("dog", "cat")
KEYPOINTS = KeypointSet(("left eye", "right eye"), ((0, 1),), ((0, 1),))
ROTATED = 6  # the EXIF orientation of an image that is stored on its side


@pytest.fixture(scope="session")
def loose(tmp_path_factory):
    """Forty images of 24 x 16 pixels and more, in all splits; every fifth is stored rotated."""
    folder = tmp_path_factory.mktemp("loose").resolve()
    rng = np.random.default_rng(0)
    made = []
    for number in range(40):
        path = folder / f"image-{number:02d}{'.png' if number % 4 == 1 else '.jpg'}"
        image = Image.fromarray(rng.integers(0, 256, (16, 24 + number, 3), dtype=np.uint8))
        exif = Image.Exif()
        size = (24 + number, 16)
        if number % 5 == 0:
            exif[0x0112] = ROTATED
            size = size[::-1]
        image.save(path, exif=exif)
        points = ((1.5, 2.0, 2), (3.0, 4.25, 1)) if number % 2 else None
        label, box = (
            (None, None) if number % 7 == 3 else (CLASSES[number % 2], (1.5, 2.0, 10.0, 15.0))
        )
        points = points if box else None
        made.append(Sample(path, label, box, SPLITS[number // 10], points, size))
    return Dataset(tuple(made), CLASSES, KEYPOINTS)


@pytest.fixture(scope="session", params=["parquet", "webdataset"])
def in_shards(request, loose, tmp_path_factory):
    """The same images in a folder of shards, read."""
    folder = tmp_path_factory.mktemp("shards") / request.param
    write(loose, folder, request.param)
    return read(folder)


@pytest.fixture(scope="session")
def pairs(loose, in_shards):
    """Each loose sample with the same one in shards."""
    by_content = {sample.image.read(): sample for sample in in_shards}
    assert len(by_content) == len(in_shards) == len(loose)
    return [(sample, by_content[sample.image.read_bytes()]) for sample in loose]
