"""Generated data sets, and their images on disk."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from onebox.errors import ImageError, OneboxError, SettingError
from onebox.structures import SPLITS
from onebox.synthetic import NAMES, blobs, dataset, save, split_counts

FEW = {"train": 4, "val": 2, "cal": 1, "test": 3}


def first(samples, count=1):
    return list(itertools.islice(samples, count))


def pixels(sample):
    return np.asarray(sample.image)


@pytest.mark.parametrize(
    ("name", "label"), [(NAMES[0], "disc"), (NAMES[1], "cat"), (NAMES[2], "cat")]
)
def test_a_data_set_has_splits_class_and_name(name, label):
    data = dataset(name, size=32, counts=FEW)
    assert (data.name, data.classes) == (name, (label,))
    assert [s.split for s in data] == ["train"] * 4 + ["val"] * 2 + ["cal"] + ["test"] * 3
    assert len({s.name for s in data}) == 10
    assert data.samples[0].name.startswith(f"{name}/0/train#")


def test_the_default_counts_are_2000_250_100_and_500_samples():
    data = dataset("synth:blobs", size=16)
    assert [len(data.part(split)) for split in SPLITS] == [2000, 250, 100, 500]


def test_more_training_images_neither_change_nor_repeat_the_test_images():
    few = dataset("synth:blobs", size=64, counts=FEW)
    many = dataset("synth:blobs", size=64, counts={"train": 300, "test": 3})
    assert few.part("test").samples == many.part("test").samples
    trained = {pixels(s).tobytes() for s in many.part("train")}
    assert not trained & {pixels(s).tobytes() for s in many.part("test")}


def test_a_data_set_of_the_users_cutouts_has_their_labels_in_order(tmp_path, plain, put_cutout):
    for name in ("owl1.png", "fox1.png", "fox2.png", "hen1.png", "asp1.png", "bee1.png"):
        put_cutout(tmp_path / "own" / name)
    lime = plain(tmp_path / "lime", "lime")
    counts = {"train": 60}
    data = dataset(
        "synth:cutouts", size=32, counts=counts, cutouts=tmp_path / "own", backgrounds=lime
    )
    assert data.classes == ("asp", "bee", "fox", "hen", "owl")
    assert {s.label for s in data} == set(data.classes)
    assert len(data) == 60


def test_an_unknown_name_is_refused_and_the_closest_one_suggested():
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
def test_split_counts_add_up_and_leave_most_for_training(count):
    counts = split_counts(count)
    assert sum(counts.values()) == count
    assert counts["test"] == counts["cal"] == count // 10
    assert counts["cal"] <= 2 * counts["val"] <= counts["cal"] + 1
    assert counts["train"] >= 7 * counts["cal"]


def test_ten_samples_have_one_for_each_purpose_but_training():
    assert split_counts(10) == {"train": 7, "val": 1, "cal": 1, "test": 1}


def test_every_split_has_images_without_the_subject():
    counts = dict.fromkeys(SPLITS, 50)
    data = dataset("synth:cutouts-black", size=16, counts=counts, absent=0.5)
    assert data.classes == ("cat",)
    shown = [{s.name.split("#")[1] for s in data.part(split) if s.has_subject} for split in SPLITS]
    assert all(10 < len(names) < 40 for names in shown)
    assert all(one != other for one, other in itertools.combinations(shown, 2))


@pytest.mark.parametrize("fraction", [-0.1, 1.5, float("nan")])
def test_an_absent_fraction_out_of_range_is_refused(fraction):
    with pytest.raises(SettingError, match=f"must be a fraction from 0 to 1, got {fraction:g}"):
        dataset("synth:blobs", absent=fraction)


def test_saved_samples_keep_their_pixels_and_labels(tmp_path, stream):
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


def test_a_failure_half_way_leaves_no_images(tmp_path):
    def broken():
        yield from first(blobs(size=16), 2)
        raise ImageError("the third is bad")

    with pytest.raises(ImageError, match="the third is bad"):
        save(broken(), tmp_path / "out", 5)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert len(save(blobs(size=16), tmp_path / "out", 5)) == 5


def test_a_full_disk_is_reported(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(OneboxError, match=r"out: cannot be written .*No space left"):
        save(blobs(size=16), tmp_path / "out", 1)
    assert [path for path in Path(tmp_path).rglob("*") if path.is_file()] == []
