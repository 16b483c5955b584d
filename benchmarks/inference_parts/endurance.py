"""Many predictions of `predict_many`: whether memory stays flat and time grows evenly."""

import time
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import photographs
import psutil
from inference_parts.claims import Claim, Place, Row, Shown
from inference_parts.curves import Curve, drawn
from numpy import ndarray

import onebox
from onebox import images

_MB = 1e6
_MOST_MB = 30.0
# What is asked is "linear", without a number: this one is the benchmark's own.
_MOST_OFF = 0.05
_FILES = 200
_SIDES = (240, 961)  # pixels


def show(place: Place) -> Shown:
    """Read memory and time as the predictions are made."""
    done, seconds, held = _readings(place)
    settled = held[done > place.sizes.settled]
    swing = float(settled.max() - settled.min())
    off = _off_line(done, seconds)
    if place.svg is not None:
        curves = [Curve("seconds", seconds.tolist()), Curve("resident memory, MB", held.tolist())]
        place.svg.write_text(drawn(done.tolist(), "predictions", curves), "utf-8")
    row: Row = {
        "predictions": float(done[-1]),
        "a second": float(done[-1] / seconds[-1]),
        "MB settled": float(settled[0]),
        "MB at last": float(settled[-1]),
        "MB, max - min": swing,
        "off the line": off,
    }
    claims = [
        Claim("6: resident memory, largest less smallest once settled, MB", swing, _MOST_MB),
        Claim("6: time off a straight line, of all the time", off, _MOST_OFF),
    ]
    raw = {"predictions": done.tolist(), "seconds": seconds.tolist(), "mb": held.tolist()}
    return Shown([row], claims, raw)


def _readings(place: Place) -> tuple[ndarray, ndarray, ndarray]:
    """Predictions made, seconds since the start, MB held."""
    localizer = onebox.load(place.model)
    files = images.find_images(_folder(place))
    process = psutil.Process()
    readings = []
    start = time.perf_counter()
    sources = islice(cycle(files), place.sizes.predictions)
    for done, answer in enumerate(localizer.predict_many(sources), start=1):
        answer.unwrap()
        if done % place.sizes.every == 0:
            seconds = time.perf_counter() - start
            readings.append((done, seconds, process.memory_info().rss / _MB))
    done_, seconds_, held = np.array(readings, dtype=float).T
    return done_, seconds_, held


def _off_line(done: ndarray, seconds: ndarray) -> float:
    """The farthest that the time lies from the line through its ends and 0, as a share of all."""
    even = done / done[-1] * seconds[-1]
    return float(np.abs(seconds - even).max() / seconds[-1])


def _folder(place: Place) -> Path:
    """JPEGs of many sizes, as a folder of a user has them."""
    folder = place.scratch / "sizes"
    if not folder.exists():
        folder.mkdir()
        for number, size_wh in enumerate(_sizes_wh()):
            name = photographs.IMAGES[number % len(photographs.IMAGES)]
            photographs.write(name, size_wh, number, folder / f"{number:05}.jpg")
    return folder


def _sizes_wh() -> Iterator[tuple[int, int]]:
    yield from np.random.default_rng(0).integers(*_SIDES, (_FILES, 2)).tolist()
