"""Silence for known messages of the libraries that train and export."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple


class Ignored(NamedTuple):
    """A warning that is expected, and no news to a user.

    Attributes:
        message: Regular expression that matches the start of the warning.
        module: Regular expression that matches the module that is warned about.
    """

    message: str
    module: str


@contextmanager
def quiet(logger_name: str, *ignored: Ignored) -> Iterator[None]:
    """Ignore the given warnings, and log records below ERROR; let all others through.

    Args:
        logger_name: The logger whose records are dropped.
        ignored: The warnings, by message and module.
    """
    logger = logging.getLogger(logger_name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            for each in ignored:
                warnings.filterwarnings("ignore", message=each.message, module=each.module)
            yield
    finally:
        logger.setLevel(level)
