"""Images a second from JPEG files: onebox, Ultralytics, and a loop that only decodes.

Each is a process of its own, which does one pass over a folder when it is told to; the others wait
meanwhile.
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
from inference_parts.claims import THREADS, Claim, Place, Row, Shown
from inference_parts.networks import WORKER, exported
from turns import order

_PASSES = Path(__file__).with_name("passes.py")
_OURS, _LIMIT, _THEIRS = "onebox", "decoding alone", "Ultralytics YOLO26n, 640"
_THEIRS_SMALL = "Ultralytics YOLO26n, 224"
_SHARE_OF_LIMIT = 0.8


@dataclass(frozen=True, slots=True)
class Kind:
    """Images of one size, and how many times as many a second are asked."""

    name: str
    size_wh: tuple[int, int]
    faster: float


_LARGE, _LITTLE = Kind("12 MP", (4000, 3000), 4.0), Kind("0.3 MP", (640, 480), 8.0)


class Contestant:
    """A process that does a pass when it is told to."""

    def __init__(self, command: Sequence[str], log: Path, variables: Mapping[str, str]) -> None:
        self._log = log
        with log.open("wb") as said:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said,
                env=variables, cwd=log.parent, text=True,
            )  # fmt: skip

    def __enter__(self) -> "Contestant":
        """Nothing more."""
        return self

    def __exit__(self, *error: object) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()

    def seconds(self, folder: Path, images: int) -> float:
        """One pass over a folder.

        Raises:
            RuntimeError: If it failed, or answered another number of images.
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
            raise RuntimeError(f"{answer['images']} of {images} images were answered.")
        return answer["seconds"]


def show(place: Place) -> Shown:
    """Time them pass by pass in turns."""
    rows, claims, raw = [], [], {}
    for threads in THREADS:
        for kind, folder, count in _folders(place):
            seconds = _timed(place, threads, folder, count)
            rows += list(_rows(kind, threads, count, seconds))
            claims += list(_claims(kind, threads, seconds))
            raw[f"{kind.name}, threads {threads}"] = seconds
    return Shown(rows, claims, raw)


def _folders(place: Place) -> Iterator[tuple[Kind, Path, int]]:
    sizes = place.sizes
    for kind, count in ((_LARGE, sizes.large), (_LITTLE, sizes.little)):
        folder = place.scratch / kind.name.replace(" ", "-")
        if not folder.exists():
            photographs.fill(folder, kind.size_wh, count=count, distinct=sizes.distinct)
        yield kind, folder, count


def _timed(place: Place, threads: int, folder: Path, count: int) -> dict[str, list[float]]:
    """Seconds of each pass, after one for warmth."""
    with ExitStack() as stack:
        contestants = {
            name: stack.enter_context(Contestant(command, place.scratch / f"{at}.log", variables))
            for at, (name, (command, variables)) in enumerate(_commands(place, threads).items())
        }
        seconds: dict[str, list[float]] = {name: [] for name in contestants}
        for turn in range(-1, place.sizes.passes):
            for name in order(list(contestants), turn):
                spent = contestants[name].seconds(folder, count)
                if turn >= 0:
                    seconds[name].append(spent)
    return seconds


def _commands(place: Place, threads: int) -> dict[str, tuple[list[str], Mapping[str, str]]]:
    cores = [str(core) for core in sorted(os.sched_getaffinity(0))[:threads]]
    words = ["--threads", str(threads), "--cores", *cores]
    here = [sys.executable, str(_PASSES)]
    there = [str(place.python_of("ultralytics")), str(WORKER), "passes"]
    environment, clean = dict(os.environ), clean_variables()
    return {
        _OURS: ([*here, "onebox", "--model", str(place.model), *words], environment),
        _LIMIT: ([*here, "decode", "--model", str(place.model), *words], environment),
        _THEIRS: ([*there, str(exported(place, 640)), *words], clean),
        _THEIRS_SMALL: ([*there, str(exported(place, 224)), *words], clean),
    }


def _rows(
    kind: Kind, threads: int, count: int, seconds: Mapping[str, Sequence[float]]
) -> Iterator[Row]:
    for name, measured in seconds.items():
        yield {
            "files": kind.name,
            "threads": threads,
            "what": name,
            "images a second": count / statistics.median(measured),
            "least": count / max(measured),
            "most": count / min(measured),
            "onebox is faster by": _times(seconds, name),
        }


def _times(seconds: Mapping[str, Sequence[float]], name: str) -> float:
    """How many times as many images a second onebox answers; the median of the turns."""
    pairs = zip(seconds[name], seconds[_OURS], strict=True)
    return statistics.median(theirs / ours for theirs, ours in pairs)


def _claims(kind: Kind, threads: int, seconds: Mapping[str, Sequence[float]]) -> Iterator[Claim]:
    said = f"{kind.name}, threads {threads}"
    faster = _times(seconds, _THEIRS)
    yield Claim(
        f"2: images a second over Ultralytics' at 640, {said}", faster, kind.faster, is_least=True
    )
    share = _times(seconds, _LIMIT)
    yield Claim(
        f"3: of the images a second of decoding, {said}", share, _SHARE_OF_LIMIT, is_least=True
    )
