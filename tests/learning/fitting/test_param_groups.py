"""Rates of every part and step, worked by hand."""

import pytest
import torch
from torch import nn

from onebox.learning.fitting.deadline import Pace
from onebox.learning.fitting.param_groups import (
    exponential,
    one_cycle,
    parameter_groups,
    rates_of_groups,
    rest,
    stages_of,
)
from onebox.learning.fitting.schedules import resting_steps
from onebox.learning.networks.backbones import Backbone
from onebox.learning.networks.network import Network
from onebox.recipes.sections import ModelSettings, TrainSettings


def counts(stages):
    return [len(parameters) for parameters in stages]


# --- schedules ---------------------------------------------------------------------------------


def test_the_rate_rises_evenly_then_falls_as_half_a_cosine_to_a_hundredth():
    # two sevenths of 14 steps are 4
    rate = one_cycle(TrainSettings(warmup_fraction=2 / 7), 14)
    assert [rate(step) for step in range(5)] == pytest.approx([0.25, 0.5, 0.75, 1.0, 1.0])
    # half way down from step 4 to 14 the cosine is 0
    assert rate(9) == pytest.approx(0.01 + 0.99 / 2)
    assert rate(14) == pytest.approx(0.01)
    assert rate(20) == pytest.approx(0.01)


def test_the_exponential_rate_is_four_fifths_every_3600_steps_a_little_at_each():
    rate = exponential(TrainSettings(decay_rate=0.8, decay_steps=3600), 99)
    assert [rate(step) for step in (0, 1800, 3600, 7200)] == pytest.approx(
        [1.0, 0.8**0.5, 0.8, 0.64]
    )


# --- stages ------------------------------------------------------------------------------------


def layer(inputs, outputs):
    return nn.Sequential(nn.Linear(inputs, outputs, bias=False), nn.LayerNorm(outputs))


def test_stages_are_the_children_in_their_order():
    # 8, 12 and 12 parameters and the norms' own: none has nine tenths
    backbone = nn.Sequential(layer(2, 4), layer(4, 3), nn.ReLU(), layer(3, 4))
    assert stages_of(backbone) == [list(backbone[at].parameters()) for at in (0, 1, 3)]


def test_a_child_with_nearly_all_parameters_is_taken_apart():
    blocks = nn.Sequential(layer(20, 20), layer(20, 30), layer(30, 20))
    backbone = nn.ModuleDict({"stem": nn.Linear(2, 20, bias=False), "blocks": blocks})
    # the stem has 40 of 1780 parameters
    whole = nn.ModuleDict({"inner": backbone})
    for module in (backbone, whole):
        stem, *rest_of_all = stages_of(module)
        assert stem == [backbone["stem"].weight]
        assert rest_of_all == [list(block.parameters()) for block in blocks]


def test_a_normalisation_belongs_to_what_stands_before_it():
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
    groups = parameter_groups(list(head.parameters()), backbone, settings)
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
    groups = parameter_groups(network.head_parameters(), network.backbone, tiny_recipe.train)
    assert [group["weight_decay"] for group in groups] == [0.0, 0.05, 0.0, 0.05]
    backbone = [id(one) for group in groups[2:] for one in group["params"]]
    assert sorted(backbone) == sorted(id(one) for one in network.backbone.parameters())


def test_each_group_of_a_decayed_network_has_its_rate(tiny_recipe):
    train = tiny_recipe.train.model_copy(update={"layer_decay": 0.5})
    recipe = tiny_recipe.model_copy(update={"train": train})
    network = Network(recipe, classes=1)
    groups = parameter_groups(network.head_parameters(), network.backbone, recipe.train)
    # 8e-3 for the heads and the last of five stages, then halves; matrices and vectors apart
    stages = [8e-3 / 2**above for above in (4, 3, 2, 1, 0)]
    assert [group["lr"] for group in groups[::2]] == pytest.approx([8e-3, *stages])
    assert [group["lr"] for group in groups[1::2]] == pytest.approx([8e-3, *stages])


# --- rest --------------------------------------------------------------------------------------


