"""Copies of one image: equal bytes, and pictures that look the same."""

import io

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from onebox.folds.copies import SIDE, Pair, find_copies, group_copies, thumbnail


def picture(seed, side=160):
    """Smooth random shapes with some noise, as a photograph has."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (7, 7, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC), np.int16)
    return Image.fromarray(
        (smooth + rng.integers(-8, 9, smooth.shape)).clip(0, 255).astype(np.uint8)
    )


def encoded(image, quality):
    data = io.BytesIO()
    image.save(data, "JPEG", quality=quality)
    return Image.open(data)


def thumbnails(*images):
    squares = [np.asarray(image.convert("RGB").resize((160, 160))) for image in images]
    return np.stack([thumbnail(square) for square in squares])


def test_a_thumbnail_is_the_mean_of_blocks_standardized():
    rows = np.arange(2 * SIDE, dtype=np.uint8)
    square = np.broadcast_to(rows[:, None, None], (2 * SIDE, 2 * SIDE, 3))
    found = thumbnail(np.ascontiguousarray(square)).reshape(SIDE, SIDE)
    means = np.arange(SIDE) * 2 + 0.5  # of rows 2i and 2i + 1
    wanted = (means - means.mean()) / np.linalg.norm(np.repeat(means - means.mean(), SIDE))
    np.testing.assert_allclose(found, np.repeat(wanted[:, None], SIDE, axis=1), atol=1e-6)


@pytest.mark.parametrize("side", [33, 50, 100])
def test_a_thumbnail_of_another_size_has_the_area_means_of_pillow(side):
    square = np.asarray(picture(0, side).convert("L").convert("RGB"))
    boxes = Image.fromarray(square[..., 0].astype(np.float32))
    small = np.asarray(boxes.resize((SIDE, SIDE), Image.Resampling.BOX)).ravel()
    correlation = np.corrcoef(thumbnail(square), small)[0, 1]
    # Pillow's box filter takes whole pixels, `thumbnail` parts of them
    assert correlation > 0.98


@pytest.mark.parametrize(
    "change",
    [
        lambda image: encoded(image, 50),
        lambda image: image.resize((80, 80)),
        lambda image: ImageEnhance.Contrast(image).enhance(0.8),
    ],
    ids=["re-encoded", "resized", "less contrast"],
)
def test_a_changed_copy_is_found(change):
    found = find_copies(thumbnails(picture(0), picture(1), change(picture(0))), [b"1", b"2", b"3"])
    assert [(pair.first, pair.second) for pair in found] == [(0, 2)]
    assert 0.995 <= found[0].correlation < 1


def test_other_pictures_and_mirrored_ones_are_no_copies():
    mirrored = picture(0).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    some = thumbnails(*(picture(seed) for seed in range(20)), mirrored)
    assert find_copies(some, [bytes([row]) for row in range(21)]) == ()


def test_equal_bytes_are_copies_of_the_first_whatever_they_show():
    black = Image.new("RGB", (160, 160))
    found = find_copies(thumbnails(black, black, black), [b"1", b"1", b"1"])
    assert found == (Pair(0, 1, 1.0), Pair(0, 2, 1.0))


def test_plain_images_do_not_all_look_the_same():
    plain = [Image.new("RGB", (160, 160), (value, value, value)) for value in (0, 128, 255)]
    assert find_copies(thumbnails(*plain), [b"1", b"2", b"3"]) == ()


def test_pairs_are_found_across_chunks(monkeypatch):
    monkeypatch.setattr("onebox.folds.copies._CHUNK", 2)
    images = [picture(seed) for seed in (0, 1, 2, 3, 0, 2)]
    found = find_copies(thumbnails(*images), [bytes([row]) for row in range(6)])
    assert [(pair.first, pair.second) for pair in found] == [(0, 4), (2, 5)]


def test_copies_of_copies_are_one_group():
    groups = group_copies([Pair(0, 3, 1.0), Pair(1, 2, 1.0), Pair(2, 3, 0.996)], 5)
    assert groups.tolist() == [0, 0, 0, 0, 4]
