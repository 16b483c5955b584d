"""The journal of a search: its question, a line for each finished trial, and what was trained.

A line is on the disk before the next trial counts on it. A search that is killed at any time leaves
whole lines and perhaps a torn last one, which is cut off when the search is resumed. The lock keeps
a second process away and goes with the process.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from onebox.distributed.tuning.records import Outcome, Question
from onebox.errors import OneboxError, SettingError
from onebox.files import check_writable
from onebox.prediction.writers.locking import open_locked

_KIND, _VERSION = "onebox tune", 1
_TRAINED, _FINISHED = "trained", "finished"


class Journal:
    """An append-only file; a context that closes and unlocks it.

    Attributes:
        path: The file.
        question: What is searched for.
        outcomes: The finished trials, in order.
        trained: Number of the trial whose recipe was last trained in full; None if none was.
        is_trained_to_end: Whether that training ended by itself, and its results are written.
    """

    def __init__(self, path: Path, question: Question | None = None) -> None:
        """Begin the journal of a question, or continue the one that is there.

        Raises:
            OneboxError: If another process has it open, or it cannot be written.
            SettingError: If it is to be continued and is none, or a line is damaged.
        """
        self.path = path
        self.outcomes: list[Outcome] = []
        self.trained: int | None = None
        self.is_trained_to_end = False
        if question is None and not path.is_file():
            raise SettingError(
                f"--resume {path.parent}: holds no search to resume: it has no "
                f"{path.name}. Start a new one."
            )
        check_writable(path.parent)
        self._file = open_locked(path)
        try:
            self.question = self._read() if question is None else self._begin(question)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *error: object) -> None:
        """Close and unlock the file."""
        self.close()

    def append(self, outcome: Outcome) -> None:
        """Write a finished trial, and flush it to the disk.

        Raises:
            OneboxError: If the disk refuses.
        """
        self._write(outcome.as_json())
        self.outcomes.append(outcome)

    def append_training(self, number: int) -> None:
        """Write that the full training of a trial's recipe begins.

        Raises:
            OneboxError: If the disk refuses.
        """
        self._write({_TRAINED: number})
        self.trained, self.is_trained_to_end = number, False

    def append_end_of_training(self) -> None:
        """Write that the full training has ended, and not by Ctrl-C.

        Raises:
            OneboxError: If the disk refuses.
        """
        self._write({_TRAINED: self.trained, _FINISHED: True})
        self.is_trained_to_end = True

    def pending(self) -> list[int]:
        """Numbers of the trials that have not finished."""
        finished = {outcome.number for outcome in self.outcomes}
        return [number for number in range(len(self.question.trials)) if number not in finished]

    def close(self) -> None:
        """Close and unlock the file."""
        self._file.close()

    def _begin(self, question: Question) -> Question:
        self._file.truncate(0)
        self._write({"journal": _KIND, "version": _VERSION, **asdict(question)})
        return question

    def _read(self) -> Question:
        content = self._file.read()
        whole = content[: content.rfind(b"\n") + 1]
        self._file.truncate(len(whole))
        lines = whole.splitlines()
        if not lines:
            raise SettingError(
                f"--resume {self.path.parent}: the search was stopped before its first trial. "
                "Remove the folder, and start a new one."
            )
        question = self._question(lines[0])
        for row, line in enumerate(lines[1:], start=2):
            self._take(line, row)
        return question

    def _question(self, line: bytes) -> Question:
        question = _parse_question(line)
        if question is None:
            raise SettingError(
                f"{self.path}:1: is not the journal of a search of this version of onebox. Start "
                "a new search."
            )
        return question

    def _take(self, line: bytes, row: int) -> None:
        try:
            record = json.loads(line)
            if _TRAINED in record:
                self.trained = int(record[_TRAINED])
                self.is_trained_to_end = bool(record.get(_FINISHED, False))
            else:
                self.outcomes.append(Outcome.from_json(record))
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            raise SettingError(
                f"{self.path}:{row}: the line is damaged. Remove it, and its trial runs again."
            ) from error

    def _write(self, record: Mapping[str, Any]) -> None:
        try:
            self._file.seek(0, os.SEEK_END)
            self._file.write(f"{json.dumps(record)}\n".encode())
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise OneboxError(
                f"{self.path}: cannot be written ({error.strerror or error}). Free space on the "
                f"disk, then continue with --resume {self.path.parent}."
            ) from error


def _parse_question(line: bytes) -> Question | None:
    """The question in the first line; None if it is the line of another file."""
    try:
        record = json.loads(line)
        facts: Mapping[str, Any] = {each.name: record[each.name] for each in fields(Question)}
        question = Question(**{**facts, "trials": tuple(facts["trials"])})
        kind = (record["journal"], record["version"])
    except (ValueError, KeyError, TypeError):
        return None
    return question if kind == (_KIND, _VERSION) else None