def scheduled(settings, total):
    """Shares of the rate, step by step: of the head, then of the backbone."""
    head, backbone = nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False)
    groups = parameter_groups(list(head.parameters()), backbone, settings)
    optimizer = torch.optim.AdamW(groups)
    return [
        [rate(step) for step in range(total)]
        for rate in rates_of_groups(optimizer, backbone, settings, Pace(1, total))
    ]


def test_the_backbones_schedule_begins_when_its_rest_ends_and_ends_with_the_heads():
    settings = TrainSettings(freeze_backbone_fraction=0.4, warmup_fraction=0.5)
    of_head, of_backbone = scheduled(settings, 10)
    whole, rest_of_it = one_cycle(settings, 10), one_cycle(settings, 6)
    assert of_head == [whole(step) for step in range(10)]
    assert of_backbone == [0.0] * 4 + [rest_of_it(step) for step in range(6)]
    # three of six steps rise
    assert of_backbone[4:7] == pytest.approx([1 / 3, 2 / 3, 1.0])


def test_an_exponential_schedule_also_begins_after_the_rest():
    settings = TrainSettings(
        freeze_backbone_fraction=0.5, schedule="exponential", decay=0.5, decay_steps=1
    )
    of_head, of_backbone = scheduled(settings, 4)
    assert of_head == pytest.approx([1, 0.5, 0.25, 0.125])
    assert of_backbone == pytest.approx([0, 0, 1, 0.5])


def test_without_rest_all_groups_follow_one_schedule():
    of_head, of_backbone = scheduled(TrainSettings(), 20)
    assert of_backbone == of_head == [one_cycle(TrainSettings(), 20)(step) for step in range(20)]


def test_a_shortened_schedule_skips_evenly_and_ends_where_it_would_have():
    settings = TrainSettings(freeze_backbone_fraction=0.4)
    head, backbone = nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False)
    groups = parameter_groups(list(head.parameters()), backbone, settings)
    pace = Pace(1, 20)
    rates = rates_of_groups(torch.optim.AdamW(groups), backbone, settings, pace)
    whole = [[rate(step) for step in range(21)] for rate in rates]
    pace.end_after(4, 4)
    shortened = [[rate(step) for step in range(9)] for rate in rates]
    assert [each[4:] for each in shortened] == [each[4::4] for each in whole]


@pytest.mark.parametrize(("share", "steps"), [(0.0, 0), (0.3, 3), (0.26, 3), (0.99, 10)])
def test_the_rest_is_a_share_of_the_steps_to_the_nearest(share, steps):
    assert resting_steps(TrainSettings(freeze_backbone_fraction=share), 10) == steps


def test_a_backbone_at_rest_has_no_slopes_and_keeps_its_batch_statistics():
    backbone = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
    rest(backbone, is_resting=True)
    before = {name: tensor.clone() for name, tensor in backbone.state_dict().items()}
    assert not backbone(torch.randn(5, 3)).requires_grad
    assert all(torch.equal(before[name], one) for name, one in backbone.state_dict().items())
    rest(backbone, is_resting=False)
    backbone(torch.randn(5, 3)).sum().backward()
    assert all(parameter.grad is not None for parameter in backbone.parameters())
    assert not torch.equal(before["1.running_mean"], backbone[1].running_mean)


def test_frozen_stages_keep_weights_and_batch_statistics_and_the_others_learn():
    stages = [nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)) for _ in range(3)]
    backbone = nn.Sequential(*stages)
    rest(backbone, is_resting=False, frozen_stages=2)
    before = {name: tensor.clone() for name, tensor in backbone.state_dict().items()}
    backbone(torch.randn(5, 3)).square().sum().backward()
    for number, stage in enumerate(stages):
        is_frozen = number < 2
        assert all((one.grad is None) is is_frozen for one in stage.parameters())
        mean = stage[1].running_mean
        assert torch.equal(mean, before[f"{number}.1.running_mean"]) is is_frozen
    rest(backbone, is_resting=True, frozen_stages=2)
    assert not any(parameter.requires_grad for parameter in backbone.parameters())
    rest(backbone, is_resting=False)
    assert all(parameter.requires_grad for parameter in backbone.parameters())
