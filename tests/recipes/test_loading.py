"""Recipes by name, from TOML files, and with single settings changed."""

import tomllib

import pytest
import tomli_w

from onebox.errors import SettingError
from onebox.recipes.loading import read_recipe, recipe_names, recipe_text
from onebox.recipes.recipe import Recipe, check_recipe

# --- files and names


def test_the_default_and_the_demo_are_among_the_bundled_recipes():
    assert {"default", "demo"} <= set(recipe_names())


@pytest.mark.parametrize("name", recipe_names())
def test_a_bundled_recipe_is_valid_and_short_and_has_a_source(name):
    assert len(recipe_text(name).splitlines()) <= 40
    assert read_recipe(name).source.endswith(".")


@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_written_as_toml_reads_back_equal(name, tmp_path):
    changes = {
        "hog-svm": ["hog.cell=4", "hog.sharpness=2"],
    }.get(name, ["train.epochs=3", "model.mean=[0.1, 0.2, 0.3]"])
    recipe = read_recipe(name, changes)
    file = tmp_path / "recipe.toml"
    file.write_text(tomli_w.dumps(recipe.model_dump(mode="json", exclude_none=True)), "utf-8")
    assert read_recipe(file) == recipe


def test_a_setting_that_a_file_leaves_out_has_its_default(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text("[train]\nepochs = 7\n", "utf-8")
    expected = Recipe().model_dump()
    expected["train"]["epochs"] = 7
    assert read_recipe(file).model_dump() == expected


def test_an_empty_file_has_every_default():
    assert check_recipe(tomllib.loads(""), place="my.toml") == Recipe()


def test_an_unknown_name_suggests_the_closest_recipe():
    with pytest.raises(SettingError, match=r"recipe 'defualt' .* Did you mean default"):
        read_recipe("defualt")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SettingError, match=r"none\.toml: cannot be read"):
        read_recipe(tmp_path / "none.toml")


@pytest.mark.parametrize("content", [b"[train\n", b"\xff\xfe\x00"])
def test_a_file_that_is_not_toml_is_named(tmp_path, content):
    file = tmp_path / "broken.toml"
    file.write_bytes(content)
    with pytest.raises(SettingError, match=r"broken\.toml: is not TOML"):
        read_recipe(file)


# --- single changes


def test_changes_are_toml_values_or_bare_words():
    changes = [
        "train.epochs=20",
        "model.backbone = resnet18",
        "model.pretrained=false",
        "model.hidden=[64, 32]",
        "loss.box={l1 = 1.5}",
        "model.backbone_options.pad_type=same",
    ]
    recipe = read_recipe("default", changes)
    assert recipe.train.epochs == 20
    assert recipe.model.backbone == "resnet18"
    assert recipe.model.pretrained is False
    assert recipe.model.hidden == (64, 32)
    assert recipe.loss.box == {"l1": 1.5}
    assert recipe.model.backbone_options == {"pad_type": "same"}


@pytest.mark.parametrize("name", ["default", "demo"])
def test_a_change_of_one_weight_keeps_the_others_whether_or_not_the_file_has_them(name):
    recipe = read_recipe(name, ["loss.box.giou=0"])
    assert recipe.loss.box == {"l1": 5.0, "giou": 0.0, "distribution": 0.5}


def test_the_last_of_two_changes_of_one_setting_counts():
    assert read_recipe("default", ["train.seed=1", "train.seed=2"]).train.seed == 2


@pytest.mark.parametrize("change", ["train.epochs", "=3", " =3"])
def test_a_change_without_a_name_and_a_value_is_refused(change):
    with pytest.raises(SettingError, match=r"is not of the form key=value, such as train\.epochs"):
        read_recipe("default", [change])


def test_a_change_of_a_hog_setting_works_like_any_other():
    recipe = read_recipe("hog-svm", ["hog.cell=4", "data.classes=['cat']"])
    assert (recipe.hog.cell, recipe.data.classes) == (4, ("cat",))
    with pytest.raises(SettingError, match=r"hog-svm: .* does not read train\.seed"):
        read_recipe("hog-svm", ["train.seed=3"])
