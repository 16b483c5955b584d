"""Any source of an image becomes upright RGB, or an error that names it."""

import errno
import io
import math
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageOps

from onebox.errors import ImageError
from onebox.images import MAX_PIXELS, Header, find_images, load, read_header

ORIENTATIONS = range(1, 9)
WIDE = (64, 48)


def quarters(size_wh):
    """An image that looks different in each of the eight orientations."""
    width, height = size_wh
    image = Image.new("RGB", size_wh, (200, 40, 40))
    image.paste((40, 200, 40), (0, 0, width // 2, height // 2))
    image.paste((40, 40, 200), (width // 2, 0, width, height // 2))
    return image


def save_oriented(image, path, orientation, **options):
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(path, exif=exif, **options)
    return path


def encoded(image, kind, **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def png_that_claims(width, height):
    """A PNG of a few bytes whose header claims any size."""

    def chunk(name, data):
        checksum = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + checksum

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def bright_box(pixels):
    rows, columns = np.nonzero(pixels.min(axis=2) > 127)
    return np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])


# --- upright -------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_an_orientation_is_applied_as_pillow_applies_it(tmp_path, orientation, suffix):
    path = save_oriented(quarters(WIDE), tmp_path / f"a{suffix}", orientation)
    with Image.open(path) as stored:
        expected = np.asarray(ImageOps.exif_transpose(stored).convert("RGB"))
    image = load(path)
    np.testing.assert_array_equal(image.pixels, expected)
    assert image.size_wh == (expected.shape[1], expected.shape[0])
    assert read_header(path) == Header(WIDE, orientation)
    assert read_header(path).size_wh == image.size_wh


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_an_image_shrunk_while_decoding_has_the_orientation_of_the_whole_one(tmp_path, orientation):
    path = save_oriented(quarters((640, 320)), tmp_path / "a.jpg", orientation, quality=95)
    image = load(path, at_least=40)
    with Image.open(path) as stored:
        whole = ImageOps.exif_transpose(stored)
    # blocks of 640 / 40 = 16 by 320 / 40 = 8 pixels become one
    scale = (16, 8) if orientation < 5 else (8, 16)
    assert (image.size_wh, image.scale_xy) == (whole.size, scale)
    np.testing.assert_allclose(image.pixels, np.asarray(whole.reduce(scale)), atol=20)


@pytest.mark.parametrize("value", [0, 9, 255])
def test_an_orientation_outside_one_to_eight_counts_as_upright(tmp_path, value):
    path = save_oriented(quarters(WIDE), tmp_path / "a.png", value)
    assert read_header(path) == Header(WIDE, 1)
    np.testing.assert_array_equal(load(path).pixels, np.asarray(quarters(WIDE)))


# --- modes ---------------------------------------------------------------------------------


def palette_with_hole():
    image = Image.new("P", (4, 3), 1)
    image.putpalette([0, 0, 0, 200, 30, 40])
    image.putpixel((0, 0), 0)
    return image


MODES = {
    "grey": (Image.new("L", (4, 3), 100), "PNG", (100, 100, 100)),
    # 32896 / 65535 x 255 = 128
    "16-bit grey": (Image.new("I;16", (4, 3), 32896), "PNG", (128, 128, 128)),
    "16-bit grey in 32 bits": (Image.new("I", (4, 3), 65535), "TIFF", (255, 255, 255)),
    "big-endian 16-bit": (Image.new("I;16B", (4, 3), 32896), "TIFF", (128, 128, 128)),
    "one bit": (Image.new("1", (4, 3), 1), "PNG", (255, 255, 255)),
    "CMYK": (Image.new("CMYK", (4, 3), (0, 255, 255, 0)), "TIFF", (255, 0, 0)),
    "palette": (palette_with_hole(), "PNG", (200, 30, 40)),
    # 128 parts of red and 127 of white: 127 in green and blue
    "alpha": (Image.new("RGBA", (4, 3), (255, 0, 0, 128)), "PNG", (255, 127, 127)),
    "grey with alpha": (Image.new("LA", (4, 3), (0, 128)), "PNG", (127, 127, 127)),
    "wholly transparent": (Image.new("RGBA", (4, 3), (9, 9, 9, 0)), "PNG", (255, 255, 255)),
}


@pytest.mark.parametrize("mode", MODES)
def test_each_mode_becomes_the_rgb_that_a_person_sees(mode):
    image, kind, colour = MODES[mode]
    pixels = load(encoded(image, kind)).pixels
    assert (pixels.shape, pixels.dtype) == ((3, 4, 3), np.uint8)
    assert tuple(pixels[2, 3].tolist()) == colour


@pytest.mark.parametrize("mode", MODES)
def test_a_pillow_image_of_each_mode_is_loaded_like_its_file(mode):
    image, kind, _ = MODES[mode]
    np.testing.assert_array_equal(load(image).pixels, load(encoded(image, kind)).pixels)


def test_a_transparent_palette_entry_becomes_white():
    pixels = load(encoded(palette_with_hole(), "PNG", transparency=0)).pixels
    assert pixels[0, 0].tolist() == [255, 255, 255]
    assert pixels[2, 3].tolist() == [200, 30, 40]


def test_a_transparent_colour_of_an_rgb_png_becomes_white():
    image = Image.new("RGB", (4, 3), (10, 20, 30))
    pixels = load(encoded(image, "PNG", transparency=(10, 20, 30))).pixels
    assert np.all(pixels == 255)


def test_a_cmyk_jpeg_is_not_inverted():
    image = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    pixels = load(encoded(image, "JPEG", quality=95)).pixels
    np.testing.assert_allclose(pixels[8, 8], [255, 0, 0], atol=6)


def test_a_16_bit_ramp_keeps_its_order_and_its_ends():
    ramp = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    grey = load(encoded(Image.fromarray(ramp), "PNG")).pixels[:, :, 0].ravel()
    np.testing.assert_array_equal(grey, np.arange(256))


def test_the_first_frame_of_an_animation_is_read():
    frames = [Image.new("RGB", (8, 6), colour) for colour in ("red", "lime", "blue")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    pixels = load(data).pixels
    assert np.all(pixels == [255, 0, 0])


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (Image.new("F", (4, 3), 0.5), "32-bit floats"),
        (Image.new("I", (4, 3), 70_000), r"70000\.\.70000"),
        (Image.new("I", (4, 3), -1), r"-1\.\.-1"),
    ],
)
def test_values_beyond_16_bits_are_refused_not_guessed(tmp_path, image, words):
    path = tmp_path / "depth.tif"
    image.save(path)
    with pytest.raises(ImageError, match=f"depth.tif: cannot be decoded.*{words}.*8 or 16 bits"):
        load(path)


# --- sources -------------------------------------------------------------------------------


def test_a_path_a_string_bytes_and_a_pillow_image_give_the_same_pixels(tmp_path):
    path = tmp_path / "a.jpg"
    quarters(WIDE).save(path)
    expected = load(path).pixels
    with Image.open(path) as opened:
        for source in (str(path), path.read_bytes(), opened):
            np.testing.assert_array_equal(load(source).pixels, expected)


@pytest.mark.parametrize("at_least", [None, 16, 500])
def test_the_callers_pillow_image_is_not_changed(tmp_path, at_least):
    path = save_oriented(quarters((640, 480)), tmp_path / "a.jpg", 6)
    with Image.open(path) as opened:
        before = opened.copy()
    with Image.open(path) as opened:
        load(opened, at_least=at_least)
        # Not shrunk by the decoder, not rotated, not closed.
        assert (opened.size, opened.mode) == (before.size, before.mode)
        assert opened.tobytes() == before.tobytes()


@pytest.mark.parametrize("kind", ["grey", "rgb", "rgba"])
def test_an_array_keeps_its_values_with_transparency_over_white(kind):
    rgba = np.full((3, 4, 4), (255, 0, 0, 128), dtype=np.uint8)
    array, colour = {
        "grey": (np.full((3, 4), 77, dtype=np.uint8), [77, 77, 77]),
        "rgb": (rgba[:, :, :3], [255, 0, 0]),
        "rgba": (rgba, [255, 127, 127]),
    }[kind]
    image = load(array)
    assert (image.size_wh, image.scale_xy) == ((4, 3), (1.0, 1.0))
    assert np.all(image.pixels == colour)
    assert image.pixels.flags.c_contiguous


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint16, np.int64, bool])
def test_an_array_that_is_not_uint8_is_refused(dtype):
    with pytest.raises(TypeError, match=f"must be uint8, got {np.dtype(dtype)}"):
        load(np.zeros((3, 4, 3), dtype=dtype))


