"""Images per second from JPEG files: onebox, Ultralytics, and a loop that only decodes.

Each is a separate process that does one pass over a folder on request, while the others wait.
"""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import photographs
from environments import clean_variables
from inference_parts.claims import THREADS, Claim, PartResult, Row, Workspace
from inference_parts.networks import WORKER, exported
from turns import order

_PASSES = Path(__file__).with_name("passes.py")
_OURS, _LIMIT, _THEIRS = "onebox", "only decoding", "Ultralytics YOLO26n, 640"
_THEIRS_SMALL = "Ultralytics YOLO26n, 224"
_MIN_FRACTION = 0.8


@dataclass(frozen=True, slots=True)
class Kind:
    """Images of one size, and the target: how many times as fast as Ultralytics."""

    name: str
    size_wh: tuple[int, int]
    faster: float


_LARGE, _LITTLE = Kind("12 MP", (4000, 3000), 4.0), Kind("0.3 MP", (640, 480), 8.0)


class Contestant:
    """A process that does one pass on request."""

    def __init__(self, command: Sequence[str], log: Path, variables: Mapping[str, str]) -> None:
        self._log = log
        with log.open("wb") as messages:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=messages,
                env=variables, cwd=log.parent, text=True,
            )  # fmt: skip

    def __enter__(self) -> "Contestant":
        """Return the process itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()

    def seconds(self, folder: Path, images: int) -> float:
        """Seconds of one pass over a folder.

        Raises:
            RuntimeError: If it fails, or processes another number of images.
        """
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("the process has no pipes.")
        self._process.stdin.write(f"{folder}\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(self._log.read_text("utf-8", "replace")[-2000:])
        answer = json.loads(line)
        if answer["images"] != images:
            raise RuntimeError(f"{answer['images']} of {images} images were processed.")
        return answer["seconds"]


def show(workspace: Workspace) -> PartResult:
    """Time them in turns, pass by pass."""
    rows, claims, raw = [], [], {}
    for threads in THREADS:
        for kind, folder, count in _folders(workspace):
            seconds = _timed(workspace, threads, folder, count)
            rows += list(_rows(kind, threads, count, seconds))
            claims += list(_claims(kind, threads, seconds))
            raw[f"{kind.name}, threads {threads}"] = seconds
    return PartResult(rows, claims, raw)


def _folders(workspace: Workspace) -> Iterator[tuple[Kind, Path, int]]:
    sizes = workspace.sizes
    for kind, count in ((_LARGE, sizes.large), (_LITTLE, sizes.little)):
        folder = workspace.scratch / kind.name.replace(" ", "-")
        if not folder.exists():
            photographs.fill(folder, kind.size_wh, count=count, distinct=sizes.distinct)
        yield kind, folder, count


def _timed(workspace: Workspace, threads: int, folder: Path, count: int) -> dict[str, list[float]]:
    """Seconds of each pass, after one of warm-up."""
    with ExitStack() as stack:
        contestants = {
            name: stack.enter_context(
                Contestant(command, workspace.scratch / f"{at}.log", variables)
            )
            for at, (name, (command, variables)) in enumerate(_commands(workspace, threads).items())
        }
        seconds: dict[str, list[float]] = {name: [] for name in contestants}
        for turn in range(-1, workspace.sizes.passes):
            for name in order(list(contestants), turn):
                spent = contestants[name].seconds(folder, count)
                if turn >= 0:
                    seconds[name].append(spent)
    return seconds


def _commands(workspace: Workspace, threads: int) -> dict[str, tuple[list[str], Mapping[str, str]]]:
    cores = [str(core) for core in sorted(os.sched_getaffinity(0))[:threads]]
    words = ["--threads", str(threads), "--cores", *cores]
    here = [sys.executable, str(_PASSES)]
    there = [str(workspace.python_of("ultralytics")), str(WORKER), "passes"]
    environment, clean = dict(os.environ), clean_variables()
    return {
        _OURS: ([*here, "onebox", "--model", str(workspace.model), *words], environment),
        _LIMIT: ([*here, "decode", "--model", str(workspace.model), *words], environment),
        _THEIRS: ([*there, str(exported(workspace, 640)), *words], clean),
        _THEIRS_SMALL: ([*there, str(exported(workspace, 224)), *words], clean),
    }


def _rows(
    kind: Kind, threads: int, count: int, seconds: Mapping[str, Sequence[float]]
) -> Iterator[Row]:
    for name, measured in seconds.items():
        yield {
            "files": kind.name,
            "threads": threads,
            "what": name,
            "images per second": count / statistics.median(measured),
            "min": count / max(measured),
            "max": count / min(measured),
            "onebox over it": _times(seconds, name),
        }


def _times(seconds: Mapping[str, Sequence[float]], name: str) -> float:
    """Images per second of onebox over those of ``name``; the median of the turns."""
    pairs = zip(seconds[name], seconds[_OURS], strict=True)
    return statistics.median(theirs / ours for theirs, ours in pairs)


def _claims(kind: Kind, threads: int, seconds: Mapping[str, Sequence[float]]) -> Iterator[Claim]:
    case = f"{kind.name}, threads {threads}"
    faster = _times(seconds, _THEIRS)
    yield Claim(
        f"2: images per second over Ultralytics' at 640, {case}",
        faster,
        kind.faster,
        is_minimum=True,
    )
    fraction = _times(seconds, _LIMIT)
    yield Claim(
        f"3: images per second over those of decoding, {case}",
        fraction,
        _MIN_FRACTION,
        is_minimum=True,
    )
