"""simplejpeg and Pillow decode JPEGs alike, at every scale, whole or damaged."""

import io
import struct
import sys
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageDraw

from onebox import jpegs
from onebox.errors import ImageError
from onebox.images import MAX_PIXELS, load

ORIENTATIONS = range(1, 9)
ODD_SIZES = [
    (1, 1),
    (3, 3),
    (6, 4),
    (7, 7),
    (8, 1),
    (1, 9),
    (15, 16),
    (17, 33),
    (127, 200),
    (333, 250),
]


def textured(size_wh, mode="RGB"):
    """Blurred noise: neighbouring pixels differ, so that a shift is noticed.

    A JPEG of it differs by 5 to 10 of 255 on average, mostly in the subsampled colours; another
    such image differs by 60 or more.
    """
    width, height = size_wh
    noise = np.random.default_rng(5).integers(0, 256, (height // 4 + 2, width // 4 + 2, 3))
    image = Image.fromarray(noise.astype(np.uint8)).resize(size_wh, Image.Resampling.BICUBIC)
    return image.convert(mode)


def jpeg(image, orientation=1, **options):
    exif = Image.Exif()
    exif[0x0112] = orientation
    stream = io.BytesIO()
    image.save(stream, "JPEG", exif=exif, **{"quality": 90, **options})
    return stream.getvalue()


def without_simplejpeg(patch):
    patch.setattr(jpegs, "_import_simplejpeg", lambda: None)


def both_ways(data, monkeypatch, at_least=None):
    """The image as loaded here, and as loaded if simplejpeg is not installed."""
    here = load(data, at_least=at_least)
    with monkeypatch.context() as patch:
        without_simplejpeg(patch)
        return here, load(data, at_least=at_least)


def assert_alike(here, there):
    assert (here.size_wh, here.scale_xy) == (there.size_wh, there.scale_xy)
    assert here.pixels.shape == there.pixels.shape
    # Two builds of libjpeg may round differently.
    np.testing.assert_allclose(here.pixels.astype(int), there.pixels.astype(int), atol=3)
    assert here.pixels.flags.c_contiguous
    assert there.pixels.flags.c_contiguous


def refusal(data):
    with pytest.raises(ImageError) as caught:
        load(data)
    return str(caught.value)


def decoded(data, shrink=1):
    with Image.open(io.BytesIO(data)) as image:
        return jpegs.decode(image, shrink)


# --- the scale -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size_wh", "at_least", "shrink"),
    [
        ((4000, 3000), 384, 4),  # 3000 / 384 = 7.8
        ((4000, 3000), 375, 8),  # 3000 / 375 = 8
        ((4000, 3000), 376, 4),
        ((640, 480), 224, 2),
        ((640, 480), 240, 2),
        ((640, 480), 241, 1),
        ((100_000, 100), 30, 2),  # 100 / 30 = 3.3: the smaller of width and height decides
        ((100_000, 100), 1, 8),
        ((1, 1), 1, 1),
        ((1, 1), 5, 1),
    ],
)
def test_the_factor_is_the_largest_that_leaves_width_and_height_large_enough(
    size_wh, at_least, shrink
):
    assert jpegs.shrink_for(size_wh, at_least, 1) == shrink


# 1002 is not divisible by 4, nor 1004 by 8; it matters only if they are reversed.
@pytest.mark.parametrize(
    ("orientation", "shrinks"),
    [
        # sizes as stored: (1002, 800), (800, 1002), (1004, 1000)
        (1, (8, 8, 8)),
        (2, (2, 8, 4)),  # columns reversed
        (3, (2, 2, 4)),  # both
        (4, (8, 2, 8)),  # rows
        (5, (8, 8, 8)),  # transposed, neither reversed
        (6, (8, 2, 8)),
        (7, (2, 2, 4)),
        (8, (2, 8, 4)),
    ],
)
def test_the_factor_divides_a_width_or_height_that_the_orientation_reverses(orientation, shrinks):
    sizes = [(1002, 800), (800, 1002), (1004, 1000)]
    assert tuple(jpegs.shrink_for(size, 50, orientation) for size in sizes) == shrinks


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("size_wh", [(402, 320), (320, 402)])
def test_a_box_in_any_orientation_keeps_its_position_if_the_factor_does_not_divide(
    monkeypatch, size_wh, orientation
):
    image = Image.new("RGB", size_wh)
    ImageDraw.Draw(image).rectangle((80, 40, 239, 199), fill="white")
    data = jpeg(image, orientation)
    whole = load(data)
    rows, columns = np.nonzero(whole.pixels[:, :, 0] > 127)
    for small in both_ways(data, monkeypatch, at_least=40):
        # A box of 160 x 160 covers as many small pixels as 160 x 160 / the pixels of one.
        across, down = small.scale_xy
        light = small.pixels[:, :, 0] / 255
        assert light.sum() == pytest.approx(160 * 160 / (across * down), rel=0.02)
        at_y, at_x = (np.average(axis, weights=light) for axis in np.indices(light.shape))
        assert (at_x + 0.5) * across == pytest.approx(columns.mean() + 0.5, abs=0.5)
        assert (at_y + 0.5) * down == pytest.approx(rows.mean() + 0.5, abs=0.5)


def test_an_eighth_of_a_jpeg_is_the_mean_of_its_blocks(monkeypatch):
    # Flat blocks of 8 x 8 have a single coefficient each, so no rounding of others changes them.
    greys = np.array([[10, 60, 110], [160, 210, 250]], np.uint8)
    data = jpeg(Image.fromarray(greys.repeat(8, axis=0).repeat(8, axis=1)), quality=100)
    for image in both_ways(data, monkeypatch, at_least=2):
        assert image.scale_xy == (8, 8)
        for channel in range(3):
            np.testing.assert_allclose(image.pixels[:, :, channel], greys, atol=1)


# --- both decoders -------------------------------------------------------------------------


@pytest.mark.parametrize("at_least", [None, 1, 3, 40, 120])
@pytest.mark.parametrize("size_wh", ODD_SIZES)
def test_both_decoders_agree_on_odd_sizes(monkeypatch, size_wh, at_least):
    assert_alike(*both_ways(jpeg(textured(size_wh)), monkeypatch, at_least))


@pytest.mark.parametrize("at_least", [None, 30])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_both_decoders_agree_on_all_orientations(monkeypatch, orientation, at_least):
    data = jpeg(textured((133, 200)), orientation)
    here, there = both_ways(data, monkeypatch, at_least)
    assert_alike(here, there)
    assert here.size_wh == ((133, 200) if orientation < 5 else (200, 133))


KINDS = {
    "grey": {"mode": "L"},
    "CMYK": {"mode": "CMYK"},
    "progressive": {"progressive": True},
    "4:4:4": {"subsampling": "4:4:4"},
    "4:2:2": {"subsampling": "4:2:2"},
    "RGB without a change of colours": {"keep_rgb": True},
    "restart markers": {"restart_marker_rows": 1},
    "a comment": {"comment": b"\xff\xd8 looks like a start"},
}


@pytest.mark.parametrize("at_least", [None, 50])
@pytest.mark.parametrize("kind", KINDS)
def test_both_decoders_agree_with_each_other_and_with_the_saved_image(monkeypatch, kind, at_least):
    options = {**KINDS[kind]}
    image = textured((210, 170), options.pop("mode", "RGB"))
    here, there = both_ways(jpeg(image, **options), monkeypatch, at_least)
    assert_alike(here, there)
    # 170 / 50 = 3.4: the decoder halves, and whole blocks of (2, 1) are averaged
    assert here.scale_xy == ((1, 1) if at_least is None else (4, 2))
    if at_least is None:
        error = np.abs(here.pixels.astype(int) - np.asarray(image.convert("RGB")))
        assert error.mean() < 15


def test_the_first_of_several_images_in_a_jpeg_is_decoded(monkeypatch):
    first, second = textured((64, 48)), Image.new("RGB", (64, 48), "blue")
    stream = io.BytesIO()
    first.save(stream, "MPO", save_all=True, append_images=[second], quality=90)
    here, there = both_ways(stream.getvalue(), monkeypatch)
    assert_alike(here, there)
    assert np.abs(here.pixels.astype(int) - np.asarray(first)).mean() < 15


def test_simplejpeg_decodes_colour_and_grey_and_pillow_cmyk():
    for mode, kind in (("RGB", np.ndarray), ("L", np.ndarray), ("CMYK", Image.Image)):
        assert isinstance(decoded(jpeg(textured((64, 48), mode)), shrink=2), kind)


def test_without_simplejpeg_the_package_works(monkeypatch):
    data = jpeg(textured((64, 48)))
    expected = load(data).pixels
    monkeypatch.setitem(sys.modules, "simplejpeg", None)
    jpegs._import_simplejpeg.cache_clear()
    try:
        assert jpegs._import_simplejpeg() is None
        assert isinstance(decoded(data), Image.Image)
        np.testing.assert_allclose(load(data).pixels.astype(int), expected.astype(int), atol=3)
    finally:
        jpegs._import_simplejpeg.cache_clear()


def test_decoding_in_several_threads_gives_the_same_pixels():
    files = [jpeg(textured((200 + number, 150)), number % 8 + 1) for number in range(16)]
    alone = [load(data, at_least=60).pixels for data in files]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda data: load(data, at_least=60).pixels, files * 4))
    for row, pixels in enumerate(together):
        np.testing.assert_array_equal(pixels, alone[row % len(files)])


