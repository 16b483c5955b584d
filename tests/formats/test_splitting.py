"""Splits: stated, chosen by the image's bytes, or held out of the images of another split."""

import dataclasses
import hashlib
import itertools
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from onebox.confidence.conformal import least_images
from onebox.formats import read
from onebox.formats.splitting import (
    LEAST_CALIBRATION,
    hold_out_calibration,
    hold_out_validation,
    parse_split,
    split_of_bytes,
    split_of_stem,
)
from onebox.structures import SPLITS, Dataset, Sample


def save(folder, count, seed=0):
    folder.mkdir(exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (count, 6, 6, 3), dtype=np.uint8)
    for number, image in enumerate(pixels):
        Image.fromarray(image).save(folder / f"{number}.png")


def splits(folder, names):
    path = folder / "labels.csv"
    path.write_text("".join(f"{name}.png,1,2,3,4,cat\n" for name in names))
    return {sample.image.stem: sample.split for sample in read(path)}


def test_an_image_keeps_its_split_when_others_are_added_or_renamed(tmp_path):
    save(tmp_path, 40)
    few, all_of_them = splits(tmp_path, range(10)), splits(tmp_path, range(40))
    assert all(all_of_them[name] == split for name, split in few.items())
    assert set(all_of_them.values()) == {*SPLITS}
    for number in range(40):
        (tmp_path / f"{number}.png").rename(tmp_path / f"new{number}.png")
    renamed = splits(tmp_path, [f"new{number}" for number in range(40)])
    assert list(renamed.values()) == list(all_of_them.values())


def test_exact_copies_stay_together(tmp_path):
    save(tmp_path, 20)
    for number in range(20):
        shutil.copy(tmp_path / f"{number}.png", tmp_path / f"copy{number}.png")
    names = itertools.chain.from_iterable((number, f"copy{number}") for number in range(20))
    found = splits(tmp_path, names)
    assert all(found[str(number)] == found[f"copy{number}"] for number in range(20))


def test_of_a_hundred_images_75_train_5_validate_10_calibrate_and_10_test():
    found = [split_of_bytes(str(number).encode()) for number in range(20_000)]
    # the standard deviation of a fraction of 0.1 in 20,000 is 0.0021
    assert abs(found.count("train") / 20_000 - 0.75) < 0.013
    assert abs(found.count("val") / 20_000 - 0.05) < 0.007
    assert abs(found.count("cal") / 20_000 - 0.1) < 0.009
    assert abs(found.count("test") / 20_000 - 0.1) < 0.009


def test_the_hash_is_the_one_that_earlier_data_sets_were_split_by():
    # BLAKE2b of 8 bytes, as a fraction of 2**64: 0.254, 0.710, 0.794, 0.831, 0.893, 0.965
    found = [split_of_bytes(data) for data in (b"a", b"d", b"r", b"i", b"", b"1")]
    assert found == ["train", "train", "cal", "cal", "val", "test"]


def test_calibration_images_left_training_and_validation_and_no_other_image_moved():
    def earlier(data):  # 80 of 100 train, 10 val, 10 test
        digest = hashlib.blake2b(data, digest_size=8).digest()
        fraction = int.from_bytes(digest, "big") / 2**64
        return "train" if fraction < 0.8 else "val" if fraction < 0.9 else "test"

    data = [str(number).encode() for number in range(5000)]
    moves = {(earlier(one), split_of_bytes(one)) for one in data}
    stays = {("train", "train"), ("val", "val"), ("test", "test")}
    assert moves == stays | {("train", "cal"), ("val", "cal")}


@given(st.binary(max_size=50))
def test_all_bytes_have_a_split(data):
    assert split_of_bytes(data) in SPLITS


@pytest.mark.parametrize("word", ["cal", "Calib", " calibration "])
def test_calibration_has_three_names(word):
    assert parse_split(word) == split_of_stem(f"labels_{word.strip()}2") == "cal"


def test_a_file_that_states_only_train_and_test_keeps_them(tmp_path):
    save(tmp_path, 2)
    path = tmp_path / "labels.csv"
    path.write_text(
        "image,label,x_min,y_min,x_max,y_max,split\n"
        "0.png,cat,1,2,3,4,train\n1.png,cat,1,2,3,4,test\n"
    )
    assert [sample.split for sample in read(path)] == ["train", "test"]


def test_a_row_without_a_split_is_reported_if_others_have_one(labels, problems_of):
    path = labels(
        "a.png,cat,1,2,3,4,train",
        "b.png,cat,1,2,3,4,",
        header="image,label,x_min,y_min,x_max,y_max,split",
    )
    assert problems_of(path) == [
        "labels.csv:3: has no split, but other images have one. Write train, val, cal or test, "
        "or leave it out everywhere."
    ]


# --- validation images held out of the training images ---


def boxed(count, folder="a", split="train"):
    box = (1.0, 2.0, 3.0, 4.0)
    return [Sample(Path(folder) / f"{n}.jpg", "cat", box, split) for n in range(count)]


def names_of(data, split):
    return sorted(sample.image.name for sample in data.part(split))


