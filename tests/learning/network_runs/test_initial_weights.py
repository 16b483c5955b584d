"""Where a network's weights come from, and what follows for its training."""

import json

import pytest
import timm
import torch
from safetensors.torch import save_file

from onebox.errors import SettingError
from onebox.learning.fitting.checkpoint_io import RECIPE_KEY, save_weights
from onebox.learning.network_runs.initial_weights import find_start
from onebox.learning.networks.network import Network
from onebox.recipes.loading import read_recipe
from onebox.recipes.recipe import check_recipe

pytestmark = pytest.mark.train

# --- from scratch ------------------------------------------------------------------------------


@pytest.fixture
def frozen(tiny_recipe):
    return tiny_recipe.changed({"train.frozen_stages": 2})


def test_from_scratch_no_stage_is_frozen(frozen):
    start = find_start(frozen, None)
    assert start.name == "none"
    assert start.recipe.train.frozen_stages == 0


@pytest.mark.parametrize(("given", "fraction"), [(None, 0.0), (0.25, 0.25)])
def test_from_scratch_the_backbone_is_not_frozen_unless_the_recipe_says_so(
    tiny_recipe, given, fraction
):
    start = find_start(tiny_recipe.changed({"train.freeze_backbone_fraction": given}), None)
    assert start.recipe.train.freeze_backbone_fraction == fraction


@pytest.mark.parametrize(("given", "scale"), [(None, 1.0), (0.25, 0.25)])
def test_from_scratch_the_backbone_learns_as_fast_as_the_heads_unless_the_recipe_says_so(
    tiny_recipe, given, scale
):
    start = find_start(tiny_recipe.changed({"train.backbone_lr_scale": given}), None)
    assert start.recipe.train.backbone_lr_scale == scale


# --- from a backbone's weights -----------------------------------------------------------------


def test_from_weights_the_stages_of_the_recipe_are_frozen(frozen, tmp_path):
    weights = tmp_path / "weights.safetensors"
    save_file(timm.create_model("test_byobnet", num_classes=0).state_dict(), weights)
    start = find_start(frozen, weights)
    assert start.name == "weights.safetensors"
    assert start.recipe.train.frozen_stages == 2
    assert start.recipe.train.backbone_lr_scale == frozen.train.backbone_lr_scale


# --- from the weights of an earlier run --------------------------------------------------------

TINY = {"backbone": "test_byobnet", "pretrained": False, "size": 64, "width": 16, "hidden": [8]}


def recipe_of(vectorizer, box_head, losses, **model):
    parts = {"vectorizer": vectorizer, "box_head": box_head}
    settings = {"model": {**TINY, **parts, **model}, "loss": {"box": losses}}
    return check_recipe(settings, place="earlier")


DIRECT = {"l1": 5.0, "giou": 2.0}
EARLIER = {
    "flatten": recipe_of("flatten", "direct", DIRECT, size=96),
    "gap": recipe_of("gap", "direct", DIRECT, layout="cxcywh"),
    "hull": recipe_of("pyramid", "hull", {"giou": 1.0}, keypoints=True),
    "anchors": recipe_of("pyramid", "anchors", {"anchors": 1.0}, anchors={"aspects": [1.0]}),
}


def weights_of(name, folder):
    """The weights that a run of one of the earlier recipes leaves, without training."""
    torch.manual_seed(7)
    network = Network(EARLIER[name], classes=2, keypoints=3)
    file = folder / "weights.safetensors"
    text = json.dumps(EARLIER[name].model_dump(mode="json", exclude_none=True))
    save_weights(network.state_dict(), file, {RECIPE_KEY: text})
    return file, network


LATER = {
    "flatten": recipe_of("pyramid", "marginal", DIRECT),
    "gap": recipe_of("pyramid", "marginal", DIRECT),
    "hull": recipe_of("pyramid", "direct", DIRECT, keypoints=True),
    "anchors": recipe_of("gap", "direct", {"anchors": 0.0, "l1": 1.0}),
}


@pytest.mark.parametrize("name", EARLIER)
def test_a_recipe_of_another_architecture_trains_the_whole_network_of_the_weights(name, tmp_path):
    file, earlier = weights_of(name, tmp_path)
    start = find_start(LATER[name], file)
    assert check_recipe(start.recipe.model_dump(), place="valid") == start.recipe
    network = start.network(2, 3)
    ours, theirs = network.state_dict(), earlier.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)
    size = start.recipe.model.size
    outputs = network.train()(torch.rand(2, 3, size, size))
    outputs.box.boxes.sum().backward()


def test_weights_with_a_flattened_vector_fix_the_size_of_the_images_and_others_do_not(tmp_path):
    flat, _ = weights_of("flatten", tmp_path)
    assert find_start(LATER["flatten"], flat).recipe.model.size == 96
    pooled, _ = weights_of("gap", tmp_path)
    assert find_start(LATER["gap"].changed({"model.size": 128}), pooled).recipe.model.size == 128


UNFIT = {
    "flatten": "starts with smaller ones; set it to 1",
    "gap": "loss.box.distribution needs box_head 'marginal' or 'heatmap', got 'direct'",
    "hull": "set model.keypoints = true",
    "anchors": "loss.box.distribution needs box_head 'marginal' or 'heatmap', got 'anchors'",
}


@pytest.mark.parametrize("name", EARLIER)
def test_weights_that_the_default_recipe_cannot_train_are_refused_with_the_repair(name, tmp_path):
    file, _ = weights_of(name, tmp_path)
    with pytest.raises(SettingError) as caught:
        find_start(read_recipe("default"), file)
    message = str(caught.value)
    model = EARLIER[name].model
    expected = f"{file}: holds a network with vectorizer '{model.vectorizer}' and box_head"
    assert message.startswith(f"{expected} '{model.box_head}'")
    assert UNFIT[name] in message
    assert message.endswith("--recipe RECIPE.")
    (tmp_path / "recipe.toml").touch()
    with pytest.raises(SettingError) as caught:
        find_start(read_recipe("default"), file)
    assert str(caught.value).endswith(f"--recipe {tmp_path / 'recipe.toml'}.")


@pytest.mark.parametrize("name", EARLIER)
def test_the_recipe_of_the_weights_own_run_trains_them(name, tmp_path):
    file, _ = weights_of(name, tmp_path)
    assert find_start(EARLIER[name], file).recipe == EARLIER[name]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "Expecting property name"),
        ("[1]", "'list' object is not a mapping"),
        ('{"model": {"looks": 2}}', "([model] has no setting 'looks'"),
        ('{"train": {"epochs": 0}, "looks": 2}', "(train.epochs: "),
    ],
)
def test_a_weights_file_with_an_unreadable_recipe_is_refused_by_name(text, problem, tmp_path):
    file = tmp_path / "weights.safetensors"
    save_weights({"bias": torch.zeros(1)}, file, {RECIPE_KEY: text})
    with pytest.raises(SettingError) as caught:
        find_start(read_recipe("default"), file)
    assert str(caught.value).startswith(f"{file}: the recipe in its metadata is damaged or of")
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)
