"""Silence for known messages of the libraries that train and export."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple


class Ignored(NamedTuple):
    """An expected warning: regular expressions of its start and of the module it is about."""

    message: str
    module: str


@contextmanager
def quiet(logger_name: str, *ignored: Ignored) -> Iterator[None]:
    """Ignore the given warnings, and a logger's records below ERROR; let all others through."""
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
