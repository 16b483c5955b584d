"""Scenes: cut-outs, their boxes, and their backgrounds."""

import itertools
from functools import partial

import numpy as np
import pytest
from PIL import Image, ImageDraw

from onebox.errors import DataError
from onebox.synthetic import cutouts
from onebox.synthetic.material import BUNDLED, find_backgrounds

on_black = partial(cutouts, backgrounds="black")


def first(samples, count=1):
    return list(itertools.islice(samples, count))


def pixels(sample):
    return np.asarray(sample.image)


def extent(mask):
    rows, columns = np.nonzero(mask)
    return (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)


@pytest.mark.parametrize("size", [16, 75, 224])
def test_a_cats_box_is_the_extent_of_the_pixels_it_covers_by_more_than_half(size, coverage):
    for sample, alpha in coverage(40, size=size, seed=5):
        assert np.all(alpha == alpha[:, :, :1])
        assert sample.box == extent(alpha[:, :, 0] > 127)
        assert sample.label == "cat"


def test_a_users_cutouts_box_is_the_extent_of_the_pixels_it_covers_by_more_than_half(
    tmp_path, put_cutout, coverage
):
    put_cutout(tmp_path / "own" / "wide.png", (150, 40))
    put_cutout(tmp_path / "own" / "faint.png", (40, 90), alpha=140)
    put_cutout(tmp_path / "own" / "high.png", (40, 1500))
    found = list(coverage(40, size=100, cutouts=tmp_path / "own"))
    assert {sample.label for sample, _ in found} == {"wide", "faint", "high"}
    for sample, alpha in found:
        assert sample.box == extent(alpha[:, :, 0] > 127)


def test_a_thin_line_never_disappears_by_shrinking(tmp_path, coverage):
    image = Image.new("RGBA", (600, 600))
    ImageDraw.Draw(image).line((0, 0, 599, 599), fill="red", width=1)
    (tmp_path / "own").mkdir()
    image.save(tmp_path / "own" / "hair.png")
    for sample, alpha in coverage(20, size=64, cutouts=tmp_path / "own"):
        assert sample.box == extent(alpha[:, :, 0] > 127)


def test_cutouts_have_the_same_positions_on_every_background():
    boxes = [sample.box for sample in first(on_black(seed=3), 20)]
    assert boxes == [sample.box for sample in first(cutouts(seed=3), 20)]
    assert len(set(boxes)) == 20


def test_cutouts_are_0_2_to_0_8_of_the_image_long_and_anywhere_in_it():
    boxes = np.array([s.box for s in first(on_black(size=100), 400)])
    longer = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    assert 18 <= longer.min() < 23
    assert 77 < longer.max() <= 80
    assert np.all(boxes.min(axis=0)[:2] <= 3)
    assert np.all(boxes.max(axis=0)[2:] >= 97)


def test_about_half_of_the_cutouts_are_mirrored(tmp_path):
    image = Image.new("RGBA", (40, 40), "red")
    image.paste((0, 0, 255, 255), (20, 0, 40, 40))
    (tmp_path / "own").mkdir()
    image.save(tmp_path / "own" / "flag.png")
    mirrored = 0
    for sample in first(cutouts(size=50, backgrounds="black", cutouts=tmp_path / "own"), 100):
        x, y, *_ = (int(edge) for edge in sample.box)
        mirrored += bool(pixels(sample)[y + 3, x + 1, 2] > 127)
    # 100 fair coin flips give fewer than 30 or more than 70 heads once in 25,000 times.
    assert 30 <= mirrored <= 70


def test_the_colour_of_transparent_pixels_does_not_bleed_into_the_edge(tmp_path, put_cutout):
    folder = put_cutout(tmp_path / "own" / "red.png", (300, 200), colour=(255, 0, 0))
    for sample in first(cutouts(size=64, backgrounds="black", cutouts=folder), 20):
        assert pixels(sample)[:, :, 1:].max() <= 4


def test_colours_and_alpha_are_mirrored_together(tmp_path, coverage):
    image = Image.new("RGBA", (90, 60))
    ImageDraw.Draw(image).polygon([(0, 0), (89, 59), (0, 59)], fill="red")
    (tmp_path / "own").mkdir()
    image.save(tmp_path / "own" / "wedge.png")
    for sample, alpha in coverage(20, size=80, cutouts=tmp_path / "own"):
        assert np.all(pixels(sample)[alpha[:, :, 0] == 255] == [255, 0, 0])


def test_a_cutout_on_black_has_black_around_it():
    for sample in first(on_black(size=80), 10):
        left, top, right, bottom = (int(edge) for edge in sample.box)
        drawn = pixels(sample).copy()
        drawn[max(top - 1, 0) : bottom + 1, max(left - 1, 0) : right + 1] = 0
        assert not drawn.any()


def test_photographs_differ_between_samples_and_none_shows_a_cat():
    corners = {tuple(pixels(sample)[0, 0].tolist()) for sample in first(cutouts(size=64), 30)}
    assert len(corners) > 15
    assert len(find_backgrounds("natural")) == sum(len(names) for _, names in BUNDLED.values())
    assert not any("chelsea" in path.name for path in find_backgrounds("natural"))


def test_a_crop_of_a_long_background_keeps_its_aspect_ratio(tmp_path):
    # Red grows along 1600 columns, green along 300 rows: a square crop spans 300/1600 as much
    # of red as of green, however the image was shrunk while it was read.
    rows, columns = np.mgrid[0:300, 0:1600]
    ramp = np.stack([columns * 255 / 1600, rows * 255 / 300, columns * 0], axis=2)
    Image.fromarray(ramp.astype(np.uint8)).save(tmp_path / "ramp.png")
    for sample in first(cutouts(size=64, backgrounds=tmp_path), 20):
        left, top, right, bottom = sample.box
        if min(left, top, 63 - right, 63 - bottom) < 1:
            continue
        drawn = pixels(sample).astype(float)
        across = abs(drawn[0, -1, 0] - drawn[0, 0, 0])
        down = abs(drawn[-1, 0, 1] - drawn[0, 0, 1])
        assert across / down == pytest.approx(300 / 1600, abs=0.04)


def test_exactly_the_users_backgrounds_are_used(tmp_path, plain):
    for colour in ("red", "lime", "blue"):
        plain(tmp_path / colour, colour)
    seen = {
        tuple(pixels(sample)[-1, -1].tolist())
        for sample in first(cutouts(size=64, backgrounds=tmp_path), 60)
        if max(sample.box) < 62
    }
    assert seen == {(255, 0, 0), (0, 255, 0), (0, 0, 255)}


def test_a_cutout_too_thin_for_the_smallest_images_is_named(tmp_path):
    image = Image.new("RGBA", (640, 640))
    for corner in ((0, 0), (639, 639)):
        image.putpixel(corner, (255, 0, 0, 255))
    image.save(tmp_path / "dots.png")
    with pytest.raises(DataError, match=r"dots\.png: is too thin to be seen at"):
        first(cutouts(size=16, backgrounds="black", cutouts=tmp_path), 20)
