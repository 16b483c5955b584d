"""The tree of errors that a user can repair, and the exit code each one ends the program with.

::

    OneboxError            1  the job failed (a full disk, weights out of reach)
    ├── SettingError       2  a recipe, an option or a combination of them
    ├── DataError          3  label files and data sets
    │   └── ImageError   3  one image that cannot be read
    └── ModelError         4  a model file, or an export that does not hold

Every message names the place, the rule, the value and the repair. A wrong call of a Python
function stays ``TypeError`` or ``ValueError``.
"""

import difflib
from collections.abc import Iterable, Sequence


class OneboxError(Exception):
    """Something a user can repair."""

    exit_code = 1


class SettingError(OneboxError):
    """A recipe, an option or a combination of them that cannot be used."""

    exit_code = 2


class DataError(OneboxError):
    """A label file or a data set that cannot be used.

    Attributes:
        problems: One sentence for each thing to repair, each with its file and line.
    """

    exit_code = 3

    def __init__(self, *problems: str) -> None:
        """Keep each problem apart; the message lists them all."""
        self.problems = problems
        super().__init__("\n".join(problems))


class ImageError(DataError):
    """One image that cannot be read."""


class ModelError(OneboxError):
    """A file that is no onebox model, or an export that does not match its network."""

    exit_code = 4


def suggest(word: str, options: Iterable[str]) -> str:
    """Return ``" Did you mean X?"`` for the option closest to ``word``, or an empty string.

    Examples:
        >>> suggest("cta", ["cat", "dog"])
        ' Did you mean cat?'
        >>> suggest("zebra", ["cat", "dog"])
        ''
    """
    by_folded = {option.casefold(): option for option in options}
    close = difflib.get_close_matches(word.casefold(), by_folded, n=1)
    return f" Did you mean {by_folded[close[0]]}?" if close else ""


def shorten(items: Sequence[str], most: int = 8) -> str:
    """Join words for a message, with the number of those left out.

    Examples:
        >>> shorten(["a", "b", "c"], most=2)
        'a, b and 1 more'
    """
    shown = ", ".join(items[:most])
    left_out = len(items) - most
    return f"{shown} and {left_out} more" if left_out > 0 else shown
