"""Functions in forked children of a process that has imported everything: no start costs twice."""

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

CRASHED = 99  # the exit code of a child that an exception left: a user would see a traceback
_LOOK_S = 0.005


@dataclass(frozen=True, slots=True)
class Ended:
    """How a child ended.

    Attributes:
        code: The exit code; -9 for one that signal 9 ended.
        error: What it wrote on standard error.
        seconds: How long it ran, roughly: the time of the looks at it is left out.
        is_late: Whether it was killed because it ran too long.
    """

    code: int
    error: str
    seconds: float
    is_late: bool = False


def in_child(
    act: Callable[[], object], said: Path, *, limit_s: float, kill_after_s: float | None = None
) -> Ended:
    """Call a function in a child; a ``SystemExit`` gives its exit code.

    Args:
        act: What to call.
        said: A file that takes the child's standard error; standard output is dropped.
        limit_s: Seconds after which it counts as hung.
        kill_after_s: Seconds after which it is killed by signal 9; None to let it end.
    """
    seconds = 0.0  # by looks, not by a clock: a program that is stopped for a while does not age
    child = os.fork()
    if not child:
        _become(act, said)
    moment = limit_s if kill_after_s is None else min(kill_after_s, limit_s)
    is_killed = False
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        if not is_killed and seconds > moment:
            with suppress(ProcessLookupError):  # it has no group of its own yet
                os.killpg(child, signal.SIGKILL)
            os.kill(child, signal.SIGKILL)
            is_killed = True
        time.sleep(_LOOK_S)
        seconds += _LOOK_S
    text = said.read_text("utf-8", "replace") if said.exists() else ""
    is_late = is_killed and kill_after_s is None
    return Ended(os.waitstatus_to_exitcode(status), text, seconds, is_late)


def _become(act: Callable[[], object], said: Path) -> None:
    code = CRASHED
    try:
        os.setsid()
        for path, descriptor in ((os.devnull, 1), (str(said), 2)):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
        act()
        code = 0
    except SystemExit as ending:
        code = ending.code if isinstance(ending.code, int) else int(ending.code is not None)
    except BaseException:  # noqa: BLE001 - what a user would see is a traceback
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)
