"""What repeated training is to do: ``plan.json``, written once, so that it can be resumed."""

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from onebox.errors import SettingError
from onebox.files import write_atomically
from onebox.folds.datasets import data_of_fold
from onebox.recipes.recipe import Recipe
from onebox.structures import Dataset, Sample, Split

Kind = Literal["seeds", "folds"]

LEAST_RUNS = 2

_FILE = "plan.json"


@dataclass(frozen=True, slots=True)
class Plan:
    """The runs of one command.

    Attributes:
        kind: Whether the seed differs from run to run, or the fold.
        count: Number of runs.
        seed: Of the first run; of every run and of dealing, for folds.
        weights: Path of the initial weights, as in `onebox.train`; None without them.
        digest: Of the labels; see `digest_labels`.
        folds: The fold of each image; empty for seeds.
    """

    kind: Kind
    count: int
    seed: int
    weights: str | None
    digest: str
    folds: tuple[int, ...] = ()

    def names(self) -> list[str]:
        """The names of the runs and of their folders: ``seed-7``, ``fold-0``."""
        first = self.seed if self.kind == "seeds" else 0
        return [f"{self.kind[:-1]}-{first + number}" for number in range(self.count)]

    def data_of(self, number: int, data: Dataset) -> Dataset:
        """The data set of a run, by its number from 0."""
        if self.kind == "folds":
            return data_of_fold(data, self.folds, number)
        return dataclasses.replace(data, notes=())

    def recipe_of(self, number: int, recipe: Recipe) -> Recipe:
        """The recipe of a run, by its number from 0."""
        return recipe.with_seed(self.seed + (number if self.kind == "seeds" else 0))

    def measured_split(self, data: Dataset) -> Split:
        """The split whose metrics are compared: ``test``, or ``val`` if there is no test image."""
        return "test" if self.kind == "folds" or len(data.part("test")) else "val"


def check_count(kind: Kind, count: int) -> None:
    """Check the number of runs.

    Raises:
        SettingError: If there are fewer than two.
    """
    if count < LEAST_RUNS:
        raise SettingError(
            f"--{kind} must be at least {LEAST_RUNS}, got {count}. Leave it out to train once."
        )


def has_plan(folder: Path) -> bool:
    """Whether a folder is one of repeated training."""
    return (folder / _FILE).is_file()


def write_plan(plan: Plan, folder: Path) -> None:
    """Write ``plan.json``.

    Raises:
        OneboxError: If it cannot be written.
    """
    write_atomically(folder / _FILE, json.dumps(dataclasses.asdict(plan)).encode())


def read_plan(folder: Path) -> Plan:
    """Read ``plan.json``.

    Raises:
        SettingError: If it is damaged.
    """
    file = folder / _FILE
    try:
        facts = json.loads(file.read_text("utf-8"))
        plan = Plan(**{**facts, "folds": tuple(map(int, facts["folds"]))})
        _check(plan)
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise SettingError(
            f"{file}: cannot be read ({error}), and the runs cannot be resumed without it. Train "
            "anew, into another folder."
        ) from error
    return plan


def check_same_data(plan: Plan, data: Dataset, folder: Path) -> None:
    """Check that the data is what the plan was made for.

    Raises:
        SettingError: If the labels have changed.
    """
    if plan.digest != digest_labels(data):
        raise SettingError(
            f"--resume {folder}: its images or labels have changed since. Train anew, into another "
            "folder."
        )


def digest_labels(data: Dataset) -> str:
    """A digest of the classes and of every label with its file name; a moved folder keeps it."""
    facts = [data.classes, *map(_facts, data)]
    return hashlib.blake2b(json.dumps(facts).encode(), digest_size=16).hexdigest()


def _facts(sample: Sample) -> Sequence[object]:
    return (sample.file_name, sample.label, sample.box, sample.keypoints, sample.split)


def _check(plan: Plan) -> None:
    is_known = plan.kind in get_args(Kind) and isinstance(plan.digest, str)
    if not is_known or int(plan.count) < LEAST_RUNS or int(plan.seed) < 0:
        raise ValueError("it is no plan of repeated training")
