"""Whether memory stays flat and time grows linearly over many predictions of `predict_many`."""

import time
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import photographs
import psutil
from inference_parts.claims import Claim, PartResult, Row, Workspace
from inference_parts.curves import Curve, draw_curves
from numpy import ndarray

import onebox
from onebox import images

_MB = 1e6
_MAX_MB = 30.0
# The target is "linear", without a number; this one is the benchmark's own.
_MAX_OFF = 0.05
_FILES = 200
_LENGTHS = (240, 961)  # pixels


def show(workspace: Workspace) -> PartResult:
    """Read memory and time while predictions are made."""
    done, seconds, memory = _readings(workspace)
    settled = memory[done > workspace.sizes.settled]
    swing = float(settled.max() - settled.min())
    off = _off_line(done, seconds)
    if workspace.svg is not None:
        curves = [Curve("seconds", seconds.tolist()), Curve("resident memory, MB", memory.tolist())]
        workspace.svg.write_text(draw_curves(done.tolist(), "predictions", curves), "utf-8")
    row: Row = {
        "predictions": float(done[-1]),
        "per second": float(done[-1] / seconds[-1]),
        "MB settled": float(settled[0]),
        "MB at the end": float(settled[-1]),
        "MB, max - min": swing,
        "off the line": off,
    }
    claims = [
        Claim("6: resident memory after warm-up, maximum minus minimum, MB", swing, _MAX_MB),
        Claim(
            "6: distance of time from a straight line, as a fraction of the total time",
            off,
            _MAX_OFF,
        ),
    ]
    raw = {"predictions": done.tolist(), "seconds": seconds.tolist(), "mb": memory.tolist()}
    return PartResult([row], claims, raw)


def _readings(workspace: Workspace) -> tuple[ndarray, ndarray, ndarray]:
    """Number of predictions, seconds since the start, resident MB."""
    localizer = onebox.load(workspace.model)
    files = images.find_images(_folder(workspace))
    process = psutil.Process()
    readings = []
    start = time.perf_counter()
    sources = islice(cycle(files), workspace.sizes.predictions)
    for done, answer in enumerate(localizer.predict_many(sources), start=1):
        answer.unwrap()
        if done % workspace.sizes.every == 0:
            seconds = time.perf_counter() - start
            readings.append((done, seconds, process.memory_info().rss / _MB))
    done_, seconds_, memory = np.array(readings, dtype=float).T
    return done_, seconds_, memory


def _off_line(done: ndarray, seconds: ndarray) -> float:
    """Largest distance of the time from a straight line, as a fraction of the total time."""
    even = done / done[-1] * seconds[-1]
    return float(np.abs(seconds - even).max() / seconds[-1])


def _folder(workspace: Workspace) -> Path:
    """JPEGs of many sizes, as in a user's folder."""
    folder = workspace.scratch / "sizes"
    if not folder.exists():
        folder.mkdir()
        for number, size_wh in enumerate(_sizes_wh()):
            name = photographs.IMAGES[number % len(photographs.IMAGES)]
            photographs.write(name, size_wh, number, folder / f"{number:05}.jpg")
    return folder


def _sizes_wh() -> Iterator[tuple[int, int]]:
    yield from np.random.default_rng(0).integers(*_LENGTHS, (_FILES, 2)).tolist()