# --- damaged -------------------------------------------------------------------------------


def damaged(what):
    data = jpeg(textured((200, 150)))
    middle = len(data) // 2
    return {
        "cut in half": data[:middle],
        "without its end": data[:-2],
        "cut in the header": data[:100],
        "twelve bits": with_frame(data, bits=12),
        "two channels": with_frame(data, channels=2),
        "no rows": with_frame(data, height=0),
    }[what]


def with_frame(data, *, bits=8, height=150, width=200, channels=3):
    """The same file with another frame header."""
    at = data.index(b"\xff\xc0") + 4
    return data[:at] + struct.pack(">BHHB", bits, height, width, channels) + data[at + 6 :]


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("cut in half", "cannot be decoded (image file is truncated"),
        ("without its end", "cannot be decoded (image file is truncated"),
        ("cut in the header", "cannot be decoded ("),
        ("twelve bits", "is not an image in a supported format."),
        ("two channels", "is not an image in a supported format."),
        ("no rows", "is not an image in a supported format."),
    ],
)
def test_a_damaged_file_gives_the_same_error_without_simplejpeg(monkeypatch, what, words):
    data = damaged(what)
    here = refusal(data)
    without_simplejpeg(monkeypatch)
    assert here == refusal(data)
    assert words in here


def test_damage_that_pillow_tolerates_is_decoded_as_pillow_does(monkeypatch):
    data = jpeg(textured((200, 150)))
    middle = len(data) // 2
    # The end marker in the middle of the pixels: what follows is not read.
    data = data[:middle] + b"\xff\xd9" + data[middle + 2 :]
    assert isinstance(decoded(data), Image.Image)
    assert_alike(*both_ways(data, monkeypatch))


