"""Changing single settings of nested tables by their dotted names."""

import pytest

from onebox.errors import SettingError
from onebox.recipes.changing import change
from onebox.recipes.recipe import Recipe


def changed(settings, name, value):
    change(settings, name, value, Recipe)
    return settings


def test_a_section_that_is_left_out_is_added_with_the_one_setting():
    assert changed({}, "train.epochs", 4) == {"train": {"epochs": 4}}
    assert changed({}, "model.anchors.clusters", 6) == {"model": {"anchors": {"clusters": 6}}}
    assert changed({}, "source", "Mine.") == {"source": "Mine."}


def test_the_other_settings_stay():
    settings = {"train": {"epochs": 3, "seed": 1}, "model": {"size": 96}}
    expected = {"train": {"epochs": 4, "seed": 1}, "model": {"size": 96}}
    assert changed(settings, "train.epochs", 4) == expected


def test_a_table_of_weights_that_is_left_out_starts_from_the_default():
    expected = {"loss": {"box": {"l1": 5.0, "giou": 0.0, "distribution": 0.5}}}
    assert changed({}, "loss.box.giou", 0.0) == expected
    assert Recipe().loss.box["giou"] == 2.0  # the default itself is untouched


def test_a_table_of_weights_that_is_given_keeps_its_own_entries():
    assert changed({"loss": {"box": {"l1": 1}}}, "loss.box.giou", 2) == {
        "loss": {"box": {"l1": 1, "giou": 2}}
    }


def test_names_that_no_recipe_has_are_set_for_the_check_to_refuse():
    assert changed({}, "trian.deep.epochs", 4) == {"trian": {"deep": {"epochs": 4}}}


@pytest.mark.parametrize("settings", [{}, {"model": {"size": 96}}])
def test_a_setting_below_a_value_is_refused(settings):
    with pytest.raises(SettingError, match=r"model\.size\.width: size is a value, not a section\."):
        changed(settings, "model.size.width", 3)
