"""Generated samples: the subject is wholly inside, and its box is what the pixels show."""

import itertools
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from onebox.errors import DataError, ImageError, OneboxError, SettingError
from onebox.structures import SPLITS
from onebox.synthetic import NAMES, blobs, cutouts, dataset, save, split_counts
from onebox.synthetic.cat import OUTLINE
from onebox.synthetic.material import BUNDLED, Cutout, find_backgrounds, find_cutouts

STREAMS = {
    "blobs": blobs,
    "cutouts-black": lambda **settings: cutouts(backgrounds="black", **settings),
    "cutouts": cutouts,
}
FEW = {"train": 4, "val": 2, "test": 3}

each_stream = pytest.mark.parametrize("stream", list(STREAMS.values()), ids=list(STREAMS))


def first(samples, count=1):
    return list(itertools.islice(samples, count))


def pixels(sample):
    return np.asarray(sample.image)


def extent(mask):
    rows, columns = np.nonzero(mask)
    return (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)


def plain(folder, colour):
    """A folder with one image of one colour, as a background."""
    folder.mkdir()
    Image.new("RGB", (90, 70), colour).save(folder / "plain.png")
    return folder


def put_cutout(path, size_wh=(60, 40), colour=(200, 30, 40), alpha=255):
    """An ellipse of one colour in a transparent frame; the hidden colour around it is white."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("RGBA", size_wh, (255, 255, 255, 0))
    ImageDraw.Draw(image).ellipse((5, 5, size_wh[0] - 6, size_wh[1] - 6), fill=(*colour, alpha))
    image.save(path)
    return path.parent


def coverage(tmp_path, count=1, **settings):
    """How much of the ground each pixel covers, from the same scenes over black and over white.

    Over a ground g a pixel is (alpha x colour + (255 - alpha) x g) / 255, so that white less
    black is 255 - alpha, whatever the colour.
    """
    grounds = [plain(tmp_path / name, name) for name in ("black", "white")]
    pairs = (cutouts(backgrounds=ground, **settings) for ground in grounds)
    for on_black, on_white in itertools.islice(zip(*pairs, strict=True), count):
        difference = pixels(on_white).astype(int) - pixels(on_black)
        yield on_black, 255 - difference


# --- discs ---------------------------------------------------------------------------------


@settings(deadline=None)
@given(seed=st.integers(0, 2**40), size=st.integers(16, 120), split=st.sampled_from(SPLITS))
def test_a_discs_box_is_the_extent_of_its_white_pixels(seed, size, split):
    for sample in first(blobs(size=size, seed=seed, split=split), 3):
        drawn = pixels(sample)
        assert (drawn.shape, drawn.dtype) == ((size, size, 3), np.uint8)
        assert set(np.unique(drawn)) == {0, 255}
        assert sample.box == extent(drawn[:, :, 0] > 127)
        assert (sample.label, sample.split, sample.size_wh) == ("disc", split, (size, size))


def test_discs_are_round_and_wholly_inside_from_a_tenth_to_seven_tenths_of_the_side():
    samples = first(blobs(size=200), 300)
    boxes = np.array([sample.box for sample in samples])
    sides = boxes[:, 2:] - boxes[:, :2]
    # A disc covers pi/4 of its square; a disc cut by the frame would have unequal sides.
    shares = np.array([np.mean(pixels(s)) / 255 * 200**2 for s in samples]) / sides.prod(axis=1)
    assert np.abs(sides[:, 0] - sides[:, 1]).max() <= 1
    assert np.abs(shares - np.pi / 4).max() < 0.06
    assert 20 - 1 <= sides.min() < 26
    assert 134 < sides.max() <= 140 + 1


# --- cut-outs ------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [16, 75, 224])
def test_a_cats_box_is_the_extent_of_the_pixels_it_covers_by_more_than_half(tmp_path, size):
    for sample, alpha in coverage(tmp_path, 40, size=size, seed=5):
        assert np.all(alpha == alpha[:, :, :1])
        assert sample.box == extent(alpha[:, :, 0] > 127)
        assert sample.label == "cat"


def test_a_users_cutouts_box_is_the_extent_of_the_pixels_it_covers_by_more_than_half(tmp_path):
    put_cutout(tmp_path / "own" / "wide.png", (150, 40))
    put_cutout(tmp_path / "own" / "faint.png", (40, 90), alpha=140)
    put_cutout(tmp_path / "own" / "high.png", (40, 1500))
    found = list(coverage(tmp_path, 40, size=100, cutouts=tmp_path / "own"))
    assert {sample.label for sample, _ in found} == {"wide", "faint", "high"}
    for sample, alpha in found:
        assert sample.box == extent(alpha[:, :, 0] > 127)


def test_a_hairline_is_never_shrunk_out_of_sight(tmp_path):
    image = Image.new("RGBA", (600, 600))
    ImageDraw.Draw(image).line((0, 0, 599, 599), fill="red", width=1)
    (tmp_path / "own").mkdir()
    image.save(tmp_path / "own" / "hair.png")
    for sample, alpha in coverage(tmp_path, 20, size=64, cutouts=tmp_path / "own"):
        assert sample.box == extent(alpha[:, :, 0] > 127)


def test_the_same_cutouts_are_in_the_same_places_on_every_ground():
    on_black = first(STREAMS["cutouts-black"](seed=3), 20)
    on_images = first(cutouts(seed=3), 20)
    assert [s.box for s in on_black] == [s.box for s in on_images]
    assert len({s.box for s in on_black}) == 20


def test_longer_sides_go_from_a_fifth_to_four_fifths_and_places_over_the_whole_frame():
    boxes = np.array([s.box for s in first(STREAMS["cutouts-black"](size=100), 400)])
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
    # Of 100 fair throws fewer than 30 or more than 70 come once in 25 000 times.
    assert 30 <= mirrored <= 70


def test_no_colour_hidden_under_transparency_shows_at_the_edge(tmp_path):
    folder = put_cutout(tmp_path / "own" / "red.png", (300, 200), colour=(255, 0, 0))
    for sample in first(cutouts(size=64, backgrounds="black", cutouts=folder), 20):
        assert pixels(sample)[:, :, 1:].max() <= 4


def test_a_mirrored_cutout_covers_with_its_own_colours(tmp_path):
    image = Image.new("RGBA", (90, 60))
    ImageDraw.Draw(image).polygon([(0, 0), (89, 59), (0, 59)], fill="red")
    (tmp_path / "own").mkdir()
    image.save(tmp_path / "own" / "wedge.png")
    for sample, alpha in coverage(tmp_path, 20, size=80, cutouts=tmp_path / "own"):
        assert np.all(pixels(sample)[alpha[:, :, 0] == 255] == [255, 0, 0])


def test_the_cat_has_the_area_that_its_outline_encloses():
    x, y = np.array(OUTLINE, dtype=float).T
    # The shoelace formula; the drawn polygon also covers half of its border of about 1000 px.
    area = abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2
    (cat,) = find_cutouts(None)
    alpha = np.asarray(cat.rgba().getchannel("A")) / 255
    assert abs(alpha.sum() / area - 1) < 0.01
    # Its longest row and column: the outline's extent.
    assert cat.rgba().size == pytest.approx((np.ptp(x), np.ptp(y)), abs=1)


# --- grounds -------------------------------------------------------------------------------


def test_a_cut_out_on_black_has_black_around_it():
    for sample in first(STREAMS["cutouts-black"](size=80), 10):
        left, top, right, bottom = (int(edge) for edge in sample.box)
        drawn = pixels(sample).copy()
        drawn[max(top - 1, 0) : bottom + 1, max(left - 1, 0) : right + 1] = 0
        assert not drawn.any()


def test_natural_images_differ_from_sample_to_sample_and_none_is_of_a_cat():
    corners = {tuple(pixels(sample)[0, 0].tolist()) for sample in first(cutouts(size=64), 30)}
    assert len(corners) > 15
    assert len(find_backgrounds("natural")) == sum(len(names) for _, names in BUNDLED.values())
    assert not any("chelsea" in path.name for path in find_backgrounds("natural"))


def test_a_piece_of_a_long_background_is_not_squeezed(tmp_path):
    # Red grows along 1600 columns, green along 300 rows: a square piece spans 300/1600 as much
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


def test_a_users_backgrounds_are_all_used_and_nothing_else(tmp_path):
    for colour in ("red", "lime", "blue"):
        plain(tmp_path / colour, colour)
    seen = {
        tuple(pixels(sample)[-1, -1].tolist())
        for sample in first(cutouts(size=64, backgrounds=tmp_path), 60)
        if max(sample.box) < 62
    }
    assert seen == {(255, 0, 0), (0, 255, 0), (0, 0, 255)}


# --- what every stream promises ------------------------------------------------------------


@each_stream
def test_an_image_is_the_same_each_time_it_is_drawn_and_after_a_journey(stream):
    for sample in first(stream(size=48, seed=9), 5):
        again = pickle.loads(pickle.dumps(sample))  # noqa: S301 - bytes of our own
        assert (again, hash(again)) == (sample, hash(sample))
        np.testing.assert_array_equal(pixels(again), pixels(sample))
        assert np.asarray(sample.image, dtype=np.float32).dtype == np.float32


@each_stream
def test_drawing_again_starts_the_same_stream_and_another_seed_or_split_another_one(stream):
    here = [pixels(s) for s in first(stream(size=64, seed=1), 20)]
    again = [pixels(s) for s in first(stream(size=64, seed=1), 20)]
    np.testing.assert_array_equal(here, again)
    seen = {drawn.tobytes() for drawn in here}
    for other in (stream(size=64, seed=2), *(stream(size=64, seed=1, split=s) for s in SPLITS[1:])):
        assert not seen & {pixels(s).tobytes() for s in first(other, 20)}


@each_stream
def test_every_name_tells_kind_seed_split_and_number_apart(stream):
    names = {
        sample.name
        for seed in (7, 8)
        for split in SPLITS
        for sample in first(stream(size=32, seed=seed, split=split), 3)
    }
    kind = next(kind for kind, maker in STREAMS.items() if maker is stream)
    assert len(names) == 2 * 3 * 3
    assert f"synth:{kind}/7/val#2" in names


@each_stream
@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"size": 15}, "size must be at least 16 pixels, got 15."),
        ({"seed": -1}, "seed must be 0 or more, got -1."),
    ],
)
def test_what_cannot_be_drawn_is_refused_before_the_first_sample(stream, wrong, words):
    with pytest.raises(SettingError) as caught:
        stream(**wrong)
    assert str(caught.value) == words


def test_drawing_imports_neither_scikit_image_nor_scikit_learn():
    program = """
