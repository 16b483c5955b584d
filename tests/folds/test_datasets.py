"""A data set for each fold: every image is tested once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from onebox.errors import DataError, SettingError
from onebox.folds.datasets import data_of_fold, deal, group_by_copies
from onebox.structures import SPLITS, Dataset, Sample

BOX = (1.0, 1.0, 9.0, 9.0)


def dataset(labels, splits=None):
    splits = splits or ["train"] * len(labels)
    samples = (
        Sample(np.zeros((4, 4, 3), np.uint8), label, None if label is None else BOX, split)
        for label, split in zip(labels, splits, strict=True)
    )
    return Dataset(tuple(samples), ("cat", "dog"), notes=("one row was skipped.",))


rows = st.lists(
    st.tuples(st.sampled_from(["cat", "dog", None]), st.sampled_from(SPLITS)),
    min_size=30,
    max_size=60,
)


@given(rows, st.integers(2, 4), st.integers(0, 3))
def test_every_image_is_tested_in_one_fold_and_keeps_its_place(rows, folds, seed):
    labels, splits = zip(*rows, strict=True)
    data = dataset(["cat"] * 8 + list(labels), ["train"] * 8 + list(splits))
    dealt = deal(data, np.arange(len(data)), folds, seed)
    parts = [data_of_fold(data, dealt.tolist(), fold) for fold in range(folds)]
    tested = [[sample.split == "test" for sample in part] for part in parts]
    assert (np.sum(tested, axis=0) == 1).all()
    for part in parts:
        assert [one.label for one in part] == [one.label for one in data]


@given(rows, st.integers(2, 4))
def test_folds_have_equally_many_of_each_class_and_of_each_of_its_splits(rows, folds):
    labels, splits = zip(*rows, strict=True)
    data = dataset(["cat"] * 8 + list(labels), ["train"] * 8 + list(splits))
    dealt = deal(data, np.arange(len(data)), folds, 0)
    for wanted in {(one.label, one.split) for one in data}:
        for count in (1, 2):
            is_one = [(one.label, one.split)[:count] == wanted[:count] for one in data]
            assert np.ptp(np.bincount(dealt[np.array(is_one)], minlength=folds)) <= 1


def test_images_of_other_folds_keep_their_split_and_their_tests_train():
    data = dataset(["cat"] * 6, ["train", "val", "cal", "test", "val", "test"])
    part = data_of_fold(data, [1, 1, 1, 1, 0, 0], 0)
    assert [one.split for one in part] == ["train", "val", "cal", "train", "test", "test"]
    assert part.notes == ()


def test_copies_are_dealt_into_one_fold():
    copies = np.array([0, 1, 0, 3, 4, 1, 6, 7])
    dealt = deal(dataset(["cat"] * 8), copies, 2, 0)
    assert dealt[0] == dealt[2]
    assert dealt[1] == dealt[5]


@pytest.mark.parametrize("folds", [1, 0, -3, 4])
def test_a_number_of_folds_that_the_boxes_do_not_allow_is_refused(folds):
    # Seven images with a box, two of them copies: six different ones, so three folds at most.
    data = dataset(["cat"] * 7 + [None] * 5)
    copies = np.array([0, 0, *range(2, 12)])
    with pytest.raises(SettingError, match=f"between 2 and .* here 3; got {folds}"):
        deal(data, copies, folds, 0)


def pictures(folder, count):
    rng = np.random.default_rng(0)
    for number in range(count):
        noise = Image.fromarray(rng.integers(0, 255, (6, 8, 3), dtype=np.uint8))
        noise.resize((240, 180), Image.Resampling.BICUBIC).save(folder / f"{number}.png")


def samples_of(paths):
    return Dataset(tuple(Sample(path, "cat", BOX) for path in paths), ("cat",))


def test_equal_files_and_resized_copies_are_found(tmp_path):
    pictures(tmp_path, 3)
    (tmp_path / "equal.png").write_bytes((tmp_path / "0.png").read_bytes())
    with Image.open(tmp_path / "1.png") as image:
        image.resize((200, 150)).save(tmp_path / "smaller.jpg", quality=85)
    names = ["0.png", "1.png", "2.png", "equal.png", "smaller.jpg"]
    groups = group_by_copies(samples_of(tmp_path / name for name in names))
    assert groups.tolist() == [0, 1, 2, 0, 1]


def test_all_unreadable_images_are_listed(tmp_path):
    pictures(tmp_path, 1)
    (tmp_path / "bad.png").write_bytes(b"no image")
    names = ["0.png", "gone.png", "bad.png"]
    seen = []
    with pytest.raises(DataError) as raised:
        group_by_copies(
            samples_of(tmp_path / name for name in names),
            progress=lambda done, total: seen.append((done, total)),
        )
    assert len(raised.value.problems) == 2
    assert "gone.png" in raised.value.problems[0]
    assert seen == [(1, 3), (2, 3), (3, 3)]
