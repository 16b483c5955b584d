import io

import numpy as np
import pytest
from PIL import Image

from onebox.errors import ImageError
from onebox.serving.label_api.previews import PreviewCache, preview


def quarters(width, height):
    """Red, green, blue and white quarters: left and right, top and bottom are told apart."""
    pixels = np.zeros((height, width, 3), dtype=np.uint8)
    pixels[: height // 2, : width // 2] = (255, 0, 0)
    pixels[: height // 2, width // 2 :] = (0, 255, 0)
    pixels[height // 2 :, : width // 2] = (0, 0, 255)
    pixels[height // 2 :, width // 2 :] = (255, 255, 255)
    return Image.fromarray(pixels)


def decoded(content):
    return np.asarray(Image.open(io.BytesIO(content))).astype(int)


def corner_colours(pixels):
    height, width = pixels.shape[:2]
    places = [
        (height // 4, width // 4),
        (height // 4, 3 * width // 4),
        (3 * height // 4, width // 4),
    ]
    return [pixels[place].tolist() for place in places]


@pytest.mark.parametrize(
    ("size_wh", "side", "expected_wh"),
    [
        ((400, 300), 200, (200, 150)),  # 200 / 400 = 1/2
        ((300, 400), 200, (150, 200)),
        ((4000, 3000), 1600, (1600, 1200)),
        ((4000, 500), 1000, (1000, 125)),  # wide: not shrunk by the decoder
        ((90, 60), 1600, (90, 60)),  # never enlarged
        ((5000, 3), 100, (100, 1)),  # 3 / 50 rounds to 0, and an image has a pixel at least
    ],
)
@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_a_preview_has_the_longer_side_asked_for_and_the_colours_in_place(
    tmp_path, size_wh, side, expected_wh, suffix
):
    file = tmp_path / f"image.{suffix}"
    quarters(*size_wh).save(file)
    pixels = decoded(preview(file, size_wh, side))
    assert pixels.shape[1::-1] == expected_wh
    if min(expected_wh) > 16:
        colours = corner_colours(pixels)
        np.testing.assert_allclose(colours, [(255, 0, 0), (0, 255, 0), (0, 0, 255)], atol=12)


def test_a_preview_is_upright(tmp_path):
    file = tmp_path / "rotated.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6  # the first stored row is the right side: turn by 90 degrees clockwise
    quarters(400, 300).save(file, exif=exif)
    pixels = decoded(preview(file, (300, 400), 200))
    assert pixels.shape[1::-1] == (150, 200)
    # Stored left column (red, blue) becomes the top row, read from the right: blue, red.
    colours = corner_colours(pixels)
    np.testing.assert_allclose(colours, [(0, 0, 255), (255, 0, 0), (255, 255, 255)], atol=12)


def test_a_file_that_is_no_image_is_named(tmp_path):
    file = tmp_path / "broken.jpg"
    file.write_bytes(b"not an image")
    with pytest.raises(ImageError, match=r"broken\.jpg: is not an image"):
        preview(file, (10, 10), 100)


def test_the_cache_keeps_the_previews_used_last_within_its_bytes():
    made = []

    def make(name):
        made.append(name)
        return name.encode() * 10

    cache = PreviewCache(most_bytes=25)
    for name in ("a", "b", "a", "c", "a", "b"):
        assert cache.get(name, lambda name=name: make(name)) == name.encode() * 10
    # After "c", 30 bytes are too many: "b" was used longest ago, and is made again.
    assert made == ["a", "b", "c", "b"]
