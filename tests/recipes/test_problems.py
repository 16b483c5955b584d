"""What is wrong with a recipe: a sentence for each setting, with the name that was meant."""

import pytest

from onebox.errors import SettingError
from onebox.recipes.recipe import check_recipe


def problems_of(settings):
    """The lines of the error that settings raise."""
    with pytest.raises(SettingError) as caught:
        check_recipe(settings, place="my.toml")
    return str(caught.value).splitlines()


TYPOS = [
    ({"trian": {}}, "the recipe has no setting 'trian'. Did you mean train?"),
    (
        {"train": {"lerning_rate": 1.0}},
        "[train] has no setting 'lerning_rate'. Did you mean learning_rate?",
    ),
    ({"model": {"backbon": "x"}}, "[model] has no setting 'backbon'. Did you mean backbone?"),
    ({"augment": {"contarst": 0.1}}, "[augment] has no setting 'contarst'. Did you mean contrast?"),
    ({"data": {"clases": ["cat"]}}, "[data] has no setting 'clases'. Did you mean classes?"),
    ({"hog": {"windw": 7}}, "[hog] has no setting 'windw'. Did you mean window?"),
    (
        {"model": {"anchors": {"scale": [1.0]}}},
        "[model.anchors] has no setting 'scale'. Did you mean scales?",
    ),
    ({"loss": {"box": {"guio": 1.0}}}, "'guio'. Did you mean giou?"),
    ({"model": {"vectorizer": "pyrmid"}}, "got 'pyrmid'. Did you mean pyramid?"),
    ({"model": {"box_head": "marginel"}}, "got 'marginel'. Did you mean marginal?"),
]


@pytest.mark.parametrize(("settings", "message"), TYPOS)
def test_a_typo_suggests_the_name_that_was_meant(settings, message):
    (problem,) = problems_of(settings)
    assert problem.startswith("my.toml: ")
    assert problem.endswith(message)


def test_a_name_that_resembles_no_setting_gets_no_suggestion():
    assert problems_of({"train": {"zzz": 1}}) == ["my.toml: [train] has no setting 'zzz'."]


WRONG = [
    ({"train": {"epochs": 0}}, "train.epochs", "got 0"),
    ({"train": {"epochs": "many"}}, "train.epochs", "got 'many'"),
    ({"train": {"ema_decay": 1.0}}, "train.ema_decay", "got 1.0"),
    ({"train": {"learning_rate": float("nan")}}, "train.learning_rate", "got nan"),
    ({"train": {"learning_rate": float("inf")}}, "train.learning_rate", "got inf"),
    ({"train": {"freeze_backbone_fraction": 1.0}}, "train.freeze_backbone_fraction", "got 1.0"),
    ({"train": {"layer_decay": 0.0}}, "train.layer_decay", "got 0.0"),
    ({"augment": {"max_truncation": 0.5}}, "augment.max_truncation", "got 0.5"),
    ({"augment": {"max_scale": 0.9}}, "augment.max_scale", "got 0.9"),
    ({"loss": {"box": {"l1": -1.0}}}, "loss.box.l1", "got -1.0"),
    ({"model": {"size": 16}}, "model.size", "got 16"),
    ({"model": {"mean": [0.5, 0.5]}}, "model.mean.2", "got [0.5, 0.5]"),
    ({"model": {"std": [0.5, 0.0, 0.5]}}, "model.std.1", "got 0.0"),
    ({"model": 3}, "model", "got 3"),
    ({"hog": {"cell": 2}}, "hog.cell", "got 2"),
    ({"hog": "yes"}, "hog", "got 'yes'"),
]


@pytest.mark.parametrize(("settings", "name", "value"), WRONG)
def test_a_wrong_value_is_shown_with_the_name_of_its_setting(settings, name, value):
    (problem,) = problems_of(settings)
    assert problem.startswith(f"my.toml: {name}: ")
    assert value in problem


def test_all_problems_are_listed_at_once():
    problems = problems_of({"train": {"epochs": 0, "sed": 1}, "model": {"size": 1}})
    assert len(problems) == 3
    assert all(problem.startswith("my.toml: ") for problem in problems)
