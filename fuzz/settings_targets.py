"""Recipes and spaces in TOML: read, and what could be read is written and read again."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import tomli_w
from mutation import Input
from target import Opening, Target, check

from onebox.distributed.tuning.space import as_tables, default_text, parse_space, read_space
from onebox.recipes.loading import read_recipe, recipe_names, recipe_text
from onebox.runs.results import write_recipe

_WORDS = (
    b"[model]",
    b"[[train]]",
    b"a.b.c = 1\n",
    b'"""',
    b"nan",
    b"1979-05-27",
    b"inf",
    b"{a = [",
)


@contextmanager
def _open_recipe(folder: Path) -> Iterator[Target]:
    seeds = [Input(name, recipe_text(name).encode()) for name in recipe_names()]
    yield Target(seeds, partial(_read_recipe, folder), _WORDS)


def _read_recipe(folder: Path, given: Input) -> None:
    file = folder / "given.toml"
    file.write_bytes(given.content)
    found = read_recipe(file)
    write_recipe(found, folder)
    again = read_recipe(folder / "recipe.toml")
    check(holds=again == found, promise="a recipe is read as it was written")


@contextmanager
def _open_change(_: Path) -> Iterator[Target]:
    words = ("train.epochs=20", "model.backbone=resnet18", "augment.flip=0.5", "model.size = 96")
    seeds = [Input(word, word.encode()) for word in words]

    def attempt(given: Input) -> None:
        read_recipe("default", [given.content.decode("utf-8", "replace")])

    yield Target(seeds, attempt, (b"train.", b"=", b"[1, 2]", b"true", b"{", b"'"))


@contextmanager
def _open_space(folder: Path) -> Iterator[Target]:
    recipe = read_recipe("default")
    file = folder / "space.toml"

    def attempt(given: Input) -> None:
        file.write_bytes(given.content)
        found = read_space(file, recipe)
        tables = tomli_w.dumps(as_tables(found))
        check(holds=bool(tables), promise="a space can be written")
        again = parse_space(as_tables(found), recipe, place="again")
        check(holds=again == found, promise="a space is read as it was written")

    words = (*_WORDS, b"choices = [", b"low = ", b"high = ", b"log = true", b'"train.epochs"')
    yield Target([Input("space.toml", default_text().encode())], attempt, words)


SETTINGS_TARGETS: dict[str, Opening] = {
    "recipe": _open_recipe,
    "change": _open_change,
    "space": _open_space,
}
