"""The light install: how large it is, and how long its command line takes to a first prediction."""

import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import photographs
from environments import clean_variables, install, program_of
from inference_parts.claims import Claim, Place, Row, Shown
from machine import percentiles

_PROJECT = Path(__file__).parents[2]
_MOST_SECONDS, _MOST_MB = 0.7, 250.0
_LARGEST = 6
_MB = 1e6


def show(place: Place) -> Shown:
    """Install, weigh, and start the command in turns with Python alone."""
    environment = place.scratch / "light"
    if not environment.exists():
        # With its bytecode, as pip installs; and built anew, for uv keeps what it once built.
        words = ["--quiet", "--compile-bytecode", "--refresh-package", "onebox"]
        install(environment, [*words, str(_PROJECT)])
    weights = _weights(environment)
    seconds = _seconds(place, environment)
    first = percentiles(seconds["onebox predict"])[0]
    claims = [
        Claim("5: seconds to the first prediction of the command line", first, _MOST_SECONDS),
        Claim("5: light install, MB", sum(weights.values()), _MOST_MB),
    ]
    return Shown([*_timed(seconds), *_weighed(weights)], claims, {"seconds": seconds})


def _seconds(place: Place, environment: Path) -> Mapping[str, list[float]]:
    image = place.scratch / "first.jpg"
    photographs.write(photographs.IMAGES[0], (640, 480), 0, image)
    commands = {
        "python alone": [str(program_of(environment, "python")), "-c", ""],
        "onebox --version": [str(program_of(environment, "onebox")), "--version"],
        "onebox predict": [
            str(program_of(environment, "onebox")), "predict", str(place.model), str(image),
        ],
    }  # fmt: skip
    times: dict[str, list[float]] = {name: [] for name in commands}
    for turn in range(-1, place.sizes.starts):
        for name, command in commands.items():
            spent = _seconds_of(command, place.scratch)
            if turn >= 0:
                times[name].append(spent)
    return times


def _seconds_of(command: Sequence[str], folder: Path) -> float:
    start = time.perf_counter()
    subprocess.run(
        command, check=True, env=clean_variables(), cwd=folder, stdout=subprocess.DEVNULL
    )
    return time.perf_counter() - start


def _weights(environment: Path) -> dict[str, float]:
    """MB of each folder and file of site-packages."""
    [packages] = environment.rglob("site-packages")
    return {entry.name: _bytes_of(entry) / _MB for entry in packages.iterdir()}


def _bytes_of(entry: Path) -> int:
    if entry.is_file():
        return entry.stat().st_size
    files = (Path(folder, name) for folder, _, names in os.walk(entry) for name in names)
    return sum(file.lstat().st_size for file in files)


def _timed(seconds: Mapping[str, Sequence[float]]) -> Iterator[Row]:
    for name, measured in seconds.items():
        median, high = percentiles(measured)
        yield {"what": f"{name}, seconds", "median": median, "p95": high}


def _weighed(weights: Mapping[str, float]) -> Iterator[Row]:
    largest = sorted(weights, key=lambda name: -weights[name])[:_LARGEST]
    for name in largest:
        yield {"what": f"{name}, MB", "median": weights[name], "p95": "-"}
    rest = sum(weight for name, weight in weights.items() if name not in largest)
    yield {"what": "all else, MB", "median": rest, "p95": "-"}
