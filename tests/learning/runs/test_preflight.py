"""What must hold of a data set and a folder before training starts."""

from pathlib import Path

import numpy as np
import pytest

from onebox.errors import DataError, SettingError
from onebox.learning.runs.preflight import check_data, mean_box, settle, with_rest
from onebox.recipes.loading import read_recipe
from onebox.recipes.recipe import check_recipe
from onebox.structures import Dataset, KeypointSet, Sample

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
    (dataset(samples("val", 3), samples("test", 3)), "labels.csv: no image is for training"),
    (dataset(), "labels.csv: no image is for training"),
    (dataset(samples("train", 1)), "has one image with a box to train on; it takes at least 2"),
    (
        dataset(samples("train", 1), samples("train", 9, box=None), samples("val", 9, box=None)),
        "has one image with a box to train on; it takes at least 2",
    ),
    (dataset(samples("train", 3, box=None), samples("val", 3)), "no training image has a box"),
    (dataset(name=""), "the data set: no image is for training"),
]


@pytest.mark.parametrize(("data", "words"), HOPELESS)
def test_a_data_set_with_nothing_to_learn_from_is_refused_with_the_repair(data, words):
    with pytest.raises(DataError) as caught:
        check_data(data, ignore)
    assert words in str(caught.value)
    assert caught.value.exit_code == 3


# --- validation images -----------------------------------------------------------------------


def test_a_data_set_with_validation_boxes_is_left_as_it_is():
    data = dataset(samples("train", 2), samples("val", 1))
    heard = []
    assert check_data(data, heard.append) is data
    assert heard == []


def test_without_validation_images_a_tenth_of_the_training_ones_serve_and_it_is_said():
    heard = []
    data = check_data(dataset(samples("train", 35), samples("test", 5)), heard.append)
    assert [len(data.part(split)) for split in ("train", "val", "test")] == [32, 3, 5]
    assert heard == [
        "labels.csv names no validation images with a box; a tenth of the training images serve."
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


# --- mean box ----------------------------------------------------------------------------------


def test_the_mean_box_is_the_mean_of_shares_of_each_image():
    small = Sample(Path("a.jpg"), "cat", (0.0, 0.0, 10.0, 10.0), size_wh=(20, 40))
    large = Sample(Path("b.jpg"), "cat", (50.0, 100.0, 100.0, 400.0), size_wh=(100, 400))
    # In shares: one from 0, 0 to a half, a quarter; the other from there to 1, 1.
    np.testing.assert_allclose(mean_box(dataset((small, large))), (0.25, 0.125, 0.75, 0.625))


def test_without_boxes_there_is_no_mean_box():
    assert mean_box(dataset(samples("train", 3, box=None))) is None


# --- what a recipe leaves to the data ------------------------------------------------------------


def sized(width, height, split="train"):
    box = (5.0, 5.0, 5.0 + width, 5.0 + height)
    return Sample(Path("a.jpg"), "cat", box, split, size_wh=(100, 200))


def test_a_recipe_that_leaves_nothing_to_the_data_stays_as_it_is():
    for name in ("default", "anchors", "linear128-smoothl1"):
        recipe = read_recipe(name)
        assert settle(recipe, dataset(samples("train", 3))) is recipe


def test_sizes_of_anchors_are_clustered_from_the_training_boxes_alone():
    # in shares of 100 x 200: 0.2 x 0.05 and 0.4 x 0.3
    small, large = (sized(20.0, 10.0),) * 5, (sized(40.0, 60.0),) * 3
    elsewhere = (sized(90.0, 190.0, "val"), sized(90.0, 190.0, "test"))
    recipe = read_recipe("anchors", ["model.anchors.clusters=2"])
    settled = settle(recipe, dataset(small, large, elsewhere))
    np.testing.assert_allclose(settled.model.anchors.sizes, [(0.2, 0.05), (0.4, 0.3)])
    assert settled.model.anchors.clusters == 2
    assert settled.loss == recipe.loss


def test_sizes_that_were_clustered_once_stay():
    changes = ["model.anchors.clusters=2", "model.anchors.sizes=[[0.1, 0.1], [0.5, 0.5]]"]
    recipe = read_recipe("anchors", changes)
    assert settle(recipe, dataset(samples("train", 3))) is recipe


def test_clusters_are_left_alone_where_no_head_reads_them():
    recipe = read_recipe("default", ["model.anchors.clusters=2"])
    assert settle(recipe, dataset(samples("train", 3))) is recipe


def test_keypoints_that_the_data_does_not_have_are_refused_by_name():
    with pytest.raises(SettingError) as caught:
        settle(read_recipe("pose"), dataset(samples("train", 3)))
    assert "model.keypoints asks for keypoints, and labels.csv has none" in str(caught.value)
    assert "keypoints (COCO or YOLO)" in str(caught.value)


def keypointed():
    keypoints = KeypointSet(("nose", "tail"))
    return Dataset(samples("train", 3), ("cat",), keypoints=keypoints, name="labels.json")


def test_keypoints_that_the_data_has_are_no_problem():
    recipe = read_recipe("pose")
    assert settle(recipe, keypointed()) is recipe


def test_a_distribution_of_keypoints_that_their_head_does_not_make_is_refused():
    model = {"vectorizer": "gap", "box_head": "hull", "keypoints": True}
    recipe = check_recipe({"model": model, "loss": {"box": {"giou": 1.0}}}, place="gap.toml")
    with pytest.raises(SettingError, match=r"keypoints\.distribution needs vectorizer 'pyramid'"):
        settle(recipe, keypointed())


def test_keypoints_without_a_loss_of_their_places_are_refused():
    changes = ["loss.keypoints={ confidence = 1.0, l1 = 0.0 }"]
    with pytest.raises(SettingError, match=r"loss\.keypoints names no loss of their places"):
        settle(read_recipe("pose", changes), keypointed())


def test_a_declared_class_that_no_training_image_shows_is_refused():
    recipe = read_recipe("default", ["data.classes=['cat', 'owl']"])
    data = dataset(samples("train", 3))
    with pytest.raises(SettingError, match=r"'owl', and no training image of labels\.csv shows"):
        settle(recipe, data)
    assert settle(read_recipe("default", ["data.classes=['cat']"]), data)


# --- the backbone's rest -----------------------------------------------------------------------


@pytest.mark.parametrize(("images", "share"), [(2, 0.3), (60, 0.3), (61, 0.0), (50_000, 0.0)])
def test_the_backbone_rests_at_first_where_images_are_few(images, share):
    assert with_rest(read_recipe("default"), images).train.freeze_backbone_fraction == share


@pytest.mark.parametrize("given", [0.0, 0.5])
def test_a_rest_that_is_given_stays(given):
    recipe = read_recipe("default", [f"train.freeze_backbone_fraction={given}"])
    assert with_rest(recipe, 30) is recipe


CLASSIC = [
    "alexnet-softmax-l2", "anchors", "linear128-smoothl1", "pose", "resnet50-gap-mse",
    "vgg16-sigmoid-bce",
]  # fmt: skip


@pytest.mark.parametrize("name", CLASSIC)
def test_classic_systems_learn_as_a_whole_from_the_first_step(name):
    assert with_rest(read_recipe(name), 2).train.freeze_backbone_fraction == 0.0
