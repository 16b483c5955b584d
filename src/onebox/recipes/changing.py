"""Changing single settings by their dotted names, before they are checked."""

from copy import copy
from typing import Any

from pydantic import BaseModel

from onebox.errors import SettingError
from onebox.recipes.problems import section_of


def change(settings: dict[str, Any], name: str, value: object, recipe: type[BaseModel]) -> None:
    """Set one setting of nested tables, in place.

    The name is dotted, such as ``train.epochs`` or ``loss.box.giou``, and the value is not checked.
    A setting that is a table itself, such as ``loss.box``, keeps its other entries: those given,
    or else the defaults of ``recipe``.

    Raises:
        SettingError: If a name before the last dot is a value.
    """
    *sections, last = name.split(".")
    table: Any = settings
    model: type[BaseModel] | None = recipe
    for section in sections:
        default, model = _default(model, section)
        table = table.setdefault(section, default)
        if not isinstance(table, dict):
            raise SettingError(f"{name}: {section} is a value, not a section.")
    table[last] = value


def _default(model: type[BaseModel] | None, name: str) -> tuple[Any, type[BaseModel] | None]:
    """The default of a name that is left out, and the section that it stands for, if any.

    A section starts empty, so that only what is changed counts as given; so does an unknown name,
    for the check to refuse.
    """
    field = None if model is None else model.model_fields.get(name)
    section = None if field is None else section_of(field.annotation)
    if field is None or section is not None:
        return {}, section
    return copy(field.default), None
