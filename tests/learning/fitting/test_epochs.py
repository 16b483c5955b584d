"""The number of epochs, and how often they are validated: by hand."""

import pytest

from onebox.learning.fitting.epochs import count_epochs, epochs_per_validation


@pytest.fixture(scope="module")
def recipe(tiny_recipe):
    return tiny_recipe.changed({"train.validate_every": None})


@pytest.mark.parametrize(
    ("images", "epochs"),
    [
        (2000, 30),  # 63 steps an epoch: thirty epochs lie between the fewest and the most steps
        (33, 150),  # 2 steps an epoch, 300 steps at least
        (1, 300),
        (64_000, 10),  # 2000 steps an epoch, 20 000 at most
        (10_000_000, 1),
    ],
)
def test_the_default_number_of_epochs_follows_the_number_of_images(recipe, images, epochs):
    assert (
        count_epochs(images, recipe.changed({"train.epochs": None, "train.batch_size": 32}))
        == epochs
    )


def test_a_time_budget_allows_three_times_the_default_and_no_more_than_the_recipes_own(recipe):
    assert (
        count_epochs(
            2000, recipe.changed({"train.epochs": None, "train.batch_size": 32, "train.minutes": 1})
        )
        == 90
    )
    assert count_epochs(2000, recipe.changed({"train.epochs": 3, "train.minutes": 1})) == 3


def test_the_recipes_own_epochs_count(recipe):
    assert count_epochs(2000, recipe.changed({"train.epochs": 3})) == 3


@pytest.mark.parametrize(
    ("images", "epochs"),
    # steps of 32 images: 1, 2, 5, 7, 20, 21
    [(30, 20), (60, 10), (129, 4), (207, 3), (640, 1), (641, 1)],
)
def test_a_validation_follows_every_twenty_steps_or_every_epoch(recipe, images, epochs):
    assert epochs_per_validation(840, images, recipe.changed({"train.batch_size": 32})) == epochs


def test_validations_end_with_the_last_epoch(recipe):
    recipe = recipe.changed({"train.batch_size": 32})
    # 4 epochs of 129 images are wanted: the most up to 4 that divide the epochs
    counts = [epochs_per_validation(epochs, 129, recipe) for epochs in (60, 62, 63, 61, 3, 1)]
    assert counts == [4, 2, 3, 1, 3, 1]


@pytest.mark.parametrize("changes", [{"train.patience": 2}, {"train.save_every_epoch": True}])
def test_every_epoch_is_validated_if_each_is_saved_or_counted(recipe, changes):
    recipe = recipe.changed({"train.batch_size": 32, "train.validate_every": 7, **changes})
    assert epochs_per_validation(840, 30, recipe) == 1


def test_the_recipes_own_validations_count(recipe):
    assert (
        epochs_per_validation(
            840, 30, recipe.changed({"train.batch_size": 32, "train.validate_every": 7})
        )
        == 7
    )