def test_a_jpeg_that_claims_too_many_pixels_is_refused_before_decoding(monkeypatch):
    def must_not_be_imported():
        raise AssertionError("the decoder was imported")

    monkeypatch.setattr(jpegs, "_import_simplejpeg", must_not_be_imported)
    data = with_frame(jpeg(textured((200, 150))), height=65_000, width=65_000)
    assert f"has more than the limit of {MAX_PIXELS} pixels" in refusal(data)


@pytest.mark.parametrize("header", [(65_000, 65_000), (200, 150)])
def test_simplejpeg_does_not_decode_a_file_if_it_reads_another_size(monkeypatch, header):
    def must_not_decode(*arguments, **options):
        raise AssertionError("it was decoded")

    library = SimpleNamespace(
        decode_jpeg_header=lambda data: (*header, "YCbCr", "420"), decode_jpeg=must_not_decode
    )
    monkeypatch.setattr(jpegs, "_import_simplejpeg", lambda: library)
    assert isinstance(decoded(jpeg(textured((200, 150)))), Image.Image)


def test_too_little_memory_is_reported_as_such(monkeypatch):
    def refuse(*arguments, **options):
        raise MemoryError

    library = SimpleNamespace(
        decode_jpeg_header=lambda data: (150, 200, "YCbCr", "420"), decode_jpeg=refuse
    )
    monkeypatch.setattr(jpegs, "_import_simplejpeg", lambda: library)
    assert "needs more memory to decode than there is" in refusal(jpeg(textured((200, 150))))
