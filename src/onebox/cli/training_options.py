"""Options of the commands that train, and the recipe that they make."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onebox.errors import SettingError

if TYPE_CHECKING:
    from onebox.recipes.recipe import Recipe

RecipeName = Annotated[
    str | None,
    typer.Option(
        "--recipe",
        metavar="NAME|FILE",
        help="The name of a recipe (see onebox recipes), or a TOML file.",
    ),
]

Changes = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change one setting, such as train.epochs=20; repeatable.",
    ),
]

Weights = Annotated[
    Path | None,
    typer.Option(
        "--weights", metavar="FILE", help="Initial weights of the backbone (safetensors)."
    ),
]

NoPretrained = Annotated[
    bool, typer.Option("--no-pretrained", help="Train from scratch, without initial weights.")
]

Seed = Annotated[
    int | None,
    typer.Option(
        "--seed",
        metavar="N",
        min=0,
        help="Seed of everything random; by default the recipe's.",
    ),
]


def check_start(given: Sequence[str]) -> None:
    """Check that the options given name one start of the weights at most.

    Raises:
        SettingError: If they name two.
    """
    if "--weights" in given and "--no-pretrained" in given:
        raise SettingError("--weights and --no-pretrained exclude each other; leave one out.")


def all_changes(
    changes: Sequence[str] | None, *, minutes: float | None, no_pretrained: bool
) -> list[str]:
    """The changes of the recipe that the options ask for."""
    asked = [*(changes or []), *(["model.pretrained=false"] if no_pretrained else [])]
    return asked + ([] if minutes is None else [f"train.minutes={minutes}"])


def read_changed_recipe(
    name: str | Path | None, changes: Sequence[str], seed: int | None
) -> "Recipe":
    """The recipe of a name, ``default`` if it is None, with changes and another seed.

    Raises:
        SettingError: If there is no such recipe, or a setting is wrong.
    """
    from onebox.recipes.loading import read_recipe

    recipe = read_recipe("default" if name is None else name, changes)
    return recipe if seed is None else recipe.with_seed(seed)
