"""A recipe is checked as a whole, and changed into another one."""

import subprocess
import sys

import pytest
from pydantic import ValidationError

from onebox.errors import SettingError
from onebox.recipes.loading import read_recipe, recipe_names
from onebox.recipes.recipe import Recipe, check_recipe

FLATTEN = {"model.vectorizer": "flatten", "model.box_head": "direct", "loss.box": {"l1": 1.0}}


# --- combinations


@pytest.mark.parametrize("vectorizer", ["gap", "flatten"])
def test_the_marginal_head_needs_a_map(vectorizer):
    with pytest.raises(SettingError, match=f"'{vectorizer}' makes a vector; use .*'pyramid'"):
        check_recipe({"model": {"vectorizer": vectorizer}}, place="my.toml")


def test_the_distribution_loss_needs_bins():
    with pytest.raises(SettingError, match="needs box_head 'marginal' or 'heatmap', got 'direct'"):
        check_recipe({"model": {"box_head": "direct"}}, place="my.toml")


@pytest.mark.parametrize(
    ("loss", "head", "expected"),
    [
        ("votes", "heatmap", "'vote'"),
        ("distribution", "vote", "'marginal' or 'heatmap'"),
        ("laplace", "anchors", "'direct' or 'marginal' or 'vote' or 'heatmap'"),
    ],
)
def test_a_loss_that_the_head_cannot_have_is_refused_with_the_heads_that_can(loss, head, expected):
    with pytest.raises(SettingError) as caught:
        check_recipe({"model": {"box_head": head}, "loss": {"box": {loss: 1.0}}}, place="my.toml")
    assert f"loss.box.{loss} needs box_head {expected}, got '{head}'" in str(caught.value)


def test_a_distribution_loss_without_weight_fits_every_head():
    settings = {"model": {"box_head": "direct"}, "loss": {"box": {"l1": 1, "distribution": 0}}}
    assert check_recipe(settings, place="my.toml").model.box_head == "direct"


@pytest.mark.parametrize("box", [{}, {"l1": 0.0, "giou": 0.0}])
def test_a_recipe_without_a_box_loss_is_refused(box):
    with pytest.raises(
        SettingError, match=r"has no loss with a weight; set one, such as loss\.box"
    ):
        check_recipe({"loss": {"box": box}}, place="my.toml")


def test_rotation_needs_the_hull_of_keypoints():
    with pytest.raises(SettingError, match=r"rotate needs box_head 'hull', got 'marginal'"):
        check_recipe({"augment": {"rotate": 30.0}}, place="my.toml")


@pytest.mark.parametrize(
    "model",
    [
        {"finer_maps": 1},
        {"keypoints": True, "finer_maps": 1, "vectorizer": "gap", "box_head": "direct"},
    ],
)
def test_finer_maps_need_heat_maps_of_keypoints(model):
    with pytest.raises(SettingError, match=r"finer_maps are for heat maps of keypoints; set"):
        check_recipe({"model": model, "loss": {"box": {"l1": 1.0}}}, place="my.toml")


@pytest.mark.parametrize(
    "model", [{"keypoints": True}, {"keypoints": True, "box_head": "hull", "vectorizer": "gap"}]
)
def test_a_flip_test_needs_the_hull_of_heat_maps(model):
    with pytest.raises(SettingError, match=r"flip_test averages heat maps of keypoints; set"):
        check_recipe({"model": {**model, "flip_test": True}}, place="my.toml")


def test_flatten_needs_images_of_one_size():
    changes = ["model.vectorizer=flatten", "model.box_head=direct", "loss.box={l1=1.0}"]
    with pytest.raises(SettingError, match=r"initial_scale = 0\.67 starts with smaller ones; set"):
        read_recipe("default", changes)
    assert read_recipe("default", [*changes, "train.initial_scale=1"]).train.initial_scale == 1


# --- changed recipes


def test_a_changed_recipe_has_the_new_values_and_keeps_the_others():
    recipe = read_recipe("pose")
    other = recipe.changed({"train.epochs": 4, "model.hidden": (64,), "source": "Mine."})
    expected = recipe.model_dump()
    expected["train"]["epochs"] = 4
    expected["model"]["hidden"] = (64,)
    expected["source"] = "Mine."
    assert other.model_dump() == expected
    assert recipe == read_recipe("pose")


@pytest.mark.parametrize("name", recipe_names())
def test_no_change_gives_an_equal_recipe_with_the_same_settings_given(name):
    recipe = read_recipe(name)
    assert recipe.changed({}) == recipe
    assert recipe.changed({}).model_dump(exclude_unset=True) == recipe.model_dump(
        exclude_unset=True
    )


