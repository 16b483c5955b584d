"""Licence expressions in the SPDX form: what one allows to choose, and what it demands at once.

``MIT OR Apache-2.0`` leaves a choice, ``BSD-3-Clause AND Zlib`` asks to keep both, and ``Apache-2.0
WITH LLVM-exception`` is one licence. AND binds more tightly than OR.

References:
    SPDX specification 2.3, annex D.
"""

import re
from collections.abc import Collection

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

_WORD = re.compile(r"\(|\)|[^\s()]+")


def canonical(expression: str) -> str | None:
    """The expression in its one spelling; None if it is no SPDX expression.

    Examples:
        >>> canonical("mit or apache-2.0"), canonical("BSD License")
        ('MIT OR Apache-2.0', None)
    """
    try:
        return canonicalize_license_expression(expression)
    except InvalidLicenseExpression:
        return None


def refused(expression: str, allowed: Collection[str]) -> list[str]:
    """The licences of a canonical expression that stand in the way; empty if one may accept it.

    Of a choice, one licence must be allowed; of licences that hold at once, all.

    Examples:
        >>> refused("MIT OR GPL-3.0-only", {"MIT"}), refused("MIT AND MPL-2.0", {"MIT"})
        ([], ['MPL-2.0'])
    """
    return _Reader(_WORD.findall(expression), allowed).read_choice()


class _Reader:
    """Reads words from left to right; every method returns what is refused of its part."""

    def __init__(self, words: list[str], allowed: Collection[str]) -> None:
        self._words = words[::-1]
        self._allowed = allowed

    def read_choice(self) -> list[str]:
        """Parts between OR: the one with the fewest refusals."""
        parts = [self._read_all()]
        while self._next_is("OR"):
            parts.append(self._read_all())
        return min(parts, key=len)

    def _read_all(self) -> list[str]:
        """Parts between AND: the refusals of all."""
        found = self._read_licence()
        while self._next_is("AND"):
            found = found + [each for each in self._read_licence() if each not in found]
        return found

    def _read_licence(self) -> list[str]:
        word = self._words.pop()
        if word == "(":
            found = self.read_choice()
            self._words.pop()
            return found
        if self._next_is("WITH"):
            word = f"{word} WITH {self._words.pop()}"
        return [] if word in self._allowed else [word]

    def _next_is(self, word: str) -> bool:
        """Take the next word if it is this one."""
        if self._words and self._words[-1] == word:
            self._words.pop()
            return True
        return False
