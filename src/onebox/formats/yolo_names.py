"""Appends class names to ``data.yaml`` without a change of anything else in it.

The text is edited where the YAML parser finds the list of names, so comments, order and layout
stay. The result is parsed again; if it is not the old content with more names, nothing is changed.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import yaml

from onebox.errors import DataError


@dataclass(frozen=True, slots=True)
class _Insert:
    """Text in place of ``text[start:end]``."""

    start: int
    end: int
    text: str


def append_names(text: str, names: Sequence[str], file: str) -> str:
    """Append class names to the text of a ``data.yaml``; ``nc``, the number of names, grows too.

    Args:
        text: The text, without a byte order mark.
        names: New names, of which there is at least one.
        file: Name of the file, for messages.

    Raises:
        DataError: If the names are written in a way that is not known.
    """
    try:
        changed = _insert(text, list(_inserts(text, names)))
        is_right = yaml.safe_load(changed) == _expected(yaml.safe_load(text), names)
    except (yaml.YAMLError, AttributeError, IndexError, TypeError, ValueError):
        is_right = False
    if is_right:
        return changed
    raise DataError(
        f"{file}: class {names[0]!r} cannot be appended to its names. Write it there yourself."
    )


def _expected(content: dict[str, object], names: Sequence[str]) -> dict[str, object]:
    old = content["names"]
    if isinstance(old, dict):
        new = old | dict(enumerate(names, start=max(old, default=-1) + 1))
        return _counted(content | {"names": new}, len(new))
    listed = [*old, *names] if isinstance(old, list) else list(names)
    return _counted(content | {"names": listed}, len(listed))


def _counted(content: dict[str, object], count: int) -> dict[str, object]:
    return content | {"nc": count} if "nc" in content else content


def _insert(text: str, inserts: Sequence[_Insert]) -> str:
    for one in sorted(inserts, key=lambda each: each.start, reverse=True):
        text = text[: one.start] + one.text + text[one.end :]
    return text


def _inserts(text: str, names: Sequence[str]) -> Iterator[_Insert]:
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode):
        raise TypeError("it has no keys")
    nodes = {key.value: value for key, value in root.value}
    listed = nodes["names"]
    yield _in_flow(listed, names) if listed.flow_style else _in_block(text, listed, names)
    if "nc" in nodes:
        start, end = nodes["nc"].start_mark.index, nodes["nc"].end_mark.index
        yield _Insert(start, end, str(len(listed.value) + len(names)))


def _in_flow(node: yaml.CollectionNode, names: Sequence[str]) -> _Insert:
    """Before the bracket that closes ``[cat, dog]`` or ``{0: cat, 1: dog}``."""
    text = ", ".join(_entries(node, names))
    if not node.value:
        position = node.end_mark.index - 1
        return _Insert(position, position, text)
    end = _last(node).end_mark.index
    return _Insert(end, end, f", {text}")


def _in_block(text: str, node: yaml.CollectionNode, names: Sequence[str]) -> _Insert:
    """After the line of the last name, with its margin and dash."""
    first = node.value[-1][0] if isinstance(node, yaml.MappingNode) else node.value[-1]
    start = text.rindex("\n", 0, first.start_mark.index) + 1
    margin = text[start : first.start_mark.index]
    end = text.find("\n", _last(node).end_mark.index)
    line_end = "\r\n" if "\r\n" in text else "\n"
    lines = line_end.join(f"{margin}{entry}" for entry in _entries(node, names))
    if end < 0:
        return _Insert(len(text), len(text), f"{line_end}{lines}{line_end}")
    return _Insert(end + 1, end + 1, f"{lines}{line_end}")


def _entries(node: yaml.CollectionNode, names: Sequence[str]) -> list[str]:
    scalars = [_scalar(name) for name in names]
    if not isinstance(node, yaml.MappingNode):
        return scalars
    first = max((int(key.value) for key, _ in node.value), default=-1) + 1
    return [f"{number}: {scalar}" for number, scalar in enumerate(scalars, start=first)]


def _last(node: yaml.CollectionNode) -> yaml.Node:
    last = node.value[-1]
    return last[1] if isinstance(node, yaml.MappingNode) else last


def _scalar(name: str) -> str:
    """A name as YAML has it; quoted as JSON if it would read as something else."""
    is_plain = re.fullmatch(r"\w[\w -]*", name) and yaml.safe_load(f"[{name}]") == [name]
    return name if is_plain else json.dumps(name, ensure_ascii=False)
