"""What can be fuzzed: seeds, and what is done with an input."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from mutation import Input


class LawError(AssertionError):
    """An input that was accepted, and broke a promise: the text says which."""


@dataclass(frozen=True, slots=True)
class Target:
    """A reader that is ready for inputs.

    Attributes:
        seeds: Good inputs, which our own code wrote.
        attempt: Reads one input. It may raise only what a user is told: a `OneboxError`.
        words: Words of its language, which mutations insert.
    """

    seeds: Sequence[Input]
    attempt: Callable[[Input], None]
    words: Sequence[bytes] = ()


Opening = Callable[[Path], AbstractContextManager[Target]]
"""A folder of its own → a target, closed at the end."""


def check(*, holds: bool, promise: str) -> None:
    """Check a promise.

    Raises:
        LawError: If it does not hold.
    """
    if not holds:
        raise LawError(promise)
