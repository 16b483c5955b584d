"""Freezing: weights, gradients and batch statistics."""

import pytest
import torch
from torch import nn

from onebox.learning.fitting.freezing import freeze

pytestmark = pytest.mark.train


def test_a_frozen_backbone_has_no_gradients_and_keeps_its_batch_statistics():
    backbone = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
    freeze(backbone, is_whole=True)
    before = {name: tensor.clone() for name, tensor in backbone.state_dict().items()}
    assert not backbone(torch.randn(5, 3)).requires_grad
    assert all(torch.equal(before[name], one) for name, one in backbone.state_dict().items())
    freeze(backbone, is_whole=False)
    backbone(torch.randn(5, 3)).sum().backward()
    assert all(parameter.grad is not None for parameter in backbone.parameters())
    assert not torch.equal(before["1.running_mean"], backbone[1].running_mean)


def test_frozen_stages_keep_weights_and_batch_statistics_and_the_others_learn():
    stages = [nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)) for _ in range(3)]
    backbone = nn.Sequential(*stages)
    freeze(backbone, is_whole=False, stages=2)
    before = {name: tensor.clone() for name, tensor in backbone.state_dict().items()}
    backbone(torch.randn(5, 3)).square().sum().backward()
    for number, stage in enumerate(stages):
        is_frozen = number < 2
        assert all((one.grad is None) is is_frozen for one in stage.parameters())
        mean = stage[1].running_mean
        assert torch.equal(mean, before[f"{number}.1.running_mean"]) is is_frozen
    freeze(backbone, is_whole=True, stages=2)
    assert not any(parameter.requires_grad for parameter in backbone.parameters())
    freeze(backbone, is_whole=False)
    assert all(parameter.requires_grad for parameter in backbone.parameters())
