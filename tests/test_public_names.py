"""The names that callers may rely on."""

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


def test_a_name_that_needs_the_training_install_says_how_to_get_it(monkeypatch):
    def without_torch(module):
        raise ModuleNotFoundError(f"No module named 'torch' for {module}", name="torch")

    monkeypatch.setattr(onebox.importlib, "import_module", without_torch)
    with pytest.raises(onebox.OneboxError, match=r"needs the package 'torch'.*onebox\[train\]"):
        _ = onebox.train
    assert not hasattr(onebox, "train")
