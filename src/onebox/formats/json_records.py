"""JSON label files: read whole, and checked entry by entry, so that every bad part is named."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from onebox.errors import DataError
from onebox.files import is_empty

Record = TypeVar("Record", bound=BaseModel)

_SPACE = " \t\r\n"


def read_json(path: Path) -> Any:  # noqa: ANN401  (whatever the file holds)
    """Read a JSON file in UTF-8, with or without a byte order mark.

    Raises:
        DataError: If it is not JSON.
    """
    if is_empty(path):
        raise DataError(f"{path.name}: is empty. Name a file that holds labels.")
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path.name}:{error.lineno}: is not JSON ({error.msg}). Correct the line."
        ) from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path.name}: is not JSON ({error}). Correct it.") from error


def validate(kind: type[Record], raw: object) -> Record:
    """Check one entry of a file against its record.

    Raises:
        DataError: If values are missing or have wrong types; one sentence each.
    """
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        raise DataError(*[_sentence(one["loc"], one["msg"]) for one in error.errors()]) from error


def read_first_entry(path: Path) -> dict[str, Any]:
    """The first entry of a JSON list, if it is an object; else an empty one.

    It tells the format of a file; the rest of the file may be broken.
    """
    try:
        text = path.read_text(encoding="utf-8-sig").lstrip(_SPACE)
        start = text.removeprefix("[").lstrip(_SPACE)
        if start == text:
            return {}
        entry, _ = json.JSONDecoder().raw_decode(start)
    except (ValueError, RecursionError):
        return {}
    return entry if isinstance(entry, dict) else {}


def _sentence(keys: Sequence[int | str], message: str) -> str:
    return f"{'.'.join(map(str, keys)) or 'entry'}: {message[:1].lower()}{message[1:]}. Correct it."