import sys
import numpy as np
from onebox import synthetic
for stream in (synthetic.blobs(size=32), synthetic.cutouts(size=32)):
    np.asarray(next(stream).image)
print(sorted({"skimage", "sklearn", "torch"} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_without_the_bundled_images_discs_go_on_and_cats_say_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("onebox.synthetic.scenes.find_cutouts", find_cutouts.__wrapped__)
    monkeypatch.setattr("onebox.synthetic.scenes.find_backgrounds", find_backgrounds.__wrapped__)
    monkeypatch.setattr("onebox.synthetic.material._cat", _uncached_cat())
    with pytest.raises(OneboxError, match=r"pip install 'onebox\[synth\]'"):
        cutouts(backgrounds="black")
    own = put_cutout(tmp_path / "own" / "fox.png")
    with pytest.raises(OneboxError, match=r"pip install 'onebox\[synth\]'"):
        cutouts(cutouts=own)
    assert next(blobs(size=32)).label == "disc"
    assert next(cutouts(size=32, backgrounds="black", cutouts=own)).label == "fox"


def _uncached_cat():
    from onebox.synthetic import material

    return material._cat.__wrapped__


# --- the user's folders --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("fox.png", "fox"),
        ("red_fox-02.PNG", "red_fox"),
        ("fox (3).png", "fox"),
        ("007.png", "zoo"),
        ("owls/12.png", "owls"),
        ("birds/owls/a1.png", "owls"),
    ],
)
def test_a_cutout_is_labelled_by_its_sub_folder_or_by_its_name_without_number(
    tmp_path, name, label
):
    put_cutout(tmp_path / "zoo" / name)
    assert find_cutouts(tmp_path / "zoo") == (Cutout(label, tmp_path / "zoo" / name),)


