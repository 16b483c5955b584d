"""The text of a JSON object, of which entries of some lists are changed and all else stays.

A JSON file is more than its values: its layout, its order, the digits of its numbers. Entries that
do not change keep their text.
"""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_SPACE = re.compile(r"[ \t\r\n]*")
_BETWEEN = re.compile(r"[ \t\r\n]*(?:(\])|(?:,[ \t\r\n]*))")
_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a list.

    Attributes:
        value: Its value.
        text: Its text in the file; empty if it is new or changed.
        lead: What separates it from the one before: a comma and white space.
    """

    value: Any
    text: str = ""
    lead: str = ""


@dataclass(frozen=True, slots=True)
class JsonList:
    """One list of the object: its entries, and where its text is."""

    entries: tuple[Entry, ...]
    start: int  # of the bracket that opens it
    end: int  # behind the one that closes it
    tail: str  # between the last entry and the bracket


def read_lists(text: str, keys: Collection[str]) -> dict[str, JsonList]:
    """The lists with these keys in a JSON object.

    Raises:
        ValueError: If the text is not a JSON object.
    """
    lists = {}
    position = _expect(text, _skip(text, 0), "{")
    while text[position] != "}":
        key, position = _DECODER.raw_decode(text, position)
        position = _expect(text, _skip(text, position), ":")
        if key in keys and text[position] == "[":
            lists[key] = _read_list(text, position)
            position = lists[key].end
        else:
            position = _DECODER.raw_decode(text, position)[1]
        position = _skip(text, position)
        if text[position] != "}":
            position = _expect(text, position, ",")
    return lists


def replace_lists(
    text: str, old: Mapping[str, JsonList], new: Mapping[str, Sequence[Entry]]
) -> str:
    """The text of the object with other entries in some lists.

    Args:
        text: The text that ``old`` was read from.
        old: Its lists.
        new: Key → the entries that its list becomes.
    """
    for key in sorted(new, key=lambda each: old[each].start, reverse=True):
        one = old[key]
        text = text[: one.start] + _format_list(one, new[key], text) + text[one.end :]
    return text


def _read_list(text: str, start: int) -> JsonList:
    entries: list[Entry] = []
    position = _skip(text, start + 1)
    lead = text[start + 1 : position]
    if text[position] == "]":
        return JsonList((), start, position + 1, lead)
    while True:
        value, end = _DECODER.raw_decode(text, position)
        entries.append(Entry(value, text[position:end], lead))
        mark = _BETWEEN.match(text, end)
        if mark is None:
            raise ValueError(f"expected , or ] at {end}")
        if mark[1] == "]":
            return JsonList(tuple(entries), start, mark.end(), text[end : mark.start(1)])
        position = mark.end()
        lead = text[end:position]


def _format_list(old: JsonList, entries: Sequence[Entry], text: str) -> str:
    first, usual = _leads(old)
    parts = []
    for number, entry in enumerate(entries):
        lead = (entry.lead or usual) if number else first
        if number and "," not in lead:  # it was the first one
            lead = usual
        parts.append(lead + (entry.text or _format(entry.value, lead, old, text)))
    return f"[{''.join(parts)}{old.tail}]"


def _leads(old: JsonList) -> tuple[str, str]:
    """What comes before the first entry, and before each other one."""
    if len(old.entries) > 1:
        return old.entries[0].lead, old.entries[1].lead
    empty = f"{old.tail}  " if "\n" in old.tail else ""
    first = old.entries[0].lead if old.entries else empty
    return first, f",{first}" if "\n" in first else ", "


def _format(value: object, lead: str, old: JsonList, text: str) -> str:
    """An entry in the layout of the others: on one line, or indented as they are."""
    example = next((entry.text for entry in old.entries if entry.text), "")
    is_ascii = "\\u" in text
    second = re.search(r"\n([ \t]*)", example)
    if second is None:
        is_tight = '":' in example and '": ' not in example
        separators = (",", ":") if is_tight else (", ", ": ")
        return json.dumps(value, ensure_ascii=is_ascii, separators=separators)
    margin = lead.rsplit("\n", 1)[-1] if "\n" in lead else ""
    step = second.group(1).removeprefix(margin) or " "
    lines = json.dumps(value, ensure_ascii=is_ascii, indent=step)
    line_end = "\r\n" if "\r\n" in example else "\n"
    return lines.replace("\n", line_end + margin)


def _skip(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position


def _expect(text: str, position: int, mark: str) -> int:
    """The position of what follows a mark and white space.

    Raises:
        ValueError: If the mark is not there.
    """
    if not text.startswith(mark, position):
        raise ValueError(f"expected {mark} at {position}")
    return _skip(text, position + 1)
