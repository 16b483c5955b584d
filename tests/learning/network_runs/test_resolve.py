"""A recipe is checked against the data, and completed from it."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from onebox.errors import SettingError
from onebox.learning.network_runs.resolve import resolve, resolve_freezing
from onebox.recipes.loading import read_recipe, recipe_names
from onebox.recipes.recipe import Recipe, check_recipe
from onebox.structures import Dataset, KeypointSet, Sample

BOX = (10.0, 20.0, 30.0, 60.0)
KEYPOINTS = KeypointSet(("nose", "tail"))


def dataset(*labels, keypoints=None, split="train", box=BOX):
    rows = [
        Sample(Path(f"{number}.jpg"), label, box, split, _points(keypoints), size_wh=(100, 200))
        for number, label in enumerate(labels)
    ]
    classes = tuple(sorted({label for label in labels if label}))
    return Dataset(tuple(rows), classes, keypoints, name="labels.csv")


def _points(keypoints):
    """Every keypoint at one place, and labelled."""
    return None if keypoints is None else ((15.0, 25.0, 2),) * len(keypoints.names)


def recipe_of(model=None, loss=None, data=None):
    settings = {"model": model or {}, "loss": loss or {}, "data": data or {}}
    return check_recipe(settings, place="recipe")


@pytest.mark.parametrize("name", [name for name in recipe_names() if name != "hog-svm"])
def test_each_recipe_takes_a_data_set_of_one_class(name):
    data = dataset("cat", "cat", keypoints=KEYPOINTS)
    assert resolve(read_recipe(name), data).source


def test_a_step_may_repeat_each_image_32_times_and_no_more():
    data = dataset("cat", "cat")
    assert resolve(Recipe().changed({"train.batch_size": 64}), data).train.batch_size == 64
    with pytest.raises(SettingError) as caught:
        resolve(Recipe().changed({"train.batch_size": 65}), data)
    assert str(caught.value) == (
        "train.batch_size must be at most 64 with 2 training images, which a step repeats up to 32 "
        "times; got 65. Use --set train.batch_size=32."
    )
    # What comes with the package does with a single training image.
    assert resolve(read_recipe("default"), dataset("cat")).train.batch_size == 32


# --- keypoints

REGRESSED = {"vectorizer": "gap", "box_head": "direct", "keypoints": True}
BOX_L1 = {"box": {"l1": 1.0}}


def test_keypoints_that_the_data_does_not_have_are_refused_with_the_repair():
    with pytest.raises(SettingError) as caught:
        resolve(read_recipe("pose"), dataset("person"))
    assert str(caught.value).startswith(
        "model.keypoints asks for keypoints, and labels.csv has none."
    )
    assert "keypoints (COCO or YOLO)" in str(caught.value)


@pytest.mark.parametrize("points", [None, ((0.0, 0.0, 0), (0.0, 0.0, 0))])
def test_keypoints_that_no_training_image_labels_are_refused(points):
    data = dataset("person", "person", keypoints=KEYPOINTS)
    first, second = data.samples
    of_test = dataclasses.replace(second, split="test")
    none = dataclasses.replace(
        data, samples=(dataclasses.replace(first, keypoints=points), of_test)
    )
    with pytest.raises(SettingError, match=r"no training image of labels\.csv has a labelled one"):
        resolve(read_recipe("pose"), none)


def test_the_hull_of_one_keypoint_is_refused():
    one = dataset("person", keypoints=KeypointSet(("nose",)))
    with pytest.raises(SettingError, match=r"box around the keypoints, and labels\.csv names"):
        resolve(read_recipe("pose"), one)
    resolve(read_recipe("default", ["model.keypoints=true"]), one)  # the repair


def test_a_distribution_over_places_needs_a_map_to_read_it_from():
    loss = BOX_L1 | {"keypoints": {"l1": 1.0, "distribution": 0.5}}
    with pytest.raises(SettingError) as caught:
        resolve(recipe_of(REGRESSED, loss), dataset("person", keypoints=KEYPOINTS))
    assert "loss.keypoints.distribution needs vectorizer 'pyramid', got 'gap'" in str(caught.value)


def test_the_repair_that_the_message_names_repairs_it():
    with pytest.raises(SettingError) as caught:
        resolve(recipe_of(REGRESSED, BOX_L1), dataset("person", keypoints=KEYPOINTS))
    table = str(caught.value).partition("--set '")[2].partition("'")[0]
    changes = ["model.keypoints=true", "model.bins_per_cell=4", table]
    recipe = read_recipe("linear128-smoothl1", changes)
    assert resolve(recipe, dataset("person", keypoints=KEYPOINTS)) == recipe


@pytest.mark.parametrize("losses", [{}, {"l1": 0.0}, {"confidence": 0.2}])
def test_keypoints_without_a_loss_of_their_places_are_refused(losses):
    recipe = recipe_of({"keypoints": True}, {"keypoints": losses})
    with pytest.raises(SettingError, match=r"loss\.keypoints names no loss of their coordinates"):
        resolve(recipe, dataset("person", keypoints=KEYPOINTS))


def test_losses_of_keypoints_say_nothing_where_no_keypoints_are_asked_for():
    recipe = recipe_of({"vectorizer": "gap", "box_head": "direct"}, BOX_L1 | {"keypoints": {}})
    assert resolve(recipe, dataset("person")) == recipe


# --- anchors


def test_anchors_from_clusters_are_sizes_of_the_training_boxes():
    recipe = recipe_of(
        {"box_head": "anchors", "anchors": {"clusters": 1}}, {"box": {"anchors": 1.0}}
    )
    # All boxes are 20 x 40 of 100 x 200.
    [size] = resolve(recipe, dataset("cat", "cat")).model.anchors.sizes
    assert size == pytest.approx((0.2, 0.2))


# --- anchor sizes and keypoint losses


def sized(width, height, split="train"):
    box = (5.0, 5.0, 5.0 + width, 5.0 + height)
    return Sample(Path("a.jpg"), "cat", box, split, size_wh=(100, 200))


def test_a_recipe_that_leaves_nothing_to_the_data_stays_as_it_is():
    for name in ("default", "anchors", "linear128-smoothl1"):
        recipe = read_recipe(name)
        assert resolve(recipe, dataset("cat", "cat", "cat")) is recipe


def test_sizes_of_anchors_are_clustered_from_the_training_boxes_alone():
    # normalized by 100 x 200: 0.2 x 0.05 and 0.4 x 0.3
    small, large = (sized(20.0, 10.0),) * 5, (sized(40.0, 60.0),) * 3
    elsewhere = (sized(90.0, 190.0, "val"), sized(90.0, 190.0, "test"))
    recipe = read_recipe("anchors", ["model.anchors.clusters=2"])
    data = Dataset((*small, *large, *elsewhere), ("cat",))
    resolved = resolve(recipe, data)
    np.testing.assert_allclose(resolved.model.anchors.sizes, [(0.2, 0.05), (0.4, 0.3)])
    assert resolved.model.anchors.clusters == 2
    assert resolved.loss == recipe.loss


def test_sizes_that_were_clustered_once_stay():
    changes = ["model.anchors.clusters=2", "model.anchors.sizes=[[0.1, 0.1], [0.5, 0.5]]"]
    recipe = read_recipe("anchors", changes)
    assert resolve(recipe, dataset("cat", "cat", "cat")) is recipe


def test_clusters_are_left_alone_where_no_head_reads_them():
    recipe = read_recipe("default", ["model.anchors.clusters=2"])
    assert resolve(recipe, dataset("cat", "cat", "cat")) is recipe


def keypointed():
    keypoints = KeypointSet(("nose", "tail"))
    return dataset("cat", "cat", "cat", keypoints=keypoints)


def test_keypoints_that_the_data_has_are_no_problem():
    recipe = read_recipe("pose")
    assert resolve(recipe, keypointed()) is recipe


def test_a_distribution_of_keypoints_that_their_head_does_not_make_is_refused():
    model = {"vectorizer": "gap", "box_head": "hull", "keypoints": True}
    recipe = check_recipe({"model": model, "loss": {"box": {"giou": 1.0}}}, place="gap.toml")
    with pytest.raises(SettingError, match=r"keypoints\.distribution needs vectorizer 'pyramid'"):
        resolve(recipe, keypointed())


# --- the frozen fraction


@pytest.mark.parametrize(("images", "fraction"), [(2, 0.3), (60, 0.3), (61, 0.0), (50_000, 0.0)])
def test_the_backbone_is_frozen_at_first_if_images_are_few(images, fraction):
    assert (
        resolve_freezing(read_recipe("default"), images).train.freeze_backbone_fraction == fraction
    )


@pytest.mark.parametrize("given", [0.0, 0.5])
def test_a_given_fraction_stays(given):
    recipe = read_recipe("default", [f"train.freeze_backbone_fraction={given}"])
    assert resolve_freezing(recipe, 30) is recipe


CLASSIC = [
    "alexnet-softmax-l2", "anchors", "linear128-smoothl1", "pose", "resnet50-gap-mse",
    "vgg16-sigmoid-bce",
]  # fmt: skip


@pytest.mark.parametrize("name", CLASSIC)
def test_classic_systems_learn_as_a_whole_from_the_first_step(name):
    assert resolve_freezing(read_recipe(name), 2).train.freeze_backbone_fraction == 0.0
