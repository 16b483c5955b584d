"""The light install: its size on disk, and the time from command line to first prediction."""

import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import photographs
from environments import clean_variables, install, program_of
from inference_parts.claims import Claim, PartResult, Row, Workspace
from machine import percentiles

_PROJECT = Path(__file__).parents[2]
_MAX_SECONDS, _MAX_MB = 0.7, 250.0
_LARGEST = 6
_MB = 1e6


def show(workspace: Workspace) -> PartResult:
    """Install, measure the size, and start the command in turns with Python alone."""
    environment = workspace.scratch / "light"
    if not environment.exists():
        # With bytecode, as pip installs it; rebuilt, since uv caches builds.
        words = ["--quiet", "--compile-bytecode", "--refresh-package", "onebox"]
        install(environment, [*words, str(_PROJECT)])
    sizes_mb = _sizes_mb(environment)
    seconds = _seconds(workspace, environment)
    first = percentiles(seconds["onebox predict"])[0]
    claims = [
        Claim("5: seconds to the first prediction of the command line", first, _MAX_SECONDS),
        Claim("5: light install, MB", sum(sizes_mb.values()), _MAX_MB),
    ]
    return PartResult([*_time_rows(seconds), *_size_rows(sizes_mb)], claims, {"seconds": seconds})


def _seconds(workspace: Workspace, environment: Path) -> Mapping[str, list[float]]:
    image = workspace.scratch / "first.jpg"
    photographs.write(photographs.IMAGES[0], (640, 480), 0, image)
    commands = {
        "python alone": [str(program_of(environment, "python")), "-c", ""],
        "onebox --version": [str(program_of(environment, "onebox")), "--version"],
        "onebox predict": [
            str(program_of(environment, "onebox")), "predict", str(workspace.model), str(image),
        ],
    }  # fmt: skip
    times: dict[str, list[float]] = {name: [] for name in commands}
    for turn in range(-1, workspace.sizes.starts):
        for name, command in commands.items():
            spent = _seconds_of(command, workspace.scratch)
            if turn >= 0:
                times[name].append(spent)
    return times


def _seconds_of(command: Sequence[str], folder: Path) -> float:
    start = time.perf_counter()
    subprocess.run(
        command, check=True, env=clean_variables(), cwd=folder, stdout=subprocess.DEVNULL
    )
    return time.perf_counter() - start


def _sizes_mb(environment: Path) -> dict[str, float]:
    """MB of each folder and file in site-packages."""
    [packages] = environment.rglob("site-packages")
    return {entry.name: _bytes_of(entry) / _MB for entry in packages.iterdir()}


def _bytes_of(entry: Path) -> int:
    if entry.is_file():
        return entry.stat().st_size
    files = (Path(folder, name) for folder, _, names in os.walk(entry) for name in names)
    return sum(file.lstat().st_size for file in files)


def _time_rows(seconds: Mapping[str, Sequence[float]]) -> Iterator[Row]:
    for name, measured in seconds.items():
        median, high = percentiles(measured)
        yield {"what": f"{name}, seconds", "median": median, "p95": high}


def _size_rows(sizes_mb: Mapping[str, float]) -> Iterator[Row]:
    largest = sorted(sizes_mb, key=lambda name: -sizes_mb[name])[:_LARGEST]
    for name in largest:
        yield {"what": f"{name}, MB", "median": sizes_mb[name], "p95": "-"}
    rest = sum(size_mb for name, size_mb in sizes_mb.items() if name not in largest)
    yield {"what": "all else, MB", "median": rest, "p95": "-"}
