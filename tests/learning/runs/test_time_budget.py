"""A time budget is planned by what a step costs: arithmetic by hand, with a cost that is given."""

import pytest
import torch

import onebox
from onebox.errors import SettingError
from onebox.learning.networks.network import Network
from onebox.learning.runs.run import time_budget
from onebox.learning.runs.time_budget import Work, plan
from onebox.recipes.recipe import check_recipe


@pytest.fixture(scope="module")
def network(tiny_recipe):
    torch.manual_seed(0)
    return Network(tiny_recipe, classes=1)


def recipe_of(**train):
    model = {"backbone": "test_byobnet", "pretrained": False, "size": 128, "width": 32}
    return check_recipe({"model": model, "train": {"batch_size": 10, **train}}, place="test")


@pytest.fixture
def costs(monkeypatch):
    """Give a step a cost: a second for 128 x 128 pixels."""

    def cost(recipe, network):
        return lambda side: side**2 / 128**2

    monkeypatch.setattr(time_budget, "_cost_of_step", cost)


def test_epochs_fill_the_time(network, costs):
    # 0.9 * 16 min = 864 s, less 20 s around and 100 images at 15 ms: 842.5 s.
    # An epoch: 10 steps of 1.1 s, and every other one 3 batches of a third of a second: 11.5 s, so
    # that 73 fit, and the validations end with the 72nd.
    planned, _ = plan(recipe_of(minutes=16), network, Work(train=100, val=30, measured=100))
    assert planned.train.epochs == 72
    assert planned.model.size == 128


def test_where_steps_would_be_few_the_size_gives_way(network, costs):
    # 0.9 * 4 min = 216 s, less 20 s: 196 s are 178 steps at 128 px, and 316 at 96 px, of
    # which 300 end with a validation.
    planned, _ = plan(recipe_of(minutes=4), network, Work(train=100, val=0, measured=0))
    assert planned.model.size == 96
    assert planned.train.epochs == 30  # of 10 * 1.1 * 0.5625 s


def test_images_that_start_small_cost_less(network, costs):
    work = Work(train=100, val=0, measured=0)
    whole = plan(recipe_of(minutes=8), network, work)[0].train.epochs
    grown = plan(recipe_of(minutes=8, initial_scale=0.5), network, work)[0].train.epochs
    assert whole < grown < 4 * whole


def test_steps_in_which_the_backbone_rests_cost_less(network, costs):
    # 0.9 * 13 min = 702 s, less 21.5 s: 680.5 s. Half of the 10 steps of 1.1 s cost 0.3 of it,
    # and half a validation half a second: 7.65 s an epoch, and 88 fit.
    work = Work(train=100, val=30, measured=100)
    recipe = recipe_of(minutes=13, freeze_backbone_fraction=0.5, feature_cache_views=0)
    assert plan(recipe, network, work)[0].train.epochs == 88


@pytest.mark.parametrize(("views", "epochs"), [(4, 82), (12, 78), (13, 74)])
def test_views_that_are_kept_cost_a_look_each_and_their_steps_little(network, costs, views, epochs):
    # 0.9 * 11 min = 594 s, less 21.5 s: 572.5 s. Half of the 10 steps of 1.1 s cost 0.15 of it, and
    # half a validation half a second: 6.825 s an epoch. A look takes 10 times 0.3 s. After four,
    # 82.1 epochs fit, after twelve 78.6. Thirteen of 100 images are too many to keep: at 0.3 a
    # step, an epoch takes 7.65 s, and 74.8 fit.
    work = Work(train=100, val=30, measured=100)
    recipe = recipe_of(minutes=11, freeze_backbone_fraction=0.5, feature_cache_views=views)
    assert plan(recipe, network, work)[0].train.epochs == epochs


def test_the_epochs_of_the_recipe_are_the_most(network, costs):
    work = Work(train=100, val=0, measured=0)
    assert plan(recipe_of(minutes=600, epochs=7), network, work)[0].train.epochs == 7
    # 30 steps an epoch for 10 images each, of which a plan without a budget makes 300 steps.
    assert plan(recipe_of(minutes=600), network, work)[0].train.epochs == 3 * 30


def test_the_deadline_is_what_was_asked_for_and_the_costs_those_of_the_plan(
    network, costs, monkeypatch
):
    monkeypatch.setattr(time_budget.time, "monotonic", lambda: 1000.0)
    recipe = recipe_of(minutes=16, initial_scale=0.5)
    _, deadline = plan(recipe, network, Work(train=100, val=30, measured=100))
    assert deadline.ends_at == 1000 + 16 * 60 - 8  # of which 8 s were spent before
    assert deadline.after_s == pytest.approx(12 + 1.5)
    # A step at half the side costs a quarter of a second, and a tenth beside; a batch of validation
    # a third of the whole side's.
    assert deadline.step_s(0.0) == pytest.approx(1.1 / 4)
    assert deadline.step_s(1.0) == pytest.approx(1.1)
    assert deadline.validation_s == pytest.approx(1.0)


@pytest.mark.parametrize(("views", "share"), [(12, 0.15), (13, 0.3)])
def test_the_deadline_knows_whether_views_are_kept(network, costs, views, share):
    recipe = recipe_of(minutes=11, freeze_backbone_fraction=0.5, feature_cache_views=views)
    _, deadline = plan(recipe, network, Work(train=100, val=30, measured=100))
    assert deadline.step_s(0.49) == pytest.approx(1.1 * share)
    assert deadline.step_s(0.5) == pytest.approx(1.1)


def test_without_minutes_nothing_is_planned(network):
    recipe = recipe_of()
    planned, deadline = plan(recipe, network, Work(train=100, val=0, measured=0))
    assert planned is recipe
    assert deadline is None


def test_too_little_time_says_how_much_it_takes(network, costs):
    with pytest.raises(SettingError, match=r"one epoch over 100000 images at 64 px .* 52 minutes"):
        plan(recipe_of(minutes=1), network, Work(train=100_000, val=0, measured=0))


def test_timing_leaves_the_weights_as_they_are(network):
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    seconds = time_budget._time_step(recipe_of(), network, 64)
    assert seconds > 0
    after = network.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_run_follows_its_plan(discs, tiny_recipe, monkeypatch, tmp_path):
    def planned(recipe, network, work):
        assert work == Work(
            train=len(discs.part("train")),
            val=len(discs.part("val")),
            measured=4 * len(discs.part("val")) + len(discs.part("test")),
        )
        train = recipe.train.model_copy(update={"epochs": 1})
        return recipe.model_copy(update={"train": train}), None

    monkeypatch.setattr(time_budget, "plan", planned)
    assert onebox.train(discs, tiny_recipe, out=tmp_path / "run").epochs == 1


@pytest.mark.parametrize(
    ("times", "least", "taken"),
    [
        ([1.0, 1.05], 1.0, 2),  # a quiet machine
        ([2.0, 0.4, 1.0, 0.42], 0.4, 4),  # a busy moment, and then two alike
        ([0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.052], 0.05, 10),
        ([3.0, 1.5, 1.0], 1.0, 3),  # no two alike: over five seconds, nothing more is timed
    ],
)
def test_steps_are_timed_until_the_two_fastest_agree(times, least, taken):
    given = iter([*times, *[0.001] * 9])
    heard = []

    def step():
        heard.append(next(given))
        return heard[-1]

    assert time_budget._undisturbed(step) == least
    assert len(heard) == taken