@pytest.mark.parametrize("name", ["default", "demo"])
def test_a_changed_weight_keeps_the_other_weights(name):
    recipe = read_recipe(name).changed({"loss.box.giou": 0.0, "loss.keypoints.l1": 1.0})
    assert recipe.loss.box == {"l1": 5.0, "giou": 0.0, "distribution": 0.5}
    assert recipe.loss.keypoints == {"l1": 1.0, "distribution": 0.5, "confidence": 0.2}


def test_a_changed_table_replaces_the_whole_table():
    assert Recipe().changed({"loss.box": {"l1": 1.0}}).loss.box == {"l1": 1.0}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"train.epoch": 4},
            "recipe: [train] has no setting 'epoch'. Did you mean epochs?",
        ),
        ({"trian.epochs": 4}, "recipe: the recipe has no setting 'trian'. Did you mean train?"),
        ({"epochs": 4}, "recipe: the recipe has no setting 'epochs'."),
        ({"model.anchors.scale": ()}, "[model.anchors] has no setting 'scale'. Did you mean sc"),
        ({"model.anchors.scales": ()}, "recipe: model.anchors.scales: "),
        ({"model.anchors.aspects": ()}, "recipe: model.anchors.aspects: "),
        ({"model.anchors.sizes": ((0.0, 0.5),)}, "Input should be greater than 0"),
        ({"train.epochs": 0}, "recipe: train.epochs: Input should be greater than or equal to 1"),
        ({"model.size.width": 3}, "model.size.width: size is a value, not a section."),
        ({"loss.box.guio": 1.0}, "Did you mean giou?"),
    ],
)
def test_a_wrong_change_is_refused_with_the_name_of_the_setting(changes, message):
    with pytest.raises(SettingError) as caught:
        Recipe().changed(changes)
    assert message in str(caught.value)


def test_a_change_that_does_not_fit_the_rest_is_refused():
    default = read_recipe("default")
    assert default.train.initial_scale == 0.67
    with pytest.raises(SettingError, match=r"initial_scale = 0\.67 starts with smaller ones"):
        default.changed(FLATTEN)
    with pytest.raises(SettingError, match=r"initial_scale = 0\.67 starts with smaller ones"):
        read_recipe("vgg16-sigmoid-bce").changed({"train.initial_scale": 0.67})


def test_changes_are_checked_together_so_that_their_order_does_not_matter():
    both = {**FLATTEN, "train.initial_scale": 1.0}
    default = read_recipe("default")
    assert default.changed(both) == default.changed(dict(reversed(both.items())))


def test_a_hog_recipe_takes_changes_of_its_own_settings_alone():
    hog = read_recipe("hog-svm")
    assert hog.changed({"hog.cell": 4, "data.classes": ("cat",)}).hog.cell == 4
    with pytest.raises(SettingError, match=r"does not read train\.epochs; leave it out"):
        hog.changed({"train.epochs": 4})
    with pytest.raises(SettingError, match=r"does not read model\.size, train\.epochs"):
        Recipe().changed({"train.epochs": 4, "model.size": 96, "hog.cell": 4})


def test_the_seed_is_changed_in_the_section_that_is_read():
    windows, network = read_recipe("hog-svm"), read_recipe("default")
    assert windows.with_seed(7).hog.model_dump() == {**windows.hog.model_dump(), "seed": 7}
    assert windows.with_seed(7).train == windows.train
    assert network.with_seed(7).train.model_dump() == {**network.train.model_dump(), "seed": 7}
    assert network.with_seed(7).hog is None


def test_a_seed_below_zero_is_refused():
    with pytest.raises(SettingError, match=r"train\.seed: .*got -1"):
        Recipe().with_seed(-1)


def test_a_recipe_is_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        Recipe().train.epochs = 3


# --- HOG windows in place of a network


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"train": {"epochs": 3}}, "does not read train.epochs; leave it out."),
        ({"model": {}}, "does not read model; leave it out."),
        (
            {"loss": {"label": 1.0}, "augment": {"flip": 0.0, "max_truncation": 0.0}},
            "does not read loss.label, augment.flip, augment.max_truncation; leave it out.",
        ),
    ],
)
def test_settings_of_networks_are_refused_beside_hog_windows(settings, named):
    with pytest.raises(SettingError) as caught:
        check_recipe({"hog": {}, **settings}, place="my.toml")
    assert str(caught.value) == (
        f"my.toml: a recipe with a [hog] section trains no network, and {named}"
    )


def test_sections_that_are_not_read_are_not_written():
    assert list(read_recipe("hog-svm").model_dump()) == ["source", "data", "hog"]
    assert list(Recipe().model_dump()) == ["source", "data", "model", "loss", "train", "augment"]


@pytest.mark.train
def test_reading_recipes_imports_neither_torch_nor_scikit_image():
    code = "import sys, onebox.recipes.recipe; print(*{'torch', 'skimage'} & set(sys.modules))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.split() == []
