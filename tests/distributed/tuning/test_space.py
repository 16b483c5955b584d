"""Search spaces: read, checked as a whole, and expressed as changes of a recipe."""

import tomllib

import numpy as np
import pytest

from onebox.distributed.tuning.augmentation_strength import scaled
from onebox.distributed.tuning.changes import changed, value_of
from onebox.distributed.tuning.dimensions import Choices, Range
from onebox.distributed.tuning.space import (
    as_tables,
    default_space,
    default_text,
    parse_space,
    read_space,
)
from onebox.errors import SettingError
from onebox.recipes.loading import read_recipe
from onebox.recipes.recipe import Recipe


def parse(text):
    return parse_space(tomllib.loads(text), Recipe(), place="space.toml")


def test_a_space_has_ranges_and_choices_by_dotted_names():
    space = parse(
        '"train.learning_rate" = { low = 1e-4, high = 1e-2, log = true }\n'
        '"train.batch_size" = { low = 8, high = 32, step = 8 }\n'
        "[model]\nsize = { choices = [128, 160] }"
    )
    assert space == {
        "train.learning_rate": Range(1e-4, 1e-2, log=True),
        "train.batch_size": Range(8, 32, step=8),
        "model.size": Choices((128, 160)),
    }
    assert parse_space(as_tables(space), Recipe(), place="again") == space


WRONG = {
    '"train.lerning_rate" = { low = 1e-4, high = 1e-2 }': (
        "[train] has no setting 'lerning_rate'. Did you mean learning_rate?"
    ),
    '"train.learning_rate" = { low = 2, high = 1 }': "low must be below high, got 2 and 1",
    '"train.learning_rate" = { low = 1, high = 1 }': "low must be below high, got 1 and 1",
    '"train.learning_rate" = { low = 0, high = 1, log = true }': "low must be above 0 with log",
    '"train.learning_rate" = { low = -1.0, high = 1.0 }': "should be greater than 0, got -1.0",
    '"train.learning_rate" = { low = "a", high = 1 }': "low must be a number, got 'a'",
    '"train.learning_rate" = { low = true, high = 2 }': "low must be a number, got True",
    '"train.learning_rate" = { low = nan, high = 2 }': "low must be a number, got nan",
    '"train.learning_rate" = { low = 1e-4 }': "has no high. Give both",
    '"train.learning_rate" = { low = 1, high = 2, log = 1 }': "log must be true or false, got 1",
    '"train.learning_rate" = { low = 1, high = 2, lgo = true }': "no key 'lgo'",
    '"train.learning_rate" = 0.1': "must be a table, got 0.1",
    '"train.batch_size" = { low = 8, high = 32 }': "takes whole numbers. Add step = 1",
    '"train.batch_size" = { low = 8, high = 32, step = 0 }': "step must be above 0",
    '"train.batch_size" = { low = 8, high = 32, step = 25 }': "at most high - low = 24, got 25",
    '"train.batch_size" = { low = 8, high = 32, step = 8, log = true }': "both log and step",
    '"model.size" = { choices = [] }': "choices must be a list of values, got []",
    '"model.size" = { choices = 128 }': "choices must be a list of values, got 128",
    '"model.size" = { choices = [128] }': "choices has one value",
    '"model.size" = { choices = [128, 128] }': "choices must differ",
    '"model.size" = { choices = [128, 160], low = 1 }': "both choices and low",
    '"model.size" = { choices = [8, 128] }': "model.size: Input should be greater than or equal",
    '"model.box_head" = { choices = ["margnal", "hull"] }': "Did you mean marginal?",
    '"augment.strength" = { low = -1, high = 1 }': "augment.strength must be 0 or more, got -1",
    '"augment.strength" = { choices = ["a", "b"] }': "choices must be numbers, got 'a'",
    '"train.seed" = { choices = [0, 1] }': "cannot be searched: all trials have one seed",
    '"train.epochs" = { choices = [5, 10] }': "cannot be searched: all trials have one schedule",
    '"data.classes" = { choices = [["a"], ["b"]] }': "cannot be searched",
    "": "names no setting to search",
}


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_space_is_refused_with_place_rule_and_value(text):
    with pytest.raises(SettingError) as caught:
        parse(text)
    assert str(caught.value).startswith("space.toml: ")
    assert WRONG[text] in str(caught.value)


