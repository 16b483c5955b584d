"""How many steps, how often they are looked at, and the size of images: by hand."""

import pytest

from onebox.learning.fitting.schedules import (
    kept_views,
    passes_between,
    planned_epochs,
    sensible_passes,
    size_at,
)


def with_train(recipe, **changes):
    train = recipe.train.model_copy(update={"validate_every": None, **changes})
    return recipe.model_copy(update={"train": train})


@pytest.mark.parametrize(
    ("images", "epochs"),
    [
        (2000, 30),  # 63 steps an epoch: thirty passes lie between the fewest and the most
        (33, 150),  # 2 steps an epoch, 300 steps at least
        (1, 300),
        (64_000, 10),  # 2000 steps an epoch, 20 000 at most
        (10_000_000, 1),
    ],
)
def test_epochs_are_planned_from_the_number_of_images(tiny_recipe, images, epochs):
    assert planned_epochs(images, with_train(tiny_recipe, epochs=None, batch_size=32)) == epochs


def test_the_recipes_own_epochs_count(tiny_recipe):
    assert planned_epochs(2000, with_train(tiny_recipe, epochs=3)) == 3


def test_images_grow_from_their_first_size_to_the_whole_in_steps_of_32(tiny_recipe):
    model = tiny_recipe.model.model_copy(update={"size": 224})
    recipe = with_train(tiny_recipe.model_copy(update={"model": model}), initial_scale=0.5)
    # until half of the steps 112, rounded up; at 0.65 half way to 224, 168, rounded up
    sizes = [size_at(done, recipe) for done in (0.0, 0.5, 0.65, 0.8, 1.0)]
    assert sizes == [128, 128, 192, 224, 224]
    whole = with_train(recipe, initial_scale=1.0)
    assert {size_at(done / 10, whole) for done in range(11)} == {224}


@pytest.mark.parametrize(
    ("images", "passes"),
    # steps of 32 images: 1, 2, 5, 7, 20, 21
    [(30, 20), (60, 10), (129, 4), (207, 3), (640, 1), (641, 1)],
)
def test_a_validation_ends_every_twenty_steps_or_each_pass(tiny_recipe, images, passes):
    assert sensible_passes(images, with_train(tiny_recipe, batch_size=32)) == passes


def test_validations_end_with_the_last_epoch(tiny_recipe):
    recipe = with_train(tiny_recipe, batch_size=32)
    # 4 passes of 129 images are wanted: the most up to 4 that divide the epochs
    passes = [passes_between(epochs, 129, recipe) for epochs in (60, 62, 63, 61, 3, 1)]
    assert passes == [4, 2, 3, 1, 3, 1]


@pytest.mark.parametrize("changes", [{"patience": 2}, {"save_every_epoch": True}])
def test_who_asks_for_each_epoch_gets_each(tiny_recipe, changes):
    recipe = with_train(tiny_recipe, batch_size=32, validate_every=7, **changes)
    assert sensible_passes(30, recipe) == 1


def test_the_recipes_own_validations_count(tiny_recipe):
    assert sensible_passes(30, with_train(tiny_recipe, batch_size=32, validate_every=7)) == 7


@pytest.mark.parametrize(
    ("images", "steps", "views"),
    [
        (27, 300, 20),  # 90 passes at rest, of a step each
        (60, 300, 20),  # 45 passes, and 1200 looks: the most that are kept
        (61, 300, 0),
        (27, 70, 20),  # 21 passes
        (27, 66, 0),  # 20 passes: each has a view of its own
    ],
)
def test_views_are_kept_where_passes_share_them_and_they_are_few(tiny_recipe, images, steps, views):
    recipe = with_train(
        tiny_recipe, batch_size=32, freeze_backbone_fraction=0.3, feature_cache_views=20
    )
    assert kept_views(steps, images, recipe) == views


@pytest.mark.parametrize(
    "changes",
    [
        {"freeze_backbone_fraction": None},
        {"freeze_backbone_fraction": 0.0},
        {"feature_cache_views": 0},
    ],
)
def test_no_views_are_kept_where_nothing_rests_or_none_are_asked_for(tiny_recipe, changes):
    settings = {
        "batch_size": 32,
        "freeze_backbone_fraction": 0.3,
        "feature_cache_views": 20,
        **changes,
    }
    assert kept_views(300, 27, with_train(tiny_recipe, **settings)) == 0