def test_cutouts_are_read_past_other_files_and_cropped_to_what_shows(tmp_path):
    folder = put_cutout(tmp_path / "zoo" / "fox.png", (60, 40))
    Image.new("RGB", (9, 9)).save(folder / "notes.jpg")
    (folder / "labels.csv").write_text("image,label\n")
    (fox,) = find_cutouts(folder)
    # The ellipse of 60 x 40 less 5 on each side
    assert fox.rgba().size == (50, 30)


def test_every_png_that_is_no_cutout_is_named_with_its_repair(tmp_path):
    put_cutout(tmp_path / "good.png")
    Image.new("RGB", (9, 9)).save(tmp_path / "opaque.png")
    Image.new("RGBA", (9, 9)).save(tmp_path / "hollow.png")
    (tmp_path / "text.png").write_text("no image")
    noise = np.random.default_rng(0).integers(0, 255, (90, 90, 4), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "cut.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "cut.png").read_bytes()[:5000])
    with pytest.raises(DataError) as caught:
        cutouts(backgrounds="black", cutouts=tmp_path)
    places = ("cut.png", "hollow.png", "opaque.png", "text.png")
    rules = (
        "cannot be decoded",
        "is wholly transparent",
        "has no transparency",
        "is not an image",
    )
    assert len(caught.value.problems) == 4
    for problem, place, rule in zip(caught.value.problems, places, rules, strict=True):
        assert problem.startswith(f"{tmp_path / place}: {rule}")
        assert problem.endswith(("remove it.", "remove the file.", "Save it as JPEG or PNG."))


@pytest.mark.parametrize("kind", ["cutouts", "backgrounds"])
def test_a_folder_that_is_missing_or_holds_nothing_is_named(tmp_path, kind):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_bytes(b"")
    for name, rule in [
        ("nowhere", "is not a folder"),
        ("file", "is not a folder"),
        ("empty", "holds no"),
    ]:
        with pytest.raises(DataError) as caught:
            cutouts(**{kind: tmp_path / name})
        assert str(caught.value).startswith(f"{tmp_path / name}: {rule}")


def test_a_folder_with_images_but_no_png_has_no_cutouts(tmp_path):
    Image.new("RGB", (9, 9)).save(tmp_path / "a.jpg")
    with pytest.raises(DataError, match=r"holds no PNG\. Cut-outs are RGBA PNGs"):
        cutouts(cutouts=tmp_path)


def test_every_background_that_is_no_image_is_named_before_the_first_sample(tmp_path):
    plain(tmp_path / "good", "red")
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(DataError) as caught:
        cutouts(backgrounds=tmp_path)
    assert [problem.split(": ")[0] for problem in caught.value.problems] == [
        str(tmp_path / "a.jpg"),
        str(tmp_path / "b.jpg"),
    ]


def test_a_cutout_too_thin_for_the_smallest_images_is_named_not_lost(tmp_path):
    image = Image.new("RGBA", (640, 640))
    for corner in ((0, 0), (639, 639)):
        image.putpixel(corner, (255, 0, 0, 255))
    image.save(tmp_path / "dots.png")
    with pytest.raises(DataError, match=r"dots\.png: is too thin to be seen at"):
        first(cutouts(size=16, backgrounds="black", cutouts=tmp_path), 20)


# --- data sets -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "label"), [(NAMES[0], "disc"), (NAMES[1], "cat"), (NAMES[2], "cat")]
)
def test_a_data_set_has_its_splits_its_class_and_its_name(name, label):
    data = dataset(name, size=32, counts=FEW)
    assert (data.name, data.classes) == (name, (label,))
    assert [s.split for s in data] == ["train"] * 4 + ["val"] * 2 + ["test"] * 3
    assert len({s.name for s in data}) == 9
    assert data.samples[0].name.startswith(f"{name}/0/train#")


