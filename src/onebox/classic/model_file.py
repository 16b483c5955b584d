"""A HOG localizer as one ``.npz`` file: arrays, and a text in JSON that says what they are.

Nothing in the file is pickled, and nothing pickled is read: a file can hold numbers, and no code.
"""

import dataclasses
import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy import ndarray
from pydantic import Field, TypeAdapter

from onebox.classic.filter_bank import Bank
from onebox.classic.hog_localizer import HogLocalizer, Machines
from onebox.classic.score_calibration import Calibration
from onebox.classic.settings import HogSettings, Natural
from onebox.errors import ModelError
from onebox.files import replacing
from onebox.model_card import ModelCard

SCHEMA_VERSION = 1
KIND = "hog-svm"
KEY = "onebox"
"""The array that holds the text; a file without it is no onebox model."""

_ARRAYS = ("weights", "bias", "refine", "refine_bias")
_SIDES = TypeAdapter(Annotated[tuple[Natural, ...], Field(min_length=1)])
_CALIBRATION = TypeAdapter(Calibration)


def save(localizer: HogLocalizer, path: str | os.PathLike[str]) -> None:
    """Write a localizer as a whole, in place of an earlier file.

    Raises:
        OneboxError: If it cannot be written.
    """
    file = Path(path)
    banks = localizer.machines.banks
    arrays = {
        f"{name}_{number}": array
        for number, bank in enumerate(banks)
        for name, array in bank.arrays().items()
    }
    with replacing(file) as temporary, temporary.open("wb") as opened:
        np.savez(opened, allow_pickle=False, **{KEY: np.array(_text(localizer))}, **arrays)


def load(path: str | os.PathLike[str]) -> HogLocalizer:
    """Read a localizer that `save` wrote.

    Raises:
        ModelError: If the file is missing, holds something else, or does not hold together.
    """
    file = Path(path)
    if not file.is_file():
        what = "is a folder" if file.is_dir() else "there is no such file"
        raise ModelError(f"{file}: {what}, not a model.")
    arrays = _read_arrays(file)
    try:
        return _localizer(arrays, str(file))
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        what = f"lacks {error}" if isinstance(error, KeyError) else str(error)
        raise ModelError(
            f"{file}: is no localizer that this onebox can read ({what}). Train it anew."
        ) from error


def _text(localizer: HogLocalizer) -> str:
    machines = localizer.machines
    return json.dumps(
        {
            "schema_version": SCHEMA_VERSION,
            "kind": KIND,
            "facts": json.loads(localizer.card.as_json()),
            "settings": machines.settings.model_dump(),
            "sides": machines.sides,
            "banks": [{"shape": bank.shape, "members": bank.members} for bank in machines.banks],
            "calibration": dataclasses.asdict(machines.calibration),
        }
    )


def _read_arrays(file: Path) -> Mapping[str, ndarray]:
    """Read a file's arrays.

    Raises:
        ModelError: If it is no archive of arrays, lacks the text, or holds something pickled.
    """
    if not zipfile.is_zipfile(file):
        raise ModelError(f"{file}: is no .npz file. Name one that onebox wrote.")
    try:
        with np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except Exception as error:  # what a damaged archive raises in its readers has no other parent
        raise ModelError(
            f"{file}: cannot be read ({error}). Name a file that onebox wrote."
        ) from error
    if KEY not in arrays:
        raise ModelError(
            f"{file}: is no onebox model: it has no array '{KEY}'. Name one that onebox wrote."
        )
    return arrays


def _localizer(arrays: Mapping[str, ndarray], name: str) -> HogLocalizer:
    """Put a localizer together.

    Raises:
        ValueError: If the text is of another kind or schema, or does not fit the arrays.
    """
    said: dict[str, Any] = json.loads(str(arrays[KEY]))
    if said.get("kind") != KIND:
        raise ValueError(f"its kind is {said.get('kind')!r}, not {KIND!r}")
    if said["schema_version"] != SCHEMA_VERSION:
        version = said["schema_version"]
        raise ValueError(f"its schema is {version}, and this onebox reads {SCHEMA_VERSION}")
    settings = HogSettings.model_validate(said["settings"])
    facts = ModelCard.from_json(json.dumps(said["facts"]))
    banks = tuple(_bank(arrays, number, each) for number, each in enumerate(said["banks"]))
    for bank in banks:
        bank.check(settings)
    members = sorted(member for bank in banks for member in bank.members)
    if members != list(range(len(facts.classes))):
        raise ValueError(f"it has machines for the classes {members} of {len(facts.classes)}")
    sides = _SIDES.validate_python(said["sides"])
    if facts.size != sides[0]:
        raise ValueError(f"its size is {facts.size!r}, and its finest level has {sides[0]}")
    calibration = _CALIBRATION.validate_python(said["calibration"])
    machines = Machines(settings, sides, banks, calibration)
    return HogLocalizer(machines, facts, name)


def _bank(arrays: Mapping[str, ndarray], number: int, said: Mapping[str, Any]) -> Bank:
    learned = {name: arrays[f"{name}_{number}"] for name in _ARRAYS}
    rows, columns = said["shape"]
    return Bank((rows, columns), tuple(said["members"]), **learned)
