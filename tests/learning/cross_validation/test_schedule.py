"""How long each fold trains."""

import pytest

from onebox.learning.cross_validation.schedule import SHARE, fold_recipe
from onebox.learning.fitting.epochs import count_epochs, epochs_per_validation, steps_per_epoch
from onebox.recipes.recipe import check_recipe

pytestmark = pytest.mark.train


def recipe(**train):
    return check_recipe({"train": train}, place="recipe")


@pytest.mark.parametrize(("images", "folds"), [(240, 4), (1600, 4), (1600, 5), (60, 2)])
def test_all_folds_together_take_little_more_than_one_training(images, folds):
    whole = count_epochs(images, recipe()) * steps_per_epoch(images, recipe())
    kept = images - images // folds
    fold = fold_recipe(recipe(), images=images, kept=kept, folds=folds)
    steps = folds * count_epochs(kept, fold) * steps_per_epoch(kept, fold)
    assert steps / whole == pytest.approx(SHARE, abs=0.1)


def test_a_fold_is_validated_once_and_keeps_its_last_weights():
    fold = fold_recipe(recipe(patience=3, save_every_epoch=True), images=300, kept=200, folds=3)
    assert epochs_per_validation(count_epochs(200, fold), 200, fold) == fold.train.epochs
    assert fold.train.checkpoint == "last"
    assert not fold.train.save_every_epoch


def test_epochs_of_the_recipe_count_for_a_training_of_which_folds_have_a_share():
    # 10 epochs of 10 steps, 1.2 times as many in 4 folds: 30 steps each, of 8 an epoch
    assert fold_recipe(recipe(epochs=10), images=320, kept=240, folds=4).train.epochs == 4


def test_a_time_budget_allows_three_times_the_steps():
    alone = fold_recipe(recipe(), images=320, kept=240, folds=4).train.epochs
    timed = fold_recipe(recipe(minutes=3.0), images=320, kept=240, folds=4)
    assert timed.train.epochs == 3 * alone
    assert timed.train.minutes is None


def test_a_fold_trains_for_one_epoch_at_least():
    assert fold_recipe(recipe(epochs=1), images=40, kept=30, folds=4).train.epochs == 1
