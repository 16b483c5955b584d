"""Runs inputs in a process of its own, and watches it: a crash, a hang and hunger end only that.

An input follows from the seed, the target and its number alone. So the process needs to say no more
than which number it is at, and the watcher can make the input of a process that died.
"""

import contextlib
import json
import logging
import mmap
import multiprocessing
import os
import resource
import struct
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from random import Random

from mutation import Input, mutate
from target import Opening, Target

from onebox.errors import OneboxError

MOST_SECONDS = 5.0
"""For one input."""

MOST_BYTES = 512 * 2**20
"""By which one input may raise the peak memory of the process."""

_KEPT = 3  # inputs of one kind of finding that are written
_STATE = struct.Struct("q")  # the number of the input in work
_STARTING = -1  # in place of a number
_LOOK_S = 0.25
_START_S = 120.0
_ADDRESSES = 16 * 2**30  # bytes that a process may reserve at all


@dataclass(slots=True)
class Finding:
    """A kind of failure.

    Attributes:
        kind: The error and where it was raised; or a crash, a hang or hunger.
        message: Of the first such error.
        count: Inputs that led to it.
        inputs: The numbers of the first of them.
    """

    kind: str
    message: str = ""
    count: int = 0
    inputs: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Result:
    """What became of the inputs of a target."""

    target: str
    inputs: int = 0
    accepted: int = 0
    seconds: float = 0.0
    peak_mb: float = 0.0
    findings: dict[str, Finding] = field(default_factory=dict)

    def add(self, kind: str, message: str, number: int) -> None:
        """Count a failure."""
        found = self.findings.setdefault(kind, Finding(kind, message[:2000]))
        found.count += 1
        if len(found.inputs) < _KEPT:
            found.inputs.append(number)

    def merge(self, other: "Result") -> None:
        """Add what a later process found."""
        self.inputs += other.inputs
        self.accepted += other.accepted
        self.peak_mb = max(self.peak_mb, other.peak_mb)
        for found in other.findings.values():
            mine = self.findings.setdefault(found.kind, Finding(found.kind, found.message))
            mine.count += found.count
            mine.inputs += found.inputs[: _KEPT - len(mine.inputs)]


def input_of(target: Target, name: str, seed: int, number: int) -> Input:
    """The input of a number: a good one first, for each seed, then mutations."""
    if number < len(target.seeds):
        return target.seeds[number]
    return mutate(target.seeds, target.words, Random(f"{seed}:{name}:{number}"))


def fuzz(name: str, opening: Opening, *, seed: int, numbers: range) -> Result:
    """Try the inputs of some numbers, in as many processes as it takes."""
    result = Result(name)
    started, at = time.monotonic(), numbers.start
    while at < numbers.stop:
        part, at = _run_process(name, opening, seed, range(at, numbers.stop))
        result.merge(part)
    result.seconds = time.monotonic() - started
    return result


def _run_process(name: str, opening: Opening, seed: int, numbers: range) -> tuple[Result, int]:
    """Try inputs until one of them ends the process; also return the number after the last."""
    with tempfile.TemporaryDirectory(prefix="onebox-fuzz-") as place, _shared(place) as state:
        folder = Path(place)
        _STATE.pack_into(state, 0, _STARTING)
        # A server that has imported everything, and has no threads, forks: that takes milliseconds.
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["__main__"])
        process = context.Process(target=_work, args=(name, opening, seed, numbers, folder))
        process.start()
        ending = _watch(process, state)
        number = max(numbers.start, *_STATE.unpack_from(state))
        result = Result(name)
        if (folder / "result.json").is_file():
            found = json.loads((folder / "result.json").read_text())
            findings = {key: Finding(**one) for key, one in found.pop("findings").items()}
            result = Result(**found, findings=findings)
        if not ending:
            return result, numbers.stop
        result.add(ending, f"the process ended at input {number}", number)
        result.inputs = number + 1 - numbers.start
        return result, number + 1


@contextlib.contextmanager
def _shared(place: str) -> Iterator[mmap.mmap]:
    path = Path(place) / "state"
    path.write_bytes(bytes(_STATE.size))
    with path.open("r+b") as file, mmap.mmap(file.fileno(), _STATE.size) as state:
        yield state


def _watch(process: BaseProcess, state: mmap.mmap) -> str:
    """Wait for a process; why it ended before its last input, or an empty text."""
    seen, waited, looked = _STARTING, 0.0, time.monotonic()
    while process.is_alive():
        process.join(_LOOK_S)
        now = time.monotonic()
        [number] = _STATE.unpack_from(state)
        # A machine that slept, or a job that was stopped for a while, is no hang.
        waited = 0.0 if number != seen else waited + min(now - looked, 2 * _LOOK_S)
        seen, looked = number, now
        if process.is_alive() and waited > (_START_S if seen == _STARTING else MOST_SECONDS):
            process.kill()
            process.join()
            return f"hang of more than {MOST_SECONDS:g} s"
    return "" if process.exitcode == 0 else f"crash with code {process.exitcode}"


def _work(name: str, opening: Opening, seed: int, numbers: range, folder: Path) -> None:
    """Try inputs, and say after each of a few hundred what was found."""
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESSES, _ADDRESSES))
    place = folder / "work"
    place.mkdir()
    result = Result(name)
    with _shared_again(folder) as state, opening(place) as target:
        for number in numbers:
            _STATE.pack_into(state, 0, number)
            peak = _peak_bytes()
            _attempt(target, input_of(target, name, seed, number), number, result)
            if number - numbers.start > len(target.seeds) and _peak_bytes() - peak > MOST_BYTES:
                result.add(f"more than {MOST_BYTES >> 20} MiB", "", number)
            result.inputs += 1
            if result.inputs % 200 == 0:
                _write(result, folder)
        _STATE.pack_into(state, 0, _STARTING)  # closing may take a while
    _write(result, folder)
    os._exit(0)  # threads of a target may wait for what never comes


@contextlib.contextmanager
def _shared_again(folder: Path) -> Iterator[mmap.mmap]:
    with (folder / "state").open("r+b") as file, mmap.mmap(file.fileno(), _STATE.size) as state:
        yield state


def _attempt(target: Target, given: Input, number: int, result: Result) -> None:
    try:
        target.attempt(given)
    except OneboxError as error:
        if not str(error).strip():
            result.add("an error without words", repr(error), number)
    except BaseException as error:  # noqa: BLE001 - whatever comes out is what is looked for
        result.add(_kind(error), "".join(traceback.format_exception(error))[-2000:], number)
    else:
        result.accepted += 1


def _kind(error: BaseException) -> str:
    """The error, and the last place in onebox that it came through."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "onebox" in Path(frame.filename).parts]
    where = f"{Path(ours[-1].filename).name}:{ours[-1].name}" if ours else "outside onebox"
    words = str(error)[:60] if type(error).__name__ == "LawError" else ""
    return f"{type(error).__name__} in {where} {words}".strip()


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _own_peak_bytes() -> int:
    """The peak of this process alone; the one above may be that of the process that forked it."""
    status = Path("/proc/self/status")
    if not status.is_file():
        return _peak_bytes()
    lines = status.read_text("ascii", "replace").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def _write(result: Result, folder: Path) -> None:
    result.peak_mb = round(_own_peak_bytes() / 2**20, 1)
    temporary = folder / "result.part"
    temporary.write_text(json.dumps(asdict(result)))
    temporary.replace(folder / "result.json")
