"""What a recipe asks for is held against the data before training starts."""

from pathlib import Path

import pytest

from onebox.errors import SettingError
from onebox.learning.runs.preflight import settle
from onebox.recipes.loading import read_recipe, recipe_names
from onebox.recipes.recipe import check_recipe
from onebox.structures import Dataset, KeypointSet, Sample

BOX = (10.0, 20.0, 30.0, 60.0)
KEYPOINTS = KeypointSet(("nose", "tail"))


def dataset(*labels, keypoints=None, split="train", box=BOX):
    rows = [
        Sample(Path(f"{number}.jpg"), label, box, split, size_wh=(100, 200))
        for number, label in enumerate(labels)
    ]
    classes = tuple(sorted({label for label in labels if label}))
    return Dataset(tuple(rows), classes, keypoints, name="labels.csv")


def recipe_of(model=None, loss=None, data=None):
    settings = {"model": model or {}, "loss": loss or {}, "data": data or {}}
    return check_recipe(settings, place="recipe")


# --- classes


def test_a_declared_class_that_no_training_image_shows_is_refused_by_name():
    recipe = recipe_of(data={"classes": ["cat", "dog", "owl"]})
    cats = dataset("cat", "cat")
    with pytest.raises(SettingError) as caught:
        settle(recipe, cats)
    assert str(caught.value) == (
        "[data] classes names 'dog', 'owl', and no training image of labels.csv shows that. "
        "Add such images, or remove the name."
    )


def test_a_class_of_validation_images_alone_is_not_learned_either():
    data = dataset("cat", "cat")
    dog = dataset("dog", split="val").samples
    with pytest.raises(SettingError, match="names 'dog'"):
        settle(recipe_of(data={"classes": ["cat", "dog"]}), Dataset((*data, *dog), ("cat", "dog")))


@pytest.mark.parametrize("classes", [[], ["cat", "dog"], ["dog", "cat"]])
def test_declared_classes_that_are_shown_pass(classes):
    recipe = recipe_of(data={"classes": classes})
    assert settle(recipe, dataset("cat", "dog", None)) == recipe


@pytest.mark.parametrize("name", [name for name in recipe_names() if name != "hog-svm"])
def test_each_recipe_takes_a_data_set_of_one_class(name):
    data = dataset("cat", "cat", keypoints=KEYPOINTS)
    assert settle(read_recipe(name), data).source


# --- keypoints

REGRESSED = {"vectorizer": "gap", "box_head": "direct", "keypoints": True}
BOX_L1 = {"box": {"l1": 1.0}}


def test_keypoints_that_the_data_does_not_have_are_refused_with_the_repair():
    with pytest.raises(SettingError) as caught:
        settle(read_recipe("pose"), dataset("person"))
    assert str(caught.value).startswith(
        "model.keypoints asks for keypoints, and labels.csv has none."
    )
    assert "keypoints (COCO or YOLO)" in str(caught.value)


def test_a_distribution_over_places_needs_a_map_to_read_it_from():
    loss = BOX_L1 | {"keypoints": {"l1": 1.0, "distribution": 0.5}}
    with pytest.raises(SettingError) as caught:
        settle(recipe_of(REGRESSED, loss), dataset("person", keypoints=KEYPOINTS))
    assert "loss.keypoints.distribution needs vectorizer 'pyramid', got 'gap'" in str(caught.value)


def test_the_repair_that_the_message_names_repairs_it():
    with pytest.raises(SettingError) as caught:
        settle(recipe_of(REGRESSED, BOX_L1), dataset("person", keypoints=KEYPOINTS))
    table = str(caught.value).partition("--set '")[2].partition("'")[0]
    changes = ["model.keypoints=true", "model.bins_per_cell=4", table]
    recipe = read_recipe("linear128-smoothl1", changes)
    assert settle(recipe, dataset("person", keypoints=KEYPOINTS)) == recipe


@pytest.mark.parametrize("losses", [{}, {"l1": 0.0}, {"confidence": 0.2}])
def test_keypoints_without_a_loss_of_their_places_are_refused(losses):
    recipe = recipe_of({"keypoints": True}, {"keypoints": losses})
    with pytest.raises(SettingError, match=r"loss\.keypoints names no loss of their places"):
        settle(recipe, dataset("person", keypoints=KEYPOINTS))


def test_losses_of_keypoints_say_nothing_where_no_keypoints_are_asked_for():
    recipe = recipe_of({"vectorizer": "gap", "box_head": "direct"}, BOX_L1 | {"keypoints": {}})
    assert settle(recipe, dataset("person")) == recipe


# --- anchors


def test_anchors_from_clusters_are_sizes_of_the_training_boxes():
    recipe = recipe_of(
        {"box_head": "anchors", "anchors": {"clusters": 1}}, {"box": {"anchors": 1.0}}
    )
    # All boxes are 20 x 40 of 100 x 200.
    [size] = settle(recipe, dataset("cat", "cat")).model.anchors.sizes
    assert size == pytest.approx((0.2, 0.2))
