"""A recipe is checked once, and says what is wrong in words."""

import subprocess
import sys
import tomllib

import pytest
import tomli_w
from pydantic import ValidationError

from onebox.errors import SettingError
from onebox.recipes.loading import read_recipe, recipe_names, recipe_text
from onebox.recipes.recipe import Recipe, check_recipe


def as_toml(recipe):
    return tomli_w.dumps(recipe.model_dump(mode="json", exclude_none=True))


# --- typos and wrong values ------------------------------------------------------------------

TYPOS = [
    ({"trian": {}}, "the recipe has no setting 'trian'. Did you mean train?"),
    (
        {"train": {"lerning_rate": 1.0}},
        "[train] has no setting 'lerning_rate'. Did you mean learning_rate?",
    ),
    ({"model": {"backbon": "x"}}, "[model] has no setting 'backbon'. Did you mean backbone?"),
    ({"augment": {"contarst": 0.1}}, "[augment] has no setting 'contarst'. Did you mean contrast?"),
    ({"data": {"clases": ["cat"]}}, "[data] has no setting 'clases'. Did you mean classes?"),
    ({"hog": {"windw": 7}}, "[hog] has no setting 'windw'. Did you mean window?"),
    (
        {"model": {"anchors": {"scale": [1.0]}}},
        "[model.anchors] has no setting 'scale'. Did you mean scales?",
    ),
    ({"loss": {"box": {"guio": 1.0}}}, "'guio'. Did you mean giou?"),
    ({"model": {"vectorizer": "pyrmid"}}, "got 'pyrmid'. Did you mean pyramid?"),
    ({"model": {"box_head": "marginel"}}, "got 'marginel'. Did you mean marginal?"),
]


@pytest.mark.parametrize(("settings", "words"), TYPOS)
def test_a_typo_is_answered_with_the_name_that_was_meant(settings, words):
    with pytest.raises(SettingError) as caught:
        check_recipe(settings, place="my.toml")
    assert str(caught.value).startswith("my.toml: ")
    assert words in str(caught.value)


def test_a_word_like_no_setting_gets_no_suggestion():
    with pytest.raises(SettingError) as caught:
        check_recipe({"train": {"zzz": 1}}, place="my.toml")
    assert str(caught.value) == "my.toml: [train] has no setting 'zzz'."


WRONG = [
    ({"train": {"epochs": 0}}, "train.epochs: ", "got 0"),
    ({"train": {"epochs": "many"}}, "train.epochs: ", "got 'many'"),
    ({"train": {"ema_decay": 1.0}}, "train.ema_decay: ", "got 1.0"),
    ({"train": {"learning_rate": float("nan")}}, "train.learning_rate: ", "got nan"),
    ({"train": {"learning_rate": float("inf")}}, "train.learning_rate: ", "got inf"),
    ({"train": {"freeze_backbone_fraction": 1.0}}, "train.freeze_backbone_fraction: ", "got 1.0"),
    ({"train": {"layer_decay": 0.0}}, "train.layer_decay: ", "got 0.0"),
    ({"augment": {"max_truncation": 0.5}}, "augment.max_truncation: ", "got 0.5"),
    ({"augment": {"largest": 0.9}}, "augment.max_scale: ", "got 0.9"),
    ({"loss": {"box": {"l1": -1.0}}}, "loss.box.l1: ", "got -1.0"),
    ({"model": {"size": 16}}, "model.size: ", "got 16"),
    ({"model": {"mean": [0.5, 0.5]}}, "model.mean.2: ", "got [0.5, 0.5]"),
    ({"model": 3}, "model: ", "got 3"),
    ({"hog": {"cell": 2}}, "hog.cell: ", "got 2"),
    ({"hog": "yes"}, "hog: ", "got 'yes'"),
]


@pytest.mark.parametrize(("settings", "place", "value"), WRONG)
def test_a_wrong_value_is_named_with_its_place(settings, place, value):
    with pytest.raises(SettingError) as caught:
        check_recipe(settings, place="my.toml")
    assert f"my.toml: {place}" in str(caught.value)
    assert value in str(caught.value)


def test_all_that_is_wrong_is_said_at_once():
    with pytest.raises(SettingError) as caught:
        check_recipe({"train": {"epochs": 0, "sed": 1}, "model": {"size": 1}}, place="my.toml")
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert all(line.startswith("my.toml: ") for line in lines)


# --- combinations ----------------------------------------------------------------------------


@pytest.mark.parametrize("vectorizer", ["gap", "flatten"])
def test_the_marginal_head_wants_a_map(vectorizer):
    with pytest.raises(SettingError, match=f"'{vectorizer}' makes a vector; use .*'pyramid'"):
        check_recipe({"model": {"vectorizer": vectorizer}}, place="my.toml")


def test_the_distribution_loss_wants_bins():
    with pytest.raises(SettingError, match="needs box_head 'marginal' or 'heatmap', got 'direct'"):
        check_recipe({"model": {"box_head": "direct"}}, place="my.toml")


@pytest.mark.parametrize(
    ("loss", "head", "wanted"),
    [
        ("votes", "heatmap", "'vote'"),
        ("distribution", "vote", "'marginal' or 'heatmap'"),
        ("laplace", "anchors", "'direct' or 'marginal' or 'vote' or 'heatmap'"),
    ],
)
def test_a_loss_of_what_a_head_does_not_make_is_refused_with_the_heads_that_do(loss, head, wanted):
    with pytest.raises(SettingError) as caught:
        check_recipe({"model": {"box_head": head}, "loss": {"box": {loss: 1.0}}}, place="my.toml")
    assert f"loss.box.{loss} needs box_head {wanted}, got '{head}'" in str(caught.value)


