"""The names that callers may rely on."""

import subprocess
import sys

import pytest

import onebox

NAMES = [
    "DataError",
    "Dataset",
    "ImageError",
    "Localizer",
    "ModelError",
    "OneboxError",
    "Prediction",
    "Recipe",
    "Report",
    "Run",
    "Sample",
    "SettingError",
    "evaluate",
    "load",
    "read",
    "read_recipe",
    "train",
    "write",
]


def test_the_public_names_are_these_and_no_others():
    assert onebox.__all__ == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_is_there_and_documented(name):
    assert getattr(onebox, name).__doc__


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'onebox' has no attribute 'tarin'"):
        _ = onebox.tarin


def test_a_name_is_listed_before_it_is_imported():
    assert set(NAMES) <= set(dir(onebox))


@pytest.mark.train
def test_importing_onebox_imports_next_to_nothing():
    code = "import sys, onebox; print(*sorted({'numpy', 'PIL', 'onnxruntime'} & set(sys.modules)))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.split() == []
