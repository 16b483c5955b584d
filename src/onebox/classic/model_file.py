"""A HOG localizer as one ``.npz`` file: arrays, and JSON text that describes them.

The file contains nothing pickled, and pickled content is refused: it can hold numbers but no code.
"""

import dataclasses
import io
import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy import ndarray
from pydantic import Field, TypeAdapter

from onebox.classic.filter_bank import ARRAYS, FilterBank
from onebox.classic.hog_localizer import HogLocalizer, HogModel
from onebox.classic.npz import read_arrays
from onebox.classic.score_calibration import Calibration
from onebox.classic.settings import HogSettings, Natural
from onebox.errors import ModelError
from onebox.files import write_atomically
from onebox.model_bytes import read_model_bytes
from onebox.model_card import ModelCard, parse_json

SCHEMA_VERSION = 1
KIND = "hog-svm"
KEY = "onebox"
"""The array that holds the text; a file without it is no onebox model."""

_LENGTHS = TypeAdapter(Annotated[tuple[Natural, ...], Field(min_length=1)])
_CALIBRATION = TypeAdapter(Calibration)


def save(localizer: HogLocalizer, path: str | os.PathLike[str]) -> None:
    """Write a localizer whole or not at all; an existing file is replaced.

    Raises:
        OneboxError: If the file cannot be written.
    """
    arrays = {KEY: np.array(_text(localizer))}
    for number, bank in enumerate(localizer.model.banks):
        arrays |= {f"{name}_{number}": array for name, array in bank.arrays().items()}
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, **arrays)
    write_atomically(Path(path), content.getvalue())


def load(path: str | os.PathLike[str]) -> HogLocalizer:
    """Read a localizer that `save` wrote.

    Raises:
        ModelError: If the file is missing, is something else, or its parts do not fit together.
    """
    file = Path(path)
    arrays = _read_arrays(file)
    try:
        return _localizer(arrays, str(file))
    except (LookupError, ValueError, TypeError, AttributeError, OverflowError) as error:
        what = f"lacks {error}" if isinstance(error, LookupError) else str(error)
        raise ModelError(
            f"{file}: is not a localizer that this onebox can read ({what}). Train it anew."
        ) from error


def _text(localizer: HogLocalizer) -> str:
    model = localizer.model
    return json.dumps(
        {
            "schema_version": SCHEMA_VERSION,
            "kind": KIND,
            "card": localizer.card.as_dict(),
            "settings": model.settings.model_dump(),
            "level_lengths": model.level_lengths,
            "banks": [
                {"shape": bank.shape, "class_indices": bank.class_indices} for bank in model.banks
            ],
            "calibration": dataclasses.asdict(model.calibration),
        }
    )


def _read_arrays(file: Path) -> Mapping[str, ndarray]:
    content = read_model_bytes(file)
    if not zipfile.is_zipfile(io.BytesIO(content)):
        raise ModelError(f"{file}: is no .npz file. Name one that onebox wrote.")
    try:
        arrays = read_arrays(content)
    except ValueError as error:
        message = f"{file}: cannot be read ({error}). Name a file that onebox wrote."
        raise ModelError(message) from error
    if KEY not in arrays:
        raise ModelError(
            f"{file}: is no onebox model: it has no array '{KEY}'. Name one that onebox wrote."
        )
    return arrays


def _localizer(arrays: Mapping[str, ndarray], name: str) -> HogLocalizer:
    text = parse_json(str(arrays[KEY]))
    if not isinstance(text, dict):
        raise ValueError(f"its text is a {type(text).__name__}")  # noqa: TRY004 - a wrong file
    if text.get("kind") != KIND:
        raise ValueError(f"its kind is {text.get('kind')!r}, not {KIND!r}")
    if (version := text["schema_version"]) != SCHEMA_VERSION:
        raise ValueError(f"its schema is {version}, and this onebox reads {SCHEMA_VERSION}")
    settings = HogSettings.model_validate(text["settings"])
    # The file of an older onebox does not say so, and its localizer predicts one all the same.
    card = dataclasses.replace(ModelCard.from_dict(text["card"]), sigma=True)
    banks = tuple(_bank(arrays, number, each) for number, each in enumerate(text["banks"]))
    for bank in banks:
        bank.check(settings)
    class_indices = sorted(index for bank in banks for index in bank.class_indices)
    if class_indices != list(range(len(card.classes))):
        raise ValueError(f"it has SVMs for the classes {class_indices} of {len(card.classes)}")
    lengths = _LENGTHS.validate_python(text["level_lengths"])
    if card.size != lengths[0]:
        raise ValueError(f"its size is {card.size!r}, and its finest level has {lengths[0]}")
    calibration = _CALIBRATION.validate_python(text["calibration"])
    return HogLocalizer(HogModel(settings, lengths, banks, calibration), card, name)


def _bank(arrays: Mapping[str, ndarray], number: int, text: Mapping[str, Any]) -> FilterBank:
    learned = {name: arrays[f"{name}_{number}"] for name in ARRAYS}
    rows, columns = text["shape"]
    return FilterBank((rows, columns), tuple(text["class_indices"]), **learned)