def test_an_ordinary_data_set_has_2000_250_and_500_samples():
    data = dataset("synth:blobs", size=16)
    assert [len(data.part(split)) for split in SPLITS] == [2000, 250, 500]


def test_test_images_stay_the_same_and_fresh_when_more_are_trained_on():
    few = dataset("synth:blobs", size=64, counts=FEW)
    many = dataset("synth:blobs", size=64, counts={"train": 300, "test": 3})
    assert few.part("test").samples == many.part("test").samples
    trained = {pixels(s).tobytes() for s in many.part("train")}
    assert not trained & {pixels(s).tobytes() for s in many.part("test")}


def test_a_data_set_of_the_users_cutouts_has_their_labels_in_order(tmp_path):
    for name in ("owl1.png", "fox1.png", "fox2.png", "hen1.png", "asp1.png", "bee1.png"):
        put_cutout(tmp_path / "own" / name)
    ground = plain(tmp_path / "ground", "lime")
    counts = {"train": 60}
    data = dataset(
        "synth:cutouts", size=32, counts=counts, cutouts=tmp_path / "own", backgrounds=ground
    )
    assert data.classes == ("asp", "bee", "fox", "hen", "owl")
    assert {s.label for s in data} == set(data.classes)
    assert len(data) == 60


def test_an_unknown_name_is_refused_with_the_closest_one():
    with pytest.raises(SettingError) as caught:
        dataset("synth:blob")
    assert str(caught.value) == (
        "data 'synth:blob' is not one of synth:blobs, synth:cutouts-black, synth:cutouts. "
        "Did you mean synth:blobs?"
    )


@pytest.mark.parametrize(
    ("name", "kind"),
    [("synth:blobs", "cutouts"), ("synth:blobs", "backgrounds"), (NAMES[1], "backgrounds")],
)
def test_a_folder_that_would_not_be_used_is_refused(tmp_path, name, kind):
    with pytest.raises(SettingError, match=f"^{name} takes no {kind}. Use synth:cutouts, or"):
        dataset(name, **{kind: tmp_path})


