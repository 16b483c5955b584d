"""The option ``--log``: experiment loggers of a training run."""

import importlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Annotated, Any

import typer

from onebox.cli.options import check_choice
from onebox.optional import require
from onebox.progress import Listener

LOGGER_NAMES = ("csv", "tensorboard", "mlflow", "wandb")


def _check_names(names: list[str] | None) -> list[str] | None:
    for name in names or ():
        check_choice("--log", name, LOGGER_NAMES)
    return names


Loggers = Annotated[
    list[str] | None,
    typer.Option(
        "--log",
        metavar="|".join(LOGGER_NAMES),
        callback=_check_names,
        help="Log the run with this experiment logger, in the run's folder; repeatable.",
    ),
]


@contextmanager
def opened_loggers(
    names: Iterable[str] | None, note: Callable[[str], None]
) -> Iterator[Sequence[Listener]]:
    """Open the loggers of some names, and end their runs if the body fails.

    Args:
        names: Some of `LOGGER_NAMES`.
        note: Told in a sentence if a logger fails.

    Yields:
        Listeners of a training run.

    Raises:
        OneboxError: If a package is missing; the message names the extra to install.
    """
    with ExitStack() as stack:
        yield [stack.enter_context(_open(name, note)) for name in dict.fromkeys(names or ())]


def _open(name: str, note: Callable[[str], None]) -> Any:  # noqa: ANN401  (imported by name)
    require("lightning", extra="train", purpose="experiment loggers")
    # By name, because only training needs PyTorch, and only this option needs loggers.
    module = importlib.import_module("onebox.learning.experiment_logging.loggers")
    return module.open_logger(name, note)