@pytest.mark.parametrize("shape", [(4,), (3, 4, 1), (3, 4, 2), (1, 3, 4, 3), (0, 4, 3), (3, 0)])
def test_an_array_of_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match="must have shape"):
        load(np.zeros(shape, dtype=np.uint8))


@pytest.mark.parametrize("source", [None, 3, object()])
def test_a_source_of_another_type_is_a_type_error(source):
    with pytest.raises(TypeError):
        load(source)


# --- shrinking -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "array"])
@pytest.mark.parametrize("at_least", [30, 48, 100, 224, 388, 389, 777, 2000])
def test_a_rectangle_is_at_its_box_over_the_scale(kind, at_least):
    image = Image.new("RGB", (1001, 777))
    box = (211, 390, 702, 655)
    image.paste("white", box)
    source = np.asarray(image) if kind == "array" else encoded(image, kind)
    loaded = load(source, at_least=at_least)
    expected = np.array(box) / [*loaded.scale_xy, *loaded.scale_xy]
    assert np.abs(bright_box(loaded.pixels) - expected).max() <= 1
    assert loaded.size_wh == (1001, 777)
    assert min(loaded.pixels.shape[:2]) >= min(at_least, 777)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "array"])
@pytest.mark.parametrize("size_wh", [(1280, 180), (180, 1280)])
def test_width_and_height_are_shrunk_alike_if_the_shape_is_to_stay(kind, size_wh):
    image = Image.new("RGB", size_wh, "white")
    source = np.asarray(image) if kind == "array" else encoded(image, kind)
    loaded = load(source, at_least=80, keeps_shape=True)
    across, down = loaded.scale_xy
    assert across == down
    height, width = loaded.pixels.shape[:2]
    assert (width, height) == tuple(math.ceil(side / across) for side in size_wh)
    assert min(width, height) >= 80
    if kind != "array":
        assert across > 1
        assert len(set(load(source, at_least=80).scale_xy)) == 2


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("at_least", [48, 100, 224])
def test_a_rectangle_in_any_orientation_is_at_its_box_over_the_scale(
    tmp_path, orientation, at_least
):
    image = Image.new("RGB", (1001, 777))
    ImageDraw.Draw(image).rectangle((211, 390, 701, 654), fill="white")
    path = save_oriented(image, tmp_path / "a.jpg", orientation)
    whole, small = load(path), load(path, at_least=at_least)
    expected = bright_box(whole.pixels) / [*small.scale_xy, *small.scale_xy]
    assert np.abs(bright_box(small.pixels) - expected).max() <= 1
    assert small.size_wh == whole.size_wh


