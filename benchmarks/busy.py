"""Training steps alone and beside one busy program, by OpenMP setting; see README.md.

python benchmarks/busy.py [--rounds N] [--json FILE]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from machine import arguments, publish

from onebox import synthetic
from onebox.learning.data.decoded_cache import decode
from onebox.learning.fitting.fit import fit
from onebox.learning.networks.network import Network
from onebox.progress import Silent
from onebox.recipes.loading import read_recipe

_SETTINGS: dict[str, dict[str, str]] = {
    "libgomp's default": {"GOMP_SPINCOUNT": "300000"},
    "onebox's": {},
    "passive waiting": {"OMP_WAIT_POLICY": "PASSIVE"},
    "one thread": {"OMP_NUM_THREADS": "1"},
}
_BASELINE = "libgomp's default"
_BUSY = "while True: pass"
_WARM_UP = 5  # steps
_CHANGES = ["model.pretrained=false", "train.epochs=5", "train.initial_scale=1"]


class Stopwatch(Silent):
    """Records the time of every progress report."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def advance(self, done: int, total: int) -> None:  # noqa: ARG002
        """Record the time."""
        self.times.append(time.perf_counter())


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--rounds", type=int, default=3, help="repeats of each measurement")
    parser.add_argument("--fit", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.fit:
        print(json.dumps(_step_times_ms()))
    else:
        publish("ms of a training step", list(_rows(options.rounds)), options.json)


def _rows(rounds: int) -> Iterator[Mapping[str, str | float]]:
    """Every setting, alone and beside a busy program, in turn."""
    times: dict[tuple[str, bool], list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            for name, variables in _SETTINGS.items():
                for is_busy in (False, True):
                    found = _measure_ms(variables, Path(folder), is_busy=is_busy)
                    times.setdefault((name, is_busy), []).append(found)
    baseline = median(times[_BASELINE, False])
    for name in _SETTINGS:
        alone, busy = (median(times[name, is_busy]) for is_busy in (False, True))
        yield {
            "setting": name,
            "alone ms": alone,
            "ratio": alone / baseline,
            "beside ms": busy,
            "ratio beside": busy / baseline,
            "max beside": max(times[name, True]),
        }


def _measure_ms(variables: Mapping[str, str], cache: Path, *, is_busy: bool) -> float:
    """The median step, measured in a separate process."""
    excluded = {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "OMP_NUM_THREADS"}
    inherited = {name: value for name, value in os.environ.items() if name not in excluded}
    environment = {**inherited, **variables, "ONEBOX_CACHE": str(cache), "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, __file__, "--fit"]
    with _busy_program() if is_busy else tempfile.TemporaryDirectory():
        done = subprocess.run(command, env=environment, capture_output=True, check=True, text=True)
    return median(json.loads(done.stdout.splitlines()[-1]))


@contextmanager
def _busy_program() -> Iterator[None]:
    program = subprocess.Popen([sys.executable, "-c", _BUSY])
    try:
        yield
    finally:
        program.kill()
        program.wait()


def _step_times_ms() -> list[float]:
    """The time of each step of `fit`, from one progress report to the next."""
    recipe = read_recipe("default", _CHANGES)
    data = synthetic.dataset("synth:blobs", size=192, counts={"train": 160, "val": 8})
    decoded: Any = {
        split: decode(data.part(split), recipe.model.size) for split in ("train", "val")
    }
    stopwatch = Stopwatch()
    with tempfile.TemporaryDirectory() as folder:
        fit(Network(recipe, classes=1), recipe, decoded, Path(folder), stopwatch)
    pairs = zip(stopwatch.times[_WARM_UP:], stopwatch.times[_WARM_UP + 1 :], strict=False)
    return [(later - earlier) * 1000 for earlier, later in pairs]


if __name__ == "__main__":
    main()
