"""Errors, their exit codes, and the helpers that word their messages."""

import pytest

from onebox.errors import (
    DataError,
    ImageError,
    ModelError,
    OneboxError,
    SettingError,
    StoppedError,
    format_box,
    format_count,
    shorten,
    suggest,
)


@pytest.mark.parametrize(
    ("kind", "exit_code"),
    [
        (OneboxError, 1),
        (SettingError, 2),
        (DataError, 3),
        (ImageError, 3),
        (ModelError, 4),
        (StoppedError, 130),
    ],
)
def test_each_error_ends_the_program_with_its_code_and_is_caught_as_onebox_error(kind, exit_code):
    with pytest.raises(OneboxError, match=r"^words$") as caught:
        raise kind("words")
    assert caught.value.exit_code == exit_code


def test_a_bad_image_is_caught_as_bad_data_and_a_bad_setting_is_not():
    assert issubclass(ImageError, DataError)
    assert not issubclass(SettingError, DataError)


def test_a_data_error_keeps_its_problems_apart_and_lists_each_on_a_line():
    error = DataError("a.csv:2: bad box.", "a.csv:5: bad label.")
    assert error.problems == ("a.csv:2: bad box.", "a.csv:5: bad label.")
    assert str(error) == "a.csv:2: bad box.\na.csv:5: bad label."


@pytest.mark.parametrize(
    ("word", "options", "expected"),
    [
        ("cta", [], ""),
        ("cta", ["cat", "dog"], " Did you mean cat?"),
        ("CAT", ["Cat"], " Did you mean Cat?"),
        ("lerning_rate", ["epochs", "learning_rate"], " Did you mean learning_rate?"),
        ("zebra", ["cat", "dog"], ""),
    ],
)
def test_a_suggestion_is_the_closest_option_in_its_own_spelling_or_nothing(word, options, expected):
    assert suggest(word, options) == expected


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([], ""),
        (["a"], "a"),
        (["a", "b"], "a, b"),
        (["a", "b", "c"], "a, b and 1 more"),
        (["a", "b", "c", "d"], "a, b and 2 more"),
    ],
)
def test_a_long_list_is_cut_and_counts_what_is_left_out(items, expected):
    assert shorten(items, most=2) == expected


@pytest.mark.parametrize(("count", "text"), [(0, "0 boxes"), (1, "1 box"), (2, "2 boxes")])
def test_a_count_has_the_noun_that_fits(count, text):
    assert format_count(count, "box", "boxes") == text


def test_a_box_is_written_without_trailing_zeros():
    assert format_box((0.0, 2.5, -10.0, 1 / 3)) == "0, 2.5, -10, 0.3333333333"
