"""Parameter groups: stages of the backbone, rates and weight decays, worked by hand."""

import pytest
import torch
from torch import nn

from onebox.learning.fitting.param_groups import parameter_groups, stages_of
from onebox.learning.networks.backbones import Backbone
from onebox.learning.networks.network import Network
from onebox.recipes.sections import ModelSettings, TrainSettings

pytestmark = pytest.mark.train


def counts(stages):
    return [len(parameters) for parameters in stages]


# --- stages ------------------------------------------------------------------------------------


def layer(inputs, outputs):
    return nn.Sequential(nn.Linear(inputs, outputs, bias=False), nn.LayerNorm(outputs))


def test_stages_are_the_children_in_their_order():
    # 8, 12 and 12 parameters and the norms' own: none has nine tenths
    backbone = nn.Sequential(layer(2, 4), layer(4, 3), nn.ReLU(), layer(3, 4))
    assert stages_of(backbone) == [list(backbone[at].parameters()) for at in (0, 1, 3)]


def test_a_child_with_nearly_all_parameters_is_a_container():
    blocks = nn.Sequential(layer(20, 20), layer(20, 30), layer(30, 20))
    backbone = nn.ModuleDict({"stem": nn.Linear(2, 20, bias=False), "blocks": blocks})
    # the stem has 40 of 1780 parameters
    whole = nn.ModuleDict({"inner": backbone})
    for module in (backbone, whole):
        stem, *rest_of_all = stages_of(module)
        assert stem == [backbone["stem"].weight]
        assert rest_of_all == [list(block.parameters()) for block in blocks]


def test_a_normalization_layer_belongs_to_the_layer_before_it():
    backbone = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4), nn.Linear(4, 4), nn.LayerNorm(4))
    assert counts(stages_of(backbone)) == [4, 4]


def test_a_parameter_of_the_network_itself_belongs_to_its_first_stage():
    backbone = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    backbone.token = nn.Parameter(torch.zeros(1, 4))
    first, second = stages_of(backbone)
    assert first == [backbone.token, *backbone[0].parameters()]
    assert second == list(backbone[1].parameters())


@pytest.mark.parametrize(
    ("name", "stages"),
    [
        ("resnet18", 5),  # stem, layer1 to layer4
        ("mobilenetv2_100", 8),  # stem, seven of blocks
        ("test_byobnet", 5),  # stem, four stages
        ("alexnet", 5),  # its convolutions
    ],
)
def test_stages_of_known_networks_hold_every_parameter_once_and_in_order(name, stages):
    backbone = Backbone(ModelSettings(backbone=name), None)
    found = stages_of(backbone)
    assert len(found) == stages
    flat = [id(parameter) for parameters in found for parameter in parameters]
    assert flat == [id(parameter) for parameter in backbone.parameters()]


# --- groups ------------------------------------------------------------------------------------


def test_the_rate_falls_by_the_factor_from_each_stage_to_the_one_before_it():
    backbone = nn.Sequential(layer(2, 4), layer(4, 3), layer(3, 4))
    head = nn.Linear(4, 1)
    settings = TrainSettings(
        learning_rate=0.08, backbone_lr_scale=0.5, layer_decay=0.5, weight_decay=0.1
    )
    groups = parameter_groups(nn.ModuleList([backbone, head]), backbone, settings)
    rates = {id(one): group["lr"] for group in groups for one in group["params"]}
    decays = {id(one): group["weight_decay"] for group in groups for one in group["params"]}
    for module, rate in (
        (head, 0.08),
        (backbone[2], 0.04),
        (backbone[1], 0.02),
        (backbone[0], 0.01),
    ):
        for parameter in module.parameters():
            assert rates[id(parameter)] == pytest.approx(rate)
            assert decays[id(parameter)] == (0.1 if parameter.ndim > 1 else 0.0)


def test_without_a_factor_the_backbone_has_one_rate_and_four_groups_do(tiny_recipe):
    network = Network(tiny_recipe, classes=1)
    groups = parameter_groups(network, network.backbone, tiny_recipe.train)
    assert [group["weight_decay"] for group in groups] == [0.0, 0.05, 0.0, 0.05]
    backbone = [id(one) for group in groups[2:] for one in group["params"]]
    assert sorted(backbone) == sorted(id(one) for one in network.backbone.parameters())


def test_each_group_of_a_decayed_network_has_its_rate(tiny_recipe):
    recipe = tiny_recipe.changed({"train.layer_decay": 0.5})
    network = Network(recipe, classes=1)
    groups = parameter_groups(network, network.backbone, recipe.train)
    # 8e-3 for the heads and the last of five stages, then halves; matrices and vectors apart
    stages = [8e-3 / 2**above for above in (4, 3, 2, 1, 0)]
    assert [group["lr"] for group in groups[::2]] == pytest.approx([8e-3, *stages])
    assert [group["lr"] for group in groups[1::2]] == pytest.approx([8e-3, *stages])