@given(count=st.integers(0, 500))
def test_shares_add_up_and_leave_most_for_training(count):
    shares = split_counts(count)
    assert sum(shares.values()) == count
    assert shares["train"] >= 8 * shares["val"] == 8 * shares["test"]


# --- images without the subject ------------------------------------------------------------


@each_stream
def test_a_share_of_the_images_is_without_the_subject_and_the_others_stay_as_they_are(stream):
    whole, thinned = first(stream(size=32), 60), first(stream(size=32, absent=0.3), 60)
    absent = [not sample.has_subject for sample in thinned]
    assert 8 <= sum(absent) <= 28  # 18 are expected, and 3.5 is the spread
    for before, after, is_absent in zip(whole, thinned, absent, strict=True):
        assert (before.name, before.size_wh) == (after.name, after.size_wh)
        if is_absent:
            assert (after.label, after.box) == (None, None)
        else:
            assert (after.label, after.box) == (before.label, before.box)
            np.testing.assert_array_equal(pixels(after), pixels(before))


@each_stream
def test_what_lacks_the_subject_shows_the_ground_behind_it(stream):
    whole, bare = first(stream(size=48), 8), first(stream(size=48, absent=1.0), 8)
    for before, after in zip(whole, bare, strict=True):
        left, top, right, bottom = (int(edge) for edge in before.box)
        different = (pixels(before) != pixels(after)).any(axis=2)
        assert different[top:bottom, left:right].mean() > 0.5
        different[max(top - 1, 0) : bottom + 1, max(left - 1, 0) : right + 1] = False
        assert not different.any()


def test_a_larger_share_leaves_out_what_a_smaller_one_does_and_more():
    few, many = (
        {sample.name for sample in first(blobs(size=16, absent=share), 500) if not sample.box}
        for share in (0.2, 0.5)
    )
    assert few < many
    assert len(few) == pytest.approx(100, abs=35)
    assert len(many) == pytest.approx(250, abs=45)


def test_a_data_set_may_lack_the_subject_in_every_split():
    counts = {"train": 50, "val": 50, "test": 50}
    data = dataset("synth:cutouts-black", size=16, counts=counts, absent=0.5)
    assert data.classes == ("cat",)
    shown = [{s.name.split("#")[1] for s in data.part(split) if s.has_subject} for split in SPLITS]
    assert all(10 < len(names) < 40 for names in shown)
    assert shown[0] != shown[1] != shown[2] != shown[0]


@pytest.mark.parametrize("share", [-0.1, 1.5, float("nan")])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(SettingError, match=f"absent must be a share from 0 to 1, got {share:g}"):
        dataset("synth:blobs", absent=share)


# --- on disk -------------------------------------------------------------------------------


@each_stream
def test_saved_images_hold_the_drawn_pixels_and_keep_what_is_known_of_them(tmp_path, stream):
    out = tmp_path / "new" / "out"
    saved = save(stream(size=32, split="val"), out, 3)
    for before, after in zip(stream(size=32, split="val"), saved, strict=False):
        np.testing.assert_array_equal(np.asarray(Image.open(after.image)), pixels(before))
        for known in ("label", "box", "split", "size_wh"):
            assert getattr(after, known) == getattr(before, known)
    names = ["000000.png", "000001.png", "000002.png"]
    assert [sample.image for sample in saved] == [out / "images" / name for name in names]
    assert sorted(path.name for path in (out / "images").iterdir()) == names
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(SettingError, match=r"is not empty\. Empty it or name another folder\."):
        save(blobs(size=16), tmp_path, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "out").write_text("keep")
    with pytest.raises(SettingError, match=r"out: is a file\. Name a folder"):
        save(blobs(size=16), tmp_path / "out", 1)
    assert (tmp_path / "out").read_text() == "keep"


def test_a_job_that_fails_half_way_leaves_no_images(tmp_path):
    def broken():
        yield from first(blobs(size=16), 2)
        raise ImageError("the third is bad")

    with pytest.raises(ImageError, match="the third is bad"):
        save(broken(), tmp_path / "out", 5)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert len(save(blobs(size=16), tmp_path / "out", 5)) == 5


def test_a_disk_that_takes_no_more_is_told_in_words(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(OneboxError, match=r"out: cannot be written .*No space left"):
        save(blobs(size=16), tmp_path / "out", 1)
    assert [path for path in Path(tmp_path).rglob("*") if path.is_file()] == []
