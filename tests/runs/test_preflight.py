"""What must hold of a data set and a folder before training starts."""

from pathlib import Path

import pytest

from onebox.errors import DataError, SettingError
from onebox.recipes.loading import read_recipe
from onebox.runs.preflight import check_classes, check_data
from onebox.structures import SPLITS, Dataset, Sample

BOX = (10.0, 20.0, 30.0, 60.0)


def samples(split, count, box=BOX):
    return tuple(
        Sample(Path(f"{split}-{number}.jpg"), "cat", box, split, size_wh=(100, 200))
        for number in range(count)
    )


def dataset(*parts, name="labels.csv"):
    return Dataset(sum(parts, ()), ("cat",), name=name)


def ignore(sentence):
    """Hear nothing."""


# --- data sets that cannot be trained on -------------------------------------------------------

HOPELESS = [
    (dataset(samples("val", 3), samples("test", 3)), "labels.csv: no image has the split 'train'"),
    (dataset(), "labels.csv: no image has the split 'train'"),
    (dataset(samples("train", 1)), "has one image with a box; training needs at least 2"),
    (
        dataset(samples("train", 1), samples("train", 9, box=None), samples("val", 9, box=None)),
        "has one image with a box; training needs at least 2",
    ),
    (dataset(samples("train", 3, box=None), samples("val", 3)), "no training image has a box"),
    (dataset(name=""), "the data set: no image has the split 'train'"),
]


@pytest.mark.parametrize(("data", "words"), HOPELESS)
def test_a_data_set_with_nothing_to_learn_from_is_refused_with_the_repair(data, words):
    with pytest.raises(DataError) as caught:
        check_data(data, ignore)
    assert words in str(caught.value)
    assert caught.value.exit_code == 3


# --- validation images -----------------------------------------------------------------------


def test_a_data_set_with_validation_and_calibration_boxes_is_left_as_it_is():
    data = dataset(samples("train", 2), samples("val", 1), samples("cal", 9))
    heard = []
    assert check_data(data, heard.append) is data
    assert heard == []


def test_without_validation_images_a_tenth_of_the_training_ones_serve_and_it_is_said():
    heard = []
    data = dataset(samples("train", 35), samples("cal", 9), samples("test", 5))
    data = check_data(data, heard.append)
    assert [len(data.part(split)) for split in SPLITS] == [32, 3, 9, 5]
    assert heard == [
        "labels.csv has no validation images with a box; a tenth of the training images are used."
    ]


def test_the_two_images_that_training_takes_at_least_are_shared_out_one_and_one():
    data = check_data(dataset(samples("train", 2)), ignore)
    assert [len(data.part(split)) for split in ("train", "val")] == [1, 1]


def test_an_image_stays_on_its_side_when_the_data_set_is_moved_or_put_in_another_order():
    data = dataset(samples("train", 35))
    moved = Dataset(
        tuple(
            Sample(Path("elsewhere") / one.image, "cat", BOX, size_wh=one.size_wh)
            for one in reversed(data.samples)
        ),
        ("cat",),
    )
    chosen = [
        {one.image.name for one in check_data(each, ignore).part("val")} for each in (data, moved)
    ]
    assert chosen[0] == chosen[1]


def test_validation_images_without_a_box_do_not_count_as_validation():
    data = check_data(dataset(samples("train", 20), samples("val", 4, box=None)), ignore)
    assert len(data.part("val").boxes()) == 2


def test_images_without_a_box_are_not_taken_for_validation():
    background = tuple(Sample(Path(f"none-{number}.jpg")) for number in range(50))
    data = check_data(dataset(samples("train", 10), background), ignore)
    assert [one.box for one in data.part("val")] == [BOX]


# --- calibration images


def test_half_of_the_validation_images_calibrate_and_it_is_said():
    heard = []
    parts = (samples("val", 30), samples("val", 4, box=None))
    data = check_data(dataset(samples("train", 60), *parts), heard.append)
    assert [len(data.part(split)) for split in SPLITS] == [60, 17, 17, 0]
    assert heard == [
        "labels.csv has no calibration images with a box; half of the validation images are used, "
        "15 with a box."
    ]


def test_validation_images_that_were_training_images_are_halved_too():
    heard = []
    data = check_data(dataset(samples("train", 200)), heard.append)
    assert [len(data.part(split)) for split in SPLITS] == [180, 10, 10, 0]
    assert [" ".join(sentence.split()[1:4]) for sentence in heard] == [
        "has no validation",
        "has no calibration",
    ]


@pytest.mark.parametrize(
    ("parts", "images"),
    [
        ([samples("val", 17)], "0 calibration images"),
        ([samples("val", 17), samples("cal", 20, box=None)], "0 calibration images"),
        ([samples("val", 40), samples("cal", 1)], "1 calibration image"),
        ([samples("val", 40), samples("cal", 8)], "8 calibration images"),
    ],
)
def test_too_few_calibration_images_are_told_with_the_number_needed_and_the_repair(parts, images):
    given, heard = dataset(samples("train", 60), *parts), []
    assert check_data(given, heard.append) is given
    assert heard == [
        f"labels.csv has {images} with a box. The model will not be calibrated: that needs 9. Name "
        "that many images 'cal' in the label file, or run onebox calibrate MODEL DATA after "
        "training."
    ]


# --- classes


def labelled(*labels, split="train"):
    rows = tuple(
        Sample(Path(f"{number}.jpg"), label, BOX, split, size_wh=(100, 200))
        for number, label in enumerate(labels)
    )
    return Dataset(rows, tuple(sorted({label for label in labels if label})), name="labels.csv")


def declaring(*classes):
    return read_recipe("default").changed({"data.classes": classes})


def test_a_declared_class_that_no_training_image_shows_is_refused_by_name():
    recipe = declaring("cat", "dog", "owl")
    cats = labelled("cat", "cat")
    with pytest.raises(SettingError) as caught:
        check_classes(cats, recipe)
    assert str(caught.value) == (
        "[data] classes names 'dog', 'owl', and no training image of labels.csv shows that. "
        "Add such images, or remove the name."
    )


def test_a_class_of_validation_images_alone_is_not_learned_either():
    data = labelled("cat", "cat")
    dog = labelled("dog", split="val").samples
    with pytest.raises(SettingError, match="names 'dog'"):
        check_classes(Dataset((*data, *dog), ("cat", "dog")), declaring("cat", "dog"))


@pytest.mark.parametrize("classes", [[], ["cat", "dog"], ["dog", "cat"]])
def test_declared_classes_that_training_images_show_pass(classes):
    check_classes(labelled("cat", "dog", None), declaring(*classes))


def test_a_class_of_the_data_that_the_recipe_does_not_declare_is_refused_with_a_suggestion():
    with pytest.raises(SettingError) as caught:
        check_classes(labelled("cat", "dgo"), declaring("cat", "dog"))
    assert (
        str(caught.value) == "[data] classes has no 'dgo', and labels.csv does. Did you mean dog?"
    )