def test_a_distribution_loss_of_no_weight_wants_nothing():
    settings = {"model": {"box_head": "direct"}, "loss": {"box": {"l1": 1, "distribution": 0}}}
    assert check_recipe(settings, place="my.toml").model.box_head == "direct"


@pytest.mark.parametrize("box", [{}, {"l1": 0.0, "giou": 0.0}])
def test_a_recipe_without_a_box_loss_is_refused(box):
    with pytest.raises(SettingError, match="names no loss with a weight; set one"):
        check_recipe({"loss": {"box": box}}, place="my.toml")


# --- HOG windows in place of a network -------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"train": {"epochs": 3}}, "does not read train.epochs; leave it out."),
        ({"model": {}}, "does not read model; leave it out."),
        (
            {"loss": {"label": 1.0}, "augment": {"flip": 0.0, "max_truncation": 0.0}},
            "does not read loss.label, augment.max_truncation, augment.flip; leave it out.",
        ),
    ],
)
def test_what_is_of_networks_is_refused_beside_hog_windows(settings, named):
    with pytest.raises(SettingError) as caught:
        check_recipe({"hog": {}, **settings}, place="my.toml")
    assert str(caught.value) == (
        f"my.toml: a recipe with a [hog] table trains no network, and {named}"
    )


def test_a_setting_of_the_windows_is_changed_like_any_other():
    recipe = read_recipe("hog-svm", ["hog.cell=4", "data.classes=['cat']"])
    assert (recipe.hog.cell, recipe.data.classes) == (4, ("cat",))
    with pytest.raises(SettingError, match=r"hog-svm: .* does not read train\.seed"):
        read_recipe("hog-svm", ["train.seed=3"])


def test_a_seed_reaches_the_section_that_is_read():
    windows, network = read_recipe("hog-svm"), read_recipe("default")
    assert windows.with_seed(7).hog.model_dump() == {**windows.hog.model_dump(), "seed": 7}
    assert windows.with_seed(7).train == windows.train
    assert network.with_seed(7).train.model_dump() == {**network.train.model_dump(), "seed": 7}
    assert network.with_seed(7).hog is None


def test_what_is_not_read_is_not_written():
    assert list(read_recipe("hog-svm").model_dump()) == ["source", "data", "hog"]
    assert list(Recipe().model_dump()) == ["source", "data", "model", "loss", "train", "augment"]


def test_recipes_are_read_without_what_training_needs():
    code = "import sys, onebox.recipes.recipe; print(*{'torch', 'skimage'} & set(sys.modules))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.split() == []


# --- files and names -------------------------------------------------------------------------


def test_the_recipes_that_come_with_the_package_are_the_listed_ones():
    assert {"default", "demo"} <= set(recipe_names())


@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_that_comes_with_the_package_is_valid_short_and_says_its_source(name):
    assert len(recipe_text(name).splitlines()) <= 40
    assert read_recipe(name).source.endswith(".")


@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_written_as_toml_reads_back_equal(name, tmp_path):
    of_windows = ["hog.cell=4", "hog.sharpness=2"]
    of_networks = ["train.epochs=3", "model.mean=[0.1, 0.2, 0.3]"]
    recipe = read_recipe(name, of_windows if name == "hog-svm" else of_networks)
    file = tmp_path / "recipe.toml"
    file.write_text(as_toml(recipe), "utf-8")
    assert read_recipe(file) == recipe


def test_what_a_file_leaves_out_takes_the_default(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text("[train]\nepochs = 7\n", "utf-8")
    changed = Recipe().model_dump()
    changed["train"]["epochs"] = 7
    assert read_recipe(file).model_dump() == changed


def test_an_unknown_recipe_is_answered_with_the_closest():
    with pytest.raises(SettingError, match=r"recipe 'defualt' .* Did you mean default"):
        read_recipe("defualt")


def test_a_recipe_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SettingError, match=r"none\.toml: cannot be read"):
        read_recipe(tmp_path / "none.toml")


@pytest.mark.parametrize("content", [b"[train\n", b"\xff\xfe\x00"])
def test_a_file_that_is_no_toml_is_named(tmp_path, content):
    file = tmp_path / "broken.toml"
    file.write_bytes(content)
    with pytest.raises(SettingError, match=r"broken\.toml: is not TOML"):
        read_recipe(file)


# --- single changes --------------------------------------------------------------------------


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


def test_the_last_of_two_changes_of_one_setting_counts():
    assert read_recipe("default", ["train.seed=1", "train.seed=2"]).train.seed == 2


@pytest.mark.parametrize("change", ["train.epochs", "=3", " =3"])
def test_a_change_without_key_and_value_is_refused(change):
    with pytest.raises(SettingError, match=r"is not of the form key=value, as train\.epochs=20"):
        read_recipe("default", [change])


def test_a_change_below_a_value_is_refused():
    with pytest.raises(SettingError, match="size is a value, not a section"):
        read_recipe("default", ["model.size.width=3"])


def test_a_recipe_cannot_be_changed_once_made():
    with pytest.raises(ValidationError, match="frozen"):
        Recipe().train.epochs = 3


def test_an_empty_file_is_the_default_of_every_setting():
    assert check_recipe(tomllib.loads(""), place="my.toml") == Recipe()


def test_images_that_grow_are_refused_where_the_vector_has_one_length():
    changes = ["model.vectorizer=flatten", "model.box_head=direct", "loss.box={l1=1.0}"]
    with pytest.raises(
        SettingError, match=r"initial_scale 0\.67 lets it grow; set train\.initial_scale"
    ):
        read_recipe("default", changes)
    assert read_recipe("default", [*changes, "train.initial_scale=1"]).train.initial_scale == 1