@settings(deadline=None)
@given(width=st.integers(1, 90), height=st.integers(1, 90), at_least=st.integers(1, 100))
def test_width_and_height_stay_large_enough_and_those_of_a_file_below_twice_that(
    width, height, at_least
):
    array = np.zeros((height, width, 3), dtype=np.uint8)
    for source in (array, encoded(Image.fromarray(array), "BMP")):
        image = load(source, at_least=at_least)
        small_wh = np.array(image.pixels.shape[1::-1])
        assert np.all(small_wh >= np.minimum(at_least, [width, height]))
        # The last pixel may cover fewer columns, but at least one.
        np.testing.assert_array_equal(small_wh, np.ceil([width, height] / np.array(image.scale_xy)))
    assert np.all(small_wh <= np.maximum(2 * at_least - 1, 1))


# --- bad input -----------------------------------------------------------------------------


def bad_file(folder, what):
    path = folder / f"{what}.jpg"
    jpeg = encoded(quarters((200, 200)), "JPEG")
    contents = {
        "empty": b"",
        "text": b"this is no image\n" * 20,
        "truncated": jpeg[: len(jpeg) // 2],
        "header-only": jpeg[:20],
        "truncated-png": encoded(Image.effect_noise((90, 90), 60), "PNG")[:3000],
        "bomb": png_that_claims(20_000, 20_000),
        "small-bomb": png_that_claims(MAX_PIXELS + 1, 1),
        "ribbon": png_that_claims(MAX_PIXELS, 1),
        "huge-bomb": png_that_claims(2**31 - 1, 2**31 - 1),
    }
    if what == "folder":
        path.mkdir()
    elif what in contents:
        path.write_bytes(contents[what])
    return path


BAD = {
    "missing": "there is no such file. Correct the path.",
    "folder": "is a folder, not an image. Name the images in it.",
    "empty": "is empty (0 bytes). Replace or remove it.",
    "text": "is not an image in a supported format. Save it as JPEG or PNG.",
    "header-only": "Save it as JPEG or PNG.",
    "truncated": "cannot be decoded (",
    "truncated-png": "cannot be decoded (",
    "ribbon": "needs more memory to decode than there is. Shrink it or remove it.",
    "bomb": f"has more than the limit of {MAX_PIXELS} pixels.",
    "small-bomb": f"has more than the limit of {MAX_PIXELS} pixels.",
    "huge-bomb": f"has more than the limit of {MAX_PIXELS} pixels.",
}


@pytest.mark.parametrize("at_least", [None, 32])
@pytest.mark.parametrize("what", BAD)
def test_an_error_names_the_file_the_rule_and_the_repair(tmp_path, what, at_least):
    path = bad_file(tmp_path, what)
    with pytest.raises(ImageError) as caught:
        load(path, at_least=at_least)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert BAD[what] in message
    assert caught.value.problems == (message,)


def test_a_disk_that_fails_is_no_damaged_image(tmp_path, monkeypatch):
    def fail(*words):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Image, "open", fail)
    (tmp_path / "a.jpg").write_bytes(b"1")
    with pytest.raises(ImageError) as caught:
        load(tmp_path / "a.jpg")
    assert str(caught.value) == (
        f"{tmp_path / 'a.jpg'}: cannot be read (Input/output error). Check the disk that it lies "
        "on."
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.jpg/b.jpg", "there is no such file: its folder is a file. Correct the path."),
        ("a\0b.jpg", "cannot be decoded (embedded null byte)"),
        (f"{'a' * 300}.jpg", "cannot be decoded ([Errno 36] File name too long"),
    ],
)
def test_a_name_that_no_file_can_have_is_an_image_error(tmp_path, name, message):
    (tmp_path / "a.jpg").write_bytes(b"")
    with pytest.raises(ImageError) as caught:
        load(tmp_path / name)
    assert message in str(caught.value)


