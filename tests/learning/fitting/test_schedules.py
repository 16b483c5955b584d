"""Schedules of learning rates and image size, worked by hand."""

import pytest
import torch
from torch import nn

from onebox.learning.fitting.param_groups import parameter_groups
from onebox.learning.fitting.schedules import (
    exponential,
    frozen_steps,
    image_size_at,
    learning_rate_factors,
    one_cycle,
)
from onebox.learning.fitting.training_progress import TrainingProgress
from onebox.recipes.sections import TrainSettings

pytestmark = pytest.mark.train

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


# --- with a frozen backbone --------------------------------------------------------------------


def scheduled(settings, total):
    """Factors of the rate, step by step: of the head, then of the backbone."""
    head, backbone = nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False)
    groups = parameter_groups(nn.ModuleList([backbone, head]), backbone, settings)
    optimizer = torch.optim.AdamW(groups)
    return [
        [rate(step) for step in range(total)]
        for rate in learning_rate_factors(optimizer, backbone, settings, TrainingProgress(total))
    ]


def test_the_backbones_schedule_begins_after_the_frozen_steps_and_ends_with_the_heads():
    settings = TrainSettings(freeze_backbone_fraction=0.4, warmup_fraction=0.5)
    of_head, of_backbone = scheduled(settings, 10)
    whole, after_frozen = one_cycle(settings, 10), one_cycle(settings, 6)
    assert of_head == [whole(step) for step in range(10)]
    assert of_backbone == [0.0] * 4 + [after_frozen(step) for step in range(6)]
    # three of six steps rise
    assert of_backbone[4:7] == pytest.approx([1 / 3, 2 / 3, 1.0])


def test_an_exponential_schedule_also_begins_after_the_frozen_steps():
    settings = TrainSettings(
        freeze_backbone_fraction=0.5, schedule="exponential", decay_rate=0.5, decay_steps=1
    )
    of_head, of_backbone = scheduled(settings, 4)
    assert of_head == pytest.approx([1, 0.5, 0.25, 0.125])
    assert of_backbone == pytest.approx([0, 0, 1, 0.5])


def test_without_frozen_steps_all_groups_follow_one_schedule():
    of_head, of_backbone = scheduled(TrainSettings(), 20)
    assert of_backbone == of_head == [one_cycle(TrainSettings(), 20)(step) for step in range(20)]


def test_a_time_budget_moves_every_schedule_by_the_time_used():
    settings = TrainSettings(freeze_backbone_fraction=0.4)
    head, backbone = nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False)
    groups = parameter_groups(nn.ModuleList([backbone, head]), backbone, settings)
    progress = TrainingProgress(20, budget_s=10.0)
    factors = learning_rate_factors(torch.optim.AdamW(groups), backbone, settings, progress)
    whole = [[factor(step) for step in range(21)] for factor in factors]
    progress.used_s = 6.0  # 12 of 20 steps, whatever fewer were taken
    assert [factor(3) for factor in factors] == [each[12] for each in whole]
    assert [factor(15) for factor in factors] == [each[15] for each in whole]
    progress.used_s = 99.0
    assert [factor(3) for factor in factors] == [each[20] for each in whole]


@pytest.mark.parametrize(("fraction", "steps"), [(0.0, 0), (0.3, 3), (0.26, 3), (0.99, 10)])
def test_the_frozen_steps_are_a_fraction_of_all_rounded_to_the_nearest(fraction, steps):
    assert frozen_steps(TrainSettings(freeze_backbone_fraction=fraction), 10) == steps


# --- image size -----------------------------------------------------------------------------


def test_images_grow_from_their_first_size_to_the_whole_in_steps_of_32(tiny_recipe):
    recipe = tiny_recipe.changed({"model.size": 224, "train.initial_scale": 0.5})
    # until half of the steps 112, rounded up; at 0.65 half way to 224, 168, rounded up
    sizes = [image_size_at(done, recipe) for done in (0.0, 0.5, 0.65, 0.8, 1.0)]
    assert sizes == [128, 128, 192, 224, 224]
    whole = recipe.changed({"train.initial_scale": 1.0})
    assert {image_size_at(done / 10, whole) for done in range(11)} == {224}
