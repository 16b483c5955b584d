"""Streams of every kind, and folders of cut-outs and backgrounds."""

import itertools

import numpy as np
import pytest
from PIL import Image, ImageDraw

from onebox.synthetic import blobs, cutouts

STREAMS = {
    "blobs": blobs,
    "cutouts-black": lambda **settings: cutouts(backgrounds="black", **settings),
    "cutouts": cutouts,
}


@pytest.fixture(params=list(STREAMS))
def kind(request):
    """The name of a kind of stream."""
    return request.param


@pytest.fixture
def stream(kind):
    """Make a stream of that kind."""
    return STREAMS[kind]


@pytest.fixture
def plain():
    """Make a folder with one image of one colour, as a background."""

    def make(folder, colour):
        folder.mkdir()
        Image.new("RGB", (90, 70), colour).save(folder / "plain.png")
        return folder

    return make


@pytest.fixture
def put_cutout():
    """Draw an ellipse of one colour on transparent white; returns the folder."""

    def put(path, size_wh=(60, 40), colour=(200, 30, 40), alpha=255):
        path.parent.mkdir(parents=True, exist_ok=True)
        image = Image.new("RGBA", size_wh, (255, 255, 255, 0))
        ellipse = (5, 5, size_wh[0] - 6, size_wh[1] - 6)
        ImageDraw.Draw(image).ellipse(ellipse, fill=(*colour, alpha))
        image.save(path)
        return path.parent

    return put


@pytest.fixture
def coverage(tmp_path, plain):
    """How much each pixel is covered, from the same scenes over black and over white.

    Over a background b a pixel is (alpha x colour + (255 - alpha) x b) / 255, so white minus black
    is 255 - alpha, whatever the colour.
    """

    def measure(count=1, **settings):
        folders = [plain(tmp_path / name, name) for name in ("black", "white")]
        pairs = (cutouts(backgrounds=folder, **settings) for folder in folders)
        for on_black, on_white in itertools.islice(zip(*pairs, strict=True), count):
            difference = np.asarray(on_white.image).astype(int) - np.asarray(on_black.image)
            yield on_black, 255 - difference

    return measure
