"""Where a network starts from, and what follows for its training."""

import pytest
import timm
from safetensors.torch import save_file

from onebox.learning.network_runs.initial_weights import find_start


@pytest.fixture
def frozen(tiny_recipe):
    train = tiny_recipe.train.model_copy(update={"frozen_stages": 2})
    return tiny_recipe.model_copy(update={"train": train})


def test_from_no_weights_no_stage_is_frozen(frozen):
    start = find_start(frozen, None)
    assert start.name == "none"
    assert start.recipe.train.frozen_stages == 0


@pytest.mark.parametrize(("given", "share"), [(None, 0.0), (0.25, 0.25)])
def test_from_no_weights_the_backbone_does_not_rest_unless_told(tiny_recipe, given, share):
    train = tiny_recipe.train.model_copy(update={"freeze_backbone_fraction": given})
    start = find_start(tiny_recipe.model_copy(update={"train": train}), None)
    assert start.recipe.train.freeze_backbone_fraction == share


@pytest.mark.parametrize(("given", "rate"), [(None, 1.0), (0.25, 0.25)])
def test_from_no_weights_the_backbone_learns_as_fast_as_the_heads_unless_told(
    tiny_recipe, given, rate
):
    train = tiny_recipe.train.model_copy(update={"backbone_lr_scale": given})
    start = find_start(tiny_recipe.model_copy(update={"train": train}), None)
    assert start.recipe.train.backbone_lr_scale == rate


def test_from_weights_the_stages_of_the_recipe_are_frozen(frozen, tmp_path):
    weights = tmp_path / "weights.safetensors"
    save_file(timm.create_model("test_byobnet", num_classes=0).state_dict(), weights)
    start = find_start(frozen, weights)
    assert start.name == "weights.safetensors"
    assert start.recipe.train.frozen_stages == 2
    assert start.recipe.train.backbone_lr_scale == frozen.train.backbone_lr_scale