def test_a_tenth_of_the_training_images_with_a_box_is_held_out_and_nothing_else_changes():
    without_box = [Sample(Path(f"empty{n}.jpg")) for n in range(50)]
    tests = boxed(40, "tests", "test")
    data = Dataset((*boxed(30), *without_box, *tests), ("cat",))
    held_out = hold_out_validation(data)
    assert [len(held_out.part(split)) for split in ("train", "val", "test")] == [77, 3, 40]
    assert all(sample.box is not None for sample in held_out.part("val"))
    assert [sample.image for sample in held_out] == [sample.image for sample in data]
    assert held_out.part("test").samples == tuple(tests)


def test_at_least_one_image_is_held_out():
    assert len(hold_out_validation(Dataset(tuple(boxed(2)), ("cat",))).part("val")) == 1


@pytest.mark.parametrize("rare", range(10))
def test_the_last_training_image_of_a_class_is_not_held_out(rare):
    samples = boxed(10)
    samples[rare] = dataclasses.replace(samples[rare], label="dog")
    held_out = hold_out_validation(Dataset(tuple(samples), ("cat", "dog")))
    assert [one.label for one in held_out.part("val")] == ["cat"]


def test_of_classes_of_one_image_each_one_image_is_held_out_all_the_same():
    first, second = boxed(2)
    data = Dataset((first, dataclasses.replace(second, label="dog")), ("cat", "dog"))
    held_out = hold_out_validation(data)
    assert [len(held_out.part(split)) for split in ("train", "val")] == [1, 1]


def test_the_held_out_images_do_not_depend_on_the_folder_or_the_order():
    here = hold_out_validation(Dataset(tuple(boxed(40, "here")), ("cat",)))
    there = hold_out_validation(Dataset(tuple(reversed(boxed(40, "there"))), ("cat",)))
    assert names_of(here, "val") == names_of(there, "val")


def test_the_held_out_images_are_those_of_earlier_versions():
    assert names_of(hold_out_validation(Dataset(tuple(boxed(40)), ("cat",))), "val") == [
        "11.jpg",
        "14.jpg",
        "19.jpg",
        "36.jpg",
    ]


# --- calibration images held out of the validation images ---


def boxless(count, split="val"):
    return [Sample(Path(f"empty{n}.jpg"), split=split) for n in range(count)]


def counts(data):
    return {split: len(data.part(split)) for split in SPLITS}


def test_half_of_the_validation_images_calibrate_and_nothing_else_changes():
    others = (*boxed(30), *boxed(30, split="test"))
    data = Dataset((*others[:20], *boxed(40, "vals", "val"), *boxless(20), *others[20:]), ("cat",))
    held_out = hold_out_calibration(data)
    assert counts(held_out) == {"train": 30, "val": 30, "cal": 30, "test": 30}
    # 40 validation images have a box and 20 have none: each half has two of three with a box
    assert len(held_out.part("val").boxes()) == len(held_out.part("cal").boxes()) == 20
    assert [sample.image for sample in held_out] == [sample.image for sample in data]
    for split in ("train", "test"):
        assert held_out.part(split).samples == data.part(split).samples


def test_a_coverage_of_90_percent_needs_the_images_that_each_half_keeps():
    assert least_images(0.9) == LEAST_CALIBRATION == 9


@pytest.mark.parametrize(
    ("count", "val", "cal"), [(0, 0, 0), (17, 17, 0), (18, 9, 9), (19, 10, 9), (203, 102, 101)]
)
def test_nine_images_with_a_box_stay_in_each_half_or_none_is_taken(count, val, cal):
    data = Dataset((*boxed(count, split="val"), *boxless(40, "train")), ("cat",))
    held_out = hold_out_calibration(data)
    assert (len(held_out.part("val")), len(held_out.part("cal"))) == (val, cal)
    assert (held_out is data) == (cal == 0)


def test_validation_images_without_a_box_do_not_count_as_enough():
    data = Dataset((*boxed(17, split="val"), *boxless(40)), ("cat",))
    assert hold_out_calibration(data) is data


def test_calibration_images_that_the_user_names_are_left_alone_however_few():
    data = Dataset((*boxed(40, split="val"), *boxed(1, "own", "cal")), ("cat",))
    assert hold_out_calibration(data) is data


def test_calibration_images_without_a_box_calibrate_no_box():
    data = Dataset((*boxed(40, split="val"), *boxless(3, "cal")), ("cat",))
    assert counts(hold_out_calibration(data)) == {"train": 0, "val": 20, "cal": 23, "test": 0}


def test_the_calibration_images_do_not_depend_on_the_folder_or_the_order():
    here = hold_out_calibration(Dataset(tuple(boxed(40, "here", "val")), ("cat",)))
    there = hold_out_calibration(Dataset(tuple(reversed(boxed(40, "there", "val"))), ("cat",)))
    assert names_of(here, "cal") == names_of(there, "cal")


def test_calibration_images_are_chosen_independently_of_validation_images():
    validating = {*names_of(hold_out_validation(Dataset(tuple(boxed(4000)), ("cat",))), "val")}
    all_of_them = Dataset(tuple(boxed(4000, split="val")), ("cat",))
    calibrating = {*names_of(hold_out_calibration(all_of_them), "cal")}
    # half of 400; the standard deviation of the fraction is 0.025, and one hash for both gives 1
    assert abs(len(validating & calibrating) / len(validating) - 0.5) < 0.12
