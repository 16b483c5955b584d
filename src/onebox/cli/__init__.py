"""The command line: parse, call one function, print.

Results go to standard output; progress, notes and errors go to standard error.
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 data, 4 model, 130 stopped by Ctrl-C.

The package itself imports next to nothing, so that Ctrl-C is handled from the first moment: the
commands and what they need are imported by `main`.
"""

import sys

from onebox.errors import OneboxError

INTERRUPTED = 130  # 128 + SIGINT, as shells have it


def main() -> None:
    """Run the command line; an error that a user can repair ends it with its own code."""
    try:
        _run()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _run() -> None:
    from onebox.cli.app import app
    from onebox.cli.console import print_error

    try:
        app()
    except OneboxError as error:
        print_error(str(error))
        sys.exit(error.exit_code)
    except OSError as error:  # most of all a full disk behind standard output
        print_error(f"{error.filename or 'standard output'}: {error.strerror or error}.")
        sys.exit(OneboxError.exit_code)
