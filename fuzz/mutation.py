"""Seeded mutations of bytes, text and JSON: one seed and one number give one input, everywhere."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Literal

MOST_BYTES = 1 << 18
"""An input of more bytes is cut: a reader meets more of what is strange in many small inputs."""

_NUMBER = re.compile(rb"-?\d+(\.\d+)?")
_NUMBERS = (
    *(b"0", b"-1", b"1", b"2", b"255", b"65536", b"2147483648", b"-9223372036854775809"),
    *(
        b"99999999999999999999",
        b"1e308",
        b"1e400",
        b"-1e400",
        b"0.1",
        b"NaN",
        b"Infinity",
        b"1e-320",
    ),
    *(b"007", b"+1", b"1_000", b"0x10", "\u0663".encode()),
)
_BYTES = (
    *(
        b"\0",
        b"\xff",
        b"\xfe\xff",
        b"\xef\xbb\xbf",
        b"\r",
        b"\n",
        b"\t",
        b" ",
        b'"',
        b"'",
        b",",
        b";",
    ),
    *(b"<", b">", b"&", b"{", b"}", b"[", b"]", b":", b"\\", b"/", b"../", b"%", b"#", b"\\u0000"),
    *(b"\xed\xa0\x80", b"\\ud800", "\u202e".encode(), "\u0301".encode(), b"\x80", b"\x7f"),
)
_JUNK: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**63, -(10**30), 0.5, 1e308, float("nan"), float("inf")),
    *(
        "",
        "\0",
        "\ud800",
        "../../etc/passwd",
        "x" * 5000,
        "1e400",
        "cat",
        "train",
        "0.png",
        "\u202e",
    ),
    *([], {}, [[[]]], [0, 0, 1, 1], ["a", "a"], {"": None}, {"a": {"a": {"a": 1}}}),
)


@dataclass(frozen=True, slots=True)
class Input:
    """One input.

    Attributes:
        name: What it is: the name of the file, or of the seed.
        content: Its bytes.
    """

    name: str
    content: bytes


def mutate(seeds: Sequence[Input], words: Sequence[bytes], random: Random) -> Input:
    """Choose a seed and change it in 1 to 8 places; one of 200 seeds stays as it is."""
    seed = random.choice(seeds)
    if random.random() < 1 / 200:
        return seed
    content = seed.content
    if random.random() < 0.5 and (changed := _mutate_json(content, random)) is not None:
        content = changed
        if random.random() < 0.8:
            return Input(seed.name, content[:MOST_BYTES])
    for _ in range(1 + int(random.random() ** 2 * 8)):
        content = _mutate_bytes(content, seeds, words, random)
    return Input(seed.name, content[:MOST_BYTES])


@dataclass(frozen=True, slots=True)
class _Place:
    """A part of an input, and what a change of it may use."""

    content: bytes
    at: int
    end: int
    seeds: Sequence[Input]
    words: Sequence[bytes]
    random: Random

    def instead(self, new: bytes) -> bytes:
        """The input with other bytes in place of the part."""
        return self.content[: self.at] + new + self.content[self.end :]

    def inserted(self, new: bytes) -> bytes:
        """The input with more bytes before the part."""
        return self.content[: self.at] + new + self.content[self.at :]


def _mutate_bytes(
    content: bytes, seeds: Sequence[Input], words: Sequence[bytes], random: Random
) -> bytes:
    at = random.randrange(len(content) + 1)
    end = min(len(content), at + 1 + int(random.random() ** 3 * len(content)))
    return random.choice(_CHANGES)(_Place(content, at, end, seeds, words, random))


def _flip_bit(place: _Place) -> bytes:
    at = place.at
    flipped = bytes(each ^ 1 << place.random.randrange(8) for each in place.content[at : at + 1])
    return place.content[:at] + flipped + place.content[at + 1 :]


def _draw_bytes(place: _Place) -> bytes:
    drawn = place.random.randbytes(1 + place.random.randrange(4))
    return place.content[: place.at] + drawn + place.content[place.at + 1 :]


def _repeat(place: _Place) -> bytes:
    part = place.content[place.at : place.end]
    return place.inserted(part * place.random.choice((1, 1, 2, 50)))


def _insert_word(place: _Place) -> bytes:
    word = place.random.choice(place.words or _BYTES)
    return place.inserted(word) if place.random.random() < 0.7 else place.instead(word)


def _take_from_another(place: _Place) -> bytes:
    other = place.random.choice(place.seeds).content
    start = place.random.randrange(len(other) + 1)
    return place.instead(other[start : start + place.end - place.at])


def _write_length(place: _Place) -> bytes:
    width = place.random.choice((1, 2, 4, 8))
    number = place.random.choice((0, 1, 127, 255, 2**15, 2**31, 2**32 - 1, 2**63, 2**64 - 1))
    order: Literal["little", "big"] = place.random.choice(("little", "big"))
    written = (number % 2 ** (8 * width)).to_bytes(width, order)
    return place.content[: place.at] + written + place.content[place.at + width :]


def _change_number(place: _Place) -> bytes:
    numbers = list(_NUMBER.finditer(place.content[:20_000]))
    if not numbers:
        return place.inserted(place.random.choice(_NUMBERS))
    chosen = place.random.choice(numbers)
    new = place.random.choice(_NUMBERS)
    return place.content[: chosen.start()] + new + place.content[chosen.end() :]


_CHANGES: Sequence[Callable[[_Place], bytes]] = (
    _flip_bit,
    _draw_bytes,
    lambda place: place.instead(b""),  # a part is lost
    _repeat,
    lambda place: place.inserted(place.random.choice(_BYTES)),
    _insert_word,
    lambda place: place.content[: place.at],  # cut off
    _take_from_another,
    _write_length,
    _change_number,
)


def _mutate_json(content: bytes, random: Random) -> bytes | None:
    """Change one value of a document, or of a line of one; None if it is no JSON."""
    if content[:1] not in {b"{", b"["}:
        return None
    lines = content.splitlines(keepends=True)
    at = random.randrange(len(lines))
    for index, text in ((None, content), (at, lines[at])):
        try:
            document = json.loads(text)
        except ValueError:
            continue
        changed = json.dumps(_replace(document, random)).encode()
        if index is None:
            return changed
        return b"".join([*lines[:index], changed + b"\n", *lines[index + 1 :]])
    return None


def _replace(document: Any, random: Random) -> Any:  # noqa: ANN401 - any JSON
    """A copy of a document with one value replaced, removed, doubled or renamed."""
    if not isinstance(document, dict | list) or not document or random.random() < 0.1:
        return random.choice(_JUNK)
    how = random.random()
    if isinstance(document, list):
        at = random.randrange(len(document))
        new = [] if how < 0.1 else [document[at]] * 2
        new = new if how < 0.2 else [_replace(document[at], random)]
        return [*document[:at], *new, *document[at + 1 :]]
    key = random.choice(list(document))
    rest = {name: value for name, value in document.items() if name != key}
    if how < 0.1:
        return rest
    if how < 0.15:
        return {**rest, f"{key}\0": document[key], random.choice(("id", "x", "")): 1}
    return {**document, key: _replace(document[key], random)}
