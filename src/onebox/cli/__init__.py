"""The command line: parse, call one function, print.

Results go to standard output; progress, notes and errors go to standard error.
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 data, 4 model, 130 stopped by Ctrl-C.

The package itself imports next to nothing, so that Ctrl-C is handled from the first moment: the
commands and what they need are imported by `main`.
"""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from onebox.errors import OneboxError, is_out_of_memory

INTERRUPTED = 130  # 128 + SIGINT, as shells have it


def main() -> None:
    """Run the command line; an error that a user can repair ends it with its own code."""
    try:
        _run()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _run() -> None:
    from onebox.cli.app import app

    with reporting_errors():
        _check_output()
        app()


def _check_output() -> None:
    """Let standard output take names in every script.

    Raises:
        OneboxError: If it is closed: results would be lost without a word.
    """
    if sys.stdout is None:
        raise OneboxError("standard output is closed. Send it to a file, or to /dev/null.")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


@contextmanager
def reporting_errors() -> Iterator[None]:
    """End the process with a message and an exit code at an error that a user can repair.

    Raises:
        SystemExit: In place of such an error.
    """
    from onebox.cli.console import print_error
    from onebox.cli.refusals import explain_out_of_memory, explain_system_error

    try:
        yield
    except OneboxError as error:
        print_error(str(error))
        sys.exit(error.exit_code)
    except OSError as error:
        print_error(explain_system_error(error))
        _drop_unwritten_output()
        sys.exit(OneboxError.exit_code)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        print_error(explain_out_of_memory(error))
        sys.exit(OneboxError.exit_code)


def _drop_unwritten_output() -> None:
    """Drop what standard output could not take: Python would try again, and end with 120."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
