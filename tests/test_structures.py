"""The frozen records."""

import copy
import dataclasses
from pathlib import Path

import numpy as np
import pytest

from onebox.errors import DataError
from onebox.structures import Dataset, KeypointSet, Prediction, Sample, choose_evenly

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


def test_samples_are_taken_evenly_with_the_first_and_the_last():
    samples = [Sample(Path(f"{number}.jpg")) for number in range(10)]
    # Nine steps between ten samples, three between four
    assert choose_evenly(samples, 4) == [samples[index] for index in (0, 3, 6, 9)]
    assert choose_evenly(samples, 200) == samples
    assert choose_evenly((), 4) == []


def test_a_dataset_counts_and_iterates_its_samples():
    assert len(DATA) == 3
    assert list(DATA) == [HERE, EMPTY, THERE]


def test_samples_that_differ_only_in_their_origin_are_equal():
    assert dataclasses.replace(HERE, origin="labels.csv:2") == HERE
    assert dataclasses.replace(HERE, label="dog") != HERE


def test_a_sample_is_named_by_its_file():
    assert HERE.name == "a.jpg"


def test_a_sample_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        HERE.label = "dog"


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        (
            {"box": (9.0, 2.0, 7.0, 6.0)},
            "box 9, 2, 7, 6 is -2 x 4 pixels; width and height must be positive. Swap its corners "
            "or remove it.",
        ),
        (
            {"box": (1.0, 6.0, 7.0, 6.0)},
            "box 1, 6, 7, 6 is 6 x 0 pixels; width and height must be positive. Swap its corners "
            "or remove it.",
        ),
        (
            {"box": (np.nan, 2.0, 7.0, 6.0)},
            "box nan, 2, 7, 6 is not made of finite numbers. Correct or remove it.",
        ),
        (
            {"box": (1.0, 2.0, np.inf, 6.0)},
            "box 1, 2, inf, 6 is not made of finite numbers. Correct or remove it.",
        ),
        (
            {"keypoints": ((1.0, 2.0, 2), (1.0, np.nan, 1))},
            "keypoint 2 is at 1.0, nan, which is not finite. Correct it.",
        ),
        (
            {"keypoints": ((1.0, 2.0, 3),)},
            "keypoint 1 has visibility 3, not 0, 1 or 2. Correct it.",
        ),
        (
            {"size_wh": (40, 0)},
            "size_wh is 40 x 0; width and height must be positive. Correct it.",
        ),
    ],
)
def test_a_sample_that_no_image_can_have_is_refused_when_it_is_made(values, problem):
    with pytest.raises(DataError) as caught:
        Sample(Path("a.jpg"), "cat", **values)
    assert str(caught.value) == f"a.jpg: {problem}"


def test_a_sample_of_an_unknown_split_is_refused():
    sample = copy.copy(HERE)
    object.__setattr__(sample, "split", "tset")  # the type checks of the test run refuse it, too
    with pytest.raises(DataError, match=r"split 'tset' is not one of .* Did you mean test\?"):
        sample.__post_init__()


def test_a_refused_sample_is_named_by_the_origin_of_its_label():
    with pytest.raises(DataError, match=r"^labels\.csv:2: box 4, 0, 0, 3 is -4 x 3 pixels"):
        Sample(Path("a.jpg"), "cat", (4.0, 0.0, 0.0, 3.0), origin="labels.csv:2")


def test_a_changed_sample_is_checked_again():
    with pytest.raises(DataError, match="box 3, 2, 1, 4 is -2 x 2 pixels"):
        dataclasses.replace(HERE, box=(3.0, 2.0, 1.0, 4.0))


def test_a_sample_with_neither_label_nor_box_has_no_subject():
    assert HERE.has_subject
    assert not EMPTY.has_subject
    assert dataclasses.replace(HERE, label=None).has_subject
    assert dataclasses.replace(HERE, box=None).has_subject


@pytest.mark.parametrize(
    ("present", "found"), [(None, True), (1.0, True), (0.5, True), (0.4999, False), (0.0, False)]
)
def test_a_prediction_has_a_subject_from_a_probability_of_one_half(present, found):
    answer = Prediction("cat", 0.5, (1.0, 2.0, 3.0, 4.0), (1.0,), present=present)
    assert answer.has_subject is found


def test_the_spread_is_relative_to_width_and_height():
    found = Prediction("disc", 1.0, (0.0, 0.0, 30.0, 20.0), (1.0,), sigma=(3.0, 4.0, 6.0, 1.0))
    # 3 / 30, 4 / 20, 6 / 30 and 1 / 20
    assert found.spread == pytest.approx((0.1 + 0.2 + 0.2 + 0.05) / 4)
    flat = dataclasses.replace(found, box=(5.0, 5.0, 5.0, 5.0), sigma=(0.0, 0.0, 0.0, 0.001))
    assert flat.spread == pytest.approx(0.25)  # a thousandth of a pixel divides at least
