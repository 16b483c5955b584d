"""`onebox recipes` and `onebox recipes show`."""

import json
from pathlib import Path

import pytest

from onebox.recipes.loading import read_recipe, recipe_names, recipe_text
from onebox.recipes.recipe import Recipe


def test_the_list_has_each_recipe_with_its_source(run):
    code, out, err = run("recipes")
    title, *lines = out.splitlines()
    assert (code, title, err) == (0, "recipes", "")
    assert dict(line.split(maxsplit=1) for line in lines) == {
        name: read_recipe(name).source for name in recipe_names()
    }
    assert json.loads(run("recipes", "--json")[1]) == {
        name: read_recipe(name).source for name in recipe_names()
    }


def test_a_shown_recipe_is_its_file(run):
    assert run("recipes", "show", "demo") == (0, recipe_text("demo"), "")


def test_a_shown_recipe_can_be_read_as_a_file(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine.toml").write_text(run("recipes", "show", "default")[1])
    assert read_recipe("mine.toml") == read_recipe("default")


@pytest.mark.parametrize("words", [["show", "demo", "--json"], ["--json", "show", "demo"]])
def test_a_recipe_as_json_has_every_setting(words, run):
    settings = json.loads(run("recipes", *words)[1])
    assert list(settings) == [name for name in Recipe.model_fields if name != "hog"]
    assert Recipe.model_validate(settings) == read_recipe("demo")


def test_an_unknown_recipe_suggests_the_closest_name(run):
    code, out, err = run("recipes", "show", "defualt")
    assert (code, out) == (2, "")
    assert "Did you mean default?" in err
