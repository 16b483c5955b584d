"""Errors that a user can repair, their exit codes, and helpers that word their messages.

::

    OneboxError            1  the job failed (a full disk, weights out of reach)
    ├── StoppedError     130  training was stopped before there was anything to keep
    ├── SettingError       2  a recipe, an option or a combination of them
    ├── DataError          3  label files and data sets
    │   └── ImageError     3  one image that cannot be read
    └── ModelError         4  a model file, or an export that does not match its network

Every message names the place, the rule, the value and the repair. A wrong call of a Python
function raises ``TypeError`` or ``ValueError``.
"""

import difflib
from collections.abc import Collection, Iterable, Sequence

# PyTorch, ONNX Runtime, safetensors and Python's threads have no class of their own for it.
_OUT_OF_MEMORY = (
    *("allocate memory", "bad_alloc", "bad allocation", "out of memory", "start new thread"),
    "could not create a primitive",  # oneDNN, which PyTorch runs layers with
)


class OneboxError(Exception):
    """Something a user can repair."""

    exit_code = 1


class StoppedError(OneboxError):
    """Training that was stopped, by Ctrl-C or a listener, before there was anything to keep."""

    exit_code = 130  # as of every command that Ctrl-C ends


class SettingError(OneboxError):
    """A recipe, an option or a combination of them that cannot be used."""

    exit_code = 2


class DataError(OneboxError):
    """A label file or a data set that cannot be used.

    Attributes:
        problems: What to repair, one sentence each, with file and line.
    """

    exit_code = 3

    def __init__(self, *problems: str) -> None:
        """Keep the problems as a tuple; the message lists them, one on a line."""
        self.problems = problems
        super().__init__("\n".join(problems))


class ImageError(DataError):
    """One image that cannot be read."""


class ModelError(OneboxError):
    """A file that is not a onebox model, or an export that does not match its network."""

    exit_code = 4


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error says that the memory does not suffice."""
    text = f"{error}"
    return isinstance(error, MemoryError) or any(words in text for words in _OUT_OF_MEMORY)


def check_choice(setting: str, value: str, choices: Collection[str]) -> str:
    """Return a setting's value if it is one of the choices.

    Raises:
        SettingError: If it is not.
    """
    if value not in choices:
        raise SettingError(
            f"{setting} must be one of {', '.join(choices)}, got {value!r}."
            f"{suggest(value, choices)}"
        )
    return value


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
    """Join words for a message; a long list is cut, and the rest is counted.

    Examples:
        >>> shorten(["a", "b", "c"], most=2)
        'a, b and 1 more'
    """
    shown = ", ".join(items[:most])
    left_out = len(items) - most
    return f"{shown} and {left_out} more" if left_out > 0 else shown


def format_count(count: int, one: str, many: str) -> str:
    """Write a number with its noun.

    Examples:
        >>> format_count(1, "box", "boxes"), format_count(2, "box", "boxes")
        ('1 box', '2 boxes')
    """
    return f"{count} {one if count == 1 else many}"


def format_box(box: Iterable[float]) -> str:
    """Write a box as a user does, for messages and repairs.

    Examples:
        >>> format_box((0.0, 2.5, 10.0, 20.0))
        '0, 2.5, 10, 20'
    """
    return ", ".join(f"{value:.10g}" for value in box)


def encoding_problem(name: str) -> str:
    """Why no label file can hold the name of an image: it is not UTF-8. Empty if one can."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return f"{name}: has a name that is not UTF-8, which label files are. Rename it."
    return ""


def first_line(error: Exception) -> str:
    """The first line of an error's message; the name of its class if the message is empty."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