@pytest.mark.parametrize("what", sorted(BAD.keys() - {"truncated", "truncated-png", "ribbon"}))
def test_reading_only_the_header_gives_the_same_error_as_loading(tmp_path, what):
    path = bad_file(tmp_path, what)
    with pytest.raises(ImageError) as from_header:
        read_header(path)
    with pytest.raises(ImageError) as from_pixels:
        load(path)
    assert str(from_header.value) == str(from_pixels.value)


@pytest.mark.parametrize("what", sorted(BAD.keys() - {"missing", "folder"}))
def test_an_error_of_bytes_names_their_length(tmp_path, what):
    data = bad_file(tmp_path, what).read_bytes()
    with pytest.raises(ImageError) as caught:
        load(data)
    assert str(caught.value).startswith(f"image of {len(data)} bytes: ")
    assert BAD[what] in str(caught.value)


def test_a_truncated_pillow_image_is_an_image_error(tmp_path):
    path = bad_file(tmp_path, "truncated")
    with (
        Image.open(path) as opened,
        pytest.raises(ImageError, match=r"truncated\.jpg: cannot be decoded"),
    ):
        load(opened)


def test_a_tiff_whose_offset_is_a_text_is_an_image_error():
    content = encoded(quarters(WIDE), "TIFF")
    offset_as_a_number, as_a_text = struct.pack("<HH", 273, 4), struct.pack("<HH", 273, 2)
    assert content.count(offset_as_a_number) == 1
    with pytest.raises(ImageError, match="cannot be decoded"):
        load(content.replace(offset_as_a_number, as_a_text))


def test_the_header_of_a_large_image_is_read_without_a_warning_and_without_its_pixels(tmp_path):
    # Pillow warns above half of our limit, and pytest turns the warning into an error. The file has
    # no pixels: decoding them to learn the size would fail.
    path = tmp_path / "large.png"
    path.write_bytes(png_that_claims(13_000, 13_000))
    assert MAX_PIXELS / 2 < 13_000**2 < MAX_PIXELS
    assert read_header(path) == Header((13_000, 13_000), 1)


def test_our_pixel_limit_holds_if_a_program_has_removed_that_of_pillow(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    path = bad_file(tmp_path, "small-bomb")
    with pytest.raises(ImageError, match=f"has more than the limit of {MAX_PIXELS} pixels"):
        read_header(path)


# --- folders -------------------------------------------------------------------------------


def test_images_are_found_by_suffix_in_subfolders_sorted(tmp_path):
    (tmp_path / "b" / "folder.jpg").mkdir(parents=True)
    for name in ("c.PNG", "a.jpeg", "b/z.webp", "notes.txt", "labels.csv"):
        (tmp_path / name).write_bytes(b"")
    found = [path.relative_to(tmp_path).as_posix() for path in find_images(tmp_path)]
    assert found == ["a.jpeg", "b/z.webp", "c.PNG"]
