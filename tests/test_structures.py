"""The frozen records."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from onebox.structures import Dataset, KeypointSet, Prediction, Sample

HERE = Sample(Path("a.jpg"), "cat", (1.0, 2.0, 3.0, 4.0), split="train")
EMPTY = Sample(Path("b.jpg"), split="val")
THERE = Sample(Path("c.jpg"), "dog", (0.0, 0.0, 5.0, 6.0), split="test")
DATA = Dataset(
    (HERE, EMPTY, THERE), ("cat", "dog"), keypoints=KeypointSet(("nose",)), name="labels.csv"
)


def test_boxes_are_those_of_the_samples_that_have_one_in_order():
    np.testing.assert_array_equal(DATA.boxes(), [[1, 2, 3, 4], [0, 0, 5, 6]])


def test_boxes_of_no_samples_are_an_array_of_no_rows():
    boxes = Dataset((), ()).boxes()
    assert boxes.shape == (0, 4)
    assert boxes.dtype == np.float64


def test_a_part_has_the_samples_of_its_split_and_the_names_of_the_whole():
    part = DATA.part("test")
    assert part.samples == (THERE,)
    assert (part.classes, part.keypoints, part.name) == (DATA.classes, DATA.keypoints, DATA.name)


def test_a_dataset_counts_and_walks_its_samples():
    assert len(DATA) == 3
    assert list(DATA) == [HERE, EMPTY, THERE]


def test_samples_that_differ_only_in_where_their_label_stands_are_equal():
    assert dataclasses.replace(HERE, origin="labels.csv:2") == HERE
    assert dataclasses.replace(HERE, label="dog") != HERE


def test_a_sample_is_called_by_its_file():
    assert HERE.name == "a.jpg"


def test_a_sample_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        HERE.label = "dog"


def test_an_image_with_neither_label_nor_box_shows_no_subject():
    assert HERE.has_subject
    assert not EMPTY.has_subject
    assert dataclasses.replace(HERE, label=None).has_subject
    assert dataclasses.replace(HERE, box=None).has_subject


@pytest.mark.parametrize(
    ("present", "found"), [(None, True), (1.0, True), (0.5, True), (0.4999, False), (0.0, False)]
)
def test_an_answer_is_that_the_subject_is_there_from_one_half_on(present, found):
    answer = Prediction("cat", 0.5, (1.0, 2.0, 3.0, 4.0), (1.0,), present=present)
    assert answer.has_subject is found
