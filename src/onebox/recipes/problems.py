"""Invalid settings of a recipe, described in one sentence each."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel

from onebox.errors import suggest


def describe_problem(details: Mapping[str, Any], recipe: type[BaseModel]) -> str:
    """Describe an item of ``ValidationError.errors()``, with the name that was probably meant."""
    kind, message = details["type"], details["msg"]
    *sections, last = [str(part) for part in details["loc"] if part != "[key]"] or ["recipe"]
    if kind == "extra_forbidden":
        where = f"[{'.'.join(sections)}]" if sections else "the recipe"
        return f"{where} has no setting '{last}'.{suggest(last, _names(recipe, sections))}"
    if kind == "value_error":
        return f"{message.removeprefix('Value error, ')}."
    hint = suggest(str(details["input"]), re.findall(r"'(\w+)'", message))
    return f"{'.'.join([*sections, last])}: {message}, got {details['input']!r}.{hint}"


def section_of(annotation: Any) -> type[BaseModel] | None:  # noqa: ANN401
    """Return the section that a field holds, always or optionally; None for a plain setting."""
    kinds = (annotation, *get_args(annotation))
    sections = (kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel))
    return next(sections, None)


def _names(recipe: type[BaseModel], sections: Sequence[str]) -> list[str]:
    model = recipe
    for section in sections:
        inner = section_of(model.model_fields[section].annotation)
        if inner is None:
            return []
        model = inner
    return list(model.model_fields)
