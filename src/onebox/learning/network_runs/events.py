"""What the first worker tells the process that started it: lines of JSON in the run's folder.

The folder is the one place that all workers and the starting process share, on one machine or on
several. A worker that is killed may leave half a line, which is skipped. The other way, an empty
file asks the workers to stop.
"""

import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from onebox.errors import DataError, ModelError, OneboxError, SettingError, StoppedError
from onebox.learning.fitting.fit import Fitted
from onebox.progress import EpochMetrics, Listener, Silent, StopTraining

_EVENTS, _STOP = "events.jsonl", "stop"
_LOOK_S = 0.25  # between two looks for the request to stop; not tuned
_KINDS: dict[str, type[OneboxError]] = {
    kind.__name__: kind for kind in (OneboxError, DataError, ModelError, SettingError, StoppedError)
}


class Reporter(Silent):
    """A listener that writes what it hears into the folder; its `advance` may stop the training."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._looked_s = folder, -math.inf
        self.write("begin")

    def stage(self, name: str) -> None:
        """Write that a stage begins."""
        self.write("stage", name=name)

    def advance(self, done: int, total: int) -> None:
        """Write how much is done, and see whether to stop, but not too often.

        Raises:
            StopTraining: If the workers are asked to stop.
        """
        now_s = time.monotonic()
        if now_s - self._looked_s < _LOOK_S and done < total:
            return
        self._looked_s = now_s
        self.write("advance", done=done, total=total)
        if (self._folder / _STOP).exists():
            raise StopTraining

    def epoch(self, metrics: EpochMetrics) -> None:
        """Write the state of training after an epoch."""
        self.write("epoch", **asdict(metrics))

    def note(self, sentence: str) -> None:
        """Write what the run has to tell the user."""
        self.write("note", sentence=sentence)

    def write(self, event: str, **facts: object) -> None:
        """Write one line, at once."""
        line = json.dumps({"event": event, **facts})
        with (self._folder / _EVENTS).open("a", encoding="utf-8") as file:
            # The first line break ends the half line of a killed worker.
            file.write(f"\n{line}\n")


class Follower:
    """Reads the lines that are new, tells them to a listener, and keeps how the fit ended.

    Attributes:
        fitted: What the fit left behind, once it has ended.
        error: What the user can repair, if that ended the workers.
        is_interrupted: Whether Ctrl-C ended the fit.
    """

    def __init__(self, folder: Path, listener: Listener) -> None:
        self.fitted: Fitted | None = None
        self.error: OneboxError | None = None
        self.is_interrupted = False
        self._folder, self._listener = folder, listener
        self._position, self._has_begun = 0, False
        self.clear()

    def follow(self) -> None:
        """Tell what is new; a listener that asks to stop, or Ctrl-C, stops the workers."""
        for event in self._new_events():
            try:
                self._tell(event)
            except StopTraining:
                self.stop()

    def follow_while(self, is_running: Callable[[], bool]) -> None:
        """Tell what is new until the workers have ended; Ctrl-C asks them to stop.

        Raises:
            KeyboardInterrupt: At the second Ctrl-C.
        """
        while is_running():
            try:
                time.sleep(_LOOK_S)
                self.follow()
            except KeyboardInterrupt:
                if self.is_interrupted:
                    raise
                self.is_interrupted = True
                self.stop()
        self.follow()

    def stop(self) -> None:
        """Ask the workers to stop after the next step, and to validate and save."""
        (self._folder / _STOP).touch()

    def clear(self) -> None:
        """Remove both files."""
        for name in (_EVENTS, _STOP):
            (self._folder / name).unlink(missing_ok=True)

    def _new_events(self) -> Iterator[dict[str, Any]]:
        path = self._folder / _EVENTS
        if not path.exists():
            return
        with path.open("rb") as file:
            file.seek(self._position)
            new = file.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._position += len(whole)
        for line in whole.splitlines():
            try:
                yield json.loads(line)
            except ValueError:
                continue  # empty, or half of a line

    def _begin(self) -> None:
        if self._has_begun:
            self._listener.note("a worker was lost; all go on from the last checkpoint.")
        self._has_begun = True

    def _tell(self, event: dict[str, Any]) -> None:
        kind = event.pop("event")
        if kind == "begin":
            self._begin()
        elif kind == "fitted":
            self.fitted = fitted_from(event, self._folder)
        elif kind == "error":
            self.error = _KINDS[event["kind"]](*event["sentences"])
        else:
            tell: dict[str, Callable[..., None]] = {
                "stage": self._listener.stage,
                "advance": self._listener.advance,
                "note": self._listener.note,
                "epoch": lambda **facts: self._listener.epoch(EpochMetrics(**facts)),
            }
            tell[kind](**event)


def fitted_as(fitted: Fitted) -> dict[str, Any]:
    """What a fit left behind, for JSON; the checkpoint by its name in the folder."""
    name = None if fitted.checkpoint is None else fitted.checkpoint.name
    return {**asdict(fitted), "checkpoint": name}


def fitted_from(facts: dict[str, Any], folder: Path) -> Fitted:
    """What a fit left behind, from `fitted_as`."""
    name, devices = facts["checkpoint"], tuple(facts["devices"])
    checkpoint = None if name is None else folder / name
    return Fitted(**{**facts, "checkpoint": checkpoint, "devices": devices})


def problem_of(error: OneboxError) -> dict[str, Any]:
    """An error as facts that another worker can send."""
    kind = next(kind for kind in type(error).mro() if kind.__name__ in _KINDS)
    sentences = error.problems if isinstance(error, DataError) else [str(error)]
    return {"kind": kind.__name__, "sentences": [*sentences]}
