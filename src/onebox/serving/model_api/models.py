"""The model that is served, and its replacement while the server runs.

A training run or a deployment replaces the file; the server loads the new one beside the old one
and then exchanges them. Requests in work keep the model that they began with. A file that cannot be
loaded changes nothing but a note and a count, and is tried again: the disk may have failed once.
"""

import logging
import math
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from onebox import loading
from onebox.errors import SettingError
from onebox.localizer import Localizer

LOOK_SECONDS = 1.0
"""Time between two looks at the file; not tuned."""

_LONGEST_PAUSE_S = 60.0
"""Time between two tries to load a file that cannot be loaded, from the sixth on; each pause before
is twice as long as the last. Not tuned."""

_PROMISES = 32  # pairs of coverage and risk that are kept; not tuned
_SHARED_SUFFIX = ".xml"  # OpenVINO runs one call at a time, on all threads
_PROBE = np.zeros((8, 8, 3), np.uint8)

logger = logging.getLogger("onebox.serving")


@dataclass(frozen=True, slots=True)
class Promised:
    """What a request asks of a model, beyond the box.

    Attributes:
        coverage: See `Localizer.with_guarantees`.
        max_risk: Likewise.
    """

    coverage: float | None = None
    max_risk: float | None = None

    def or_else(self, usual: "Promised") -> "Promised":
        """What is asked, and the usual where nothing is."""
        return Promised(
            usual.coverage if self.coverage is None else self.coverage,
            usual.max_risk if self.max_risk is None else self.max_risk,
        )


NOTHING = Promised()
"""No promise."""

Promise = Callable[[Promised], Localizer]
"""What is promised → a model that promises it."""


@dataclass(frozen=True, slots=True)
class Reloads:
    """What became of the replacements of the file.

    Attributes:
        succeeded: Replacements that were loaded.
        failed: Replacements that could not be loaded.
        failure: Why the newest replacement could not be loaded; None if it was, or if there was
            none.
    """

    succeeded: int = 0
    failed: int = 0
    failure: str | None = None


class ModelHolder:
    """The model of a file, exchanged when the file is. Threads may share it.

    Attributes:
        file: The model file.
        name: Its name without folder and suffix, under which clients know the model; with "?" for
            what is not UTF-8 in it.
        usual: What predictions promise where a request asks for nothing.
    """

    def __init__(self, file: Path, *, threads: int, usual: Promised = NOTHING) -> None:
        """Load the file.

        Args:
            file: What `onebox.load` takes.
            threads: Predictions at once.
            usual: What predictions promise where a request asks for nothing.

        Raises:
            ModelError: If the file cannot be loaded.
            OneboxError: If it needs a package that is not installed.
            SettingError: If it does not support what it shall promise.
        """
        self.file = file
        self.name = _as_utf_8(file.stem)
        self.usual = usual
        self._threads = threads
        self._reloads = Reloads()
        self._exchanging = threading.Lock()
        self._pause_s, self._retry_at_s = LOOK_SECONDS, math.inf
        self._seen = _identify(file)
        self._promising = self._load()
        self._stopped = threading.Event()
        self._wanted = threading.Event()
        self._watcher: threading.Thread | None = None

    def current(self) -> Localizer:
        """The newest model that could be loaded, without guarantees."""
        return self._promising(NOTHING)

    def promising(self, promised: Promised) -> Localizer:
        """The newest model, with guarantees.

        Raises:
            SettingError: If its calibration does not support them.
        """
        try:
            return self._promising(promised)
        except SettingError as error:  # a client is not told where the file lies
            raise SettingError(self.without_folder(str(error))) from error

    def without_folder(self, message: str) -> str:
        """A message for clients: with the name of the model in place of its path."""
        return _as_utf_8(message.replace(str(self.file), self.name))

    @property
    def reloads(self) -> Reloads:
        """What became of the replacements so far."""
        return self._reloads

    def look(self) -> None:
        """Load the file if it has been replaced since the last look, or could not be loaded."""
        with self._exchanging:
            found = _identify(self.file)
            if None not in found and found != self._seen:
                self._seen = found
                self._exchange()
            elif time.monotonic() >= self._retry_at_s:
                self._retry()

    def reload(self) -> None:
        """Load the file, replaced or not."""
        with self._exchanging:
            self._seen = _identify(self.file)
            self._exchange()

    def watch(self) -> None:
        """Look at the file every `LOOK_SECONDS`, in a thread, until `close`."""
        self._watcher = threading.Thread(target=self._look_on, name="onebox-model", daemon=True)
        self._watcher.start()

    def close(self) -> None:
        """Stop watching."""
        self._stopped.set()
        self._wanted.set()
        if self._watcher is not None:
            self._watcher.join()

    def reload_at_hangup(self) -> None:
        """Reload at SIGHUP, where the system has it; to be called in the main thread."""
        hangup = getattr(signal, "SIGHUP", None)
        if hangup is not None:
            signal.signal(hangup, lambda *_: self._wanted.set())

    def _look_on(self) -> None:
        while not self._stopped.is_set():
            is_asked = self._wanted.wait(LOOK_SECONDS)
            self._wanted.clear()
            if self._stopped.is_set():
                return
            if is_asked:
                self.reload()
            else:
                self.look()

    def _exchange(self) -> None:
        done = self._reloads
        if reason := self._load_anew():
            logger.warning("%s; the model before it stays in use.", reason.rstrip("."))
            self._reloads = Reloads(done.succeeded, done.failed + 1, reason)
            self._pause_s = LOOK_SECONDS
            self._retry_at_s = time.monotonic() + self._pause_s

    def _retry(self) -> None:
        """Try the same file once more; a failure is noted and counted once."""
        if self._load_anew():
            self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)
            self._retry_at_s = time.monotonic() + self._pause_s

    def _load_anew(self) -> str:
        """Why the file cannot be loaded; empty if it now is in use."""
        try:
            self._promising = self._load()
        except Exception as error:  # noqa: BLE001 - whatever a file causes, the old model serves on
            return str(error) or type(error).__name__
        logger.info("%s: loaded anew.", self.file)
        self._reloads = Reloads(self._reloads.succeeded + 1, self._reloads.failed)
        self._retry_at_s = math.inf
        return ""

    def _load(self) -> Promise:
        threads = self._threads if self.file.suffix.lower() == _SHARED_SUFFIX else 1
        localizer = loading.load(self.file, threads=threads)
        localizer.predict(_PROBE)  # a network that cannot run is found here, not by a client

        @lru_cache(_PROMISES)
        def promising(promised: Promised) -> Localizer:
            if promised == NOTHING:
                return localizer
            return localizer.with_guarantees(coverage=promised.coverage, max_risk=promised.max_risk)

        promising(self.usual)
        return promising


def _as_utf_8(text: str) -> str:
    """A text that answers can have; names of files may hold any bytes."""
    return text.encode("utf-8", "replace").decode()


def _identify(file: Path) -> list[tuple[int, ...] | None]:
    """What differs once a file, or the weights beside it, has been replaced or changed."""
    shared = file.suffix.lower() == _SHARED_SUFFIX
    return [_status(each) for each in (file, *([file.with_suffix(".bin")] if shared else []))]


def _status(file: Path) -> tuple[int, ...] | None:
    """Place, size and time of a file; None if it is gone."""
    with suppress(OSError):
        status = file.stat()
        return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
    return None