def test_every_problem_of_a_space_is_listed():
    with pytest.raises(SettingError) as caught:
        parse('"train.epochs" = 1\n"model.size" = { choices = [] }\n"a.b" = { low = 0, high = 1 }')
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert all(line.startswith("space.toml: ") for line in lines)


def test_a_file_that_is_missing_or_no_toml_is_named(tmp_path):
    file = tmp_path / "space.toml"
    with pytest.raises(SettingError, match="cannot be read"):
        read_space(file, Recipe())
    file.write_text("a = {")
    with pytest.raises(SettingError, match=f"{file}: is not TOML"):
        read_space(file, Recipe())


def test_the_default_space_has_a_reason_for_every_setting():
    lines = default_text().splitlines()
    settings = [number for number, line in enumerate(lines) if line.startswith('"')]
    assert len(settings) == 6
    assert all(lines[number - 1].startswith("# ") for number in settings)


def test_the_default_space_fits_the_default_recipe_and_leaves_out_a_width_that_is_not_read():
    assert "model.width" in default_space(read_recipe("default"))
    assert "model.width" not in default_space(read_recipe("vgg16-sigmoid-bce"))


@pytest.mark.parametrize(
    ("dimension", "position", "value"),
    [
        (Range(1e-4, 1e-2, log=True), 0.5, 1e-3),  # the geometric mean
        (Range(0.0, 2.0), 0.25, 0.5),
        (Range(8, 32, step=8), 0.0, 8),
        (Range(8, 32, step=8), 0.999, 32),
        (Range(8, 30, step=8), 0.999, 24),  # 32 would lie above
        (Range(0.1, 0.3, step=0.1), 0.5, 0.2),
        (Choices(("a", "b", "c")), 0.34, "b"),  # 0.34 * 3 = 1.02
    ],
)
def test_a_position_becomes_a_value(dimension, position, value):
    assert dimension.at(position) == value
    assert type(dimension.at(position)) is type(value)


def test_a_rounded_number_stays_within_its_range():
    assert Range(0.123456, 0.1234567).at(0.5) == 0.1234567  # 0.1235 with four digits
    assert Range(0.123446, 0.123449).at(0.5) == 0.123446  # 0.1234


def test_strength_one_changes_nothing_and_strength_zero_turns_augmentation_off():
    recipe = Recipe()
    assert changed(recipe, {"augment.strength": 1.0}).augment == recipe.augment
    off = changed(recipe, {"augment.strength": 0.0}).augment
    assert (off.min_scale, off.max_scale, off.max_aspect_change) == (1.0, 1.0, 1.0)
    assert (off.brightness, off.contrast, off.saturation, off.grayscale) == (0, 0, 0, 0)
    assert off.flip == recipe.augment.flip


def test_a_strength_scales_each_limit_and_keeps_it_valid():
    strong = scaled(Recipe(), 4.0)
    # 1 - 4 * (1 - 0.4) is below the least crop; 1 + 4 * 0.5; 4 * 0.25; 4 * 0.3 is above 1
    assert strong["augment.min_scale"] == 0.1
    assert strong["augment.max_scale"] == 3.0
    assert strong["augment.brightness"] == 1.0
    assert strong["augment.contrast"] == 1.0
    np.testing.assert_allclose(scaled(Recipe(), 0.5)["augment.min_scale"], 0.7)


def test_the_value_of_a_setting_is_found_by_its_name():
    assert value_of(Recipe(), "model.size") == 192
    assert value_of(Recipe(), "loss.box.giou") == 2.0
    assert value_of(Recipe(), "loss.box.mse") is None
    assert value_of(Recipe(), "augment.strength") == 1.0
