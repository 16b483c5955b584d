"""Images per second on a cluster and by `predict_many`, on the same cores, in turns."""

import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from machine import show
from scale_parts.rounds import Trial, predict_command
from turns import order

import onebox

_IMAGES = 1536
_SHORT = 512  # images of the short job: one shard for each of two workers
_TARGET = 0.85

_NODES = """
import sys
from ray.cluster_utils import Cluster
from onebox.cli import main

cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
for _ in range(int(sys.argv.pop(1)) - 1):
    cluster.add_node(num_cpus=1)
cluster.wait_for_nodes()
sys.argv += ["--on", f"ray://{cluster.address}"]
try:
    main()
finally:
    cluster.shutdown()
"""


def run(trial: Trial) -> None:
    """Measure all rounds, and print the medians."""
    short, long = (trial.photographs(count) for count in (_SHORT, trial.images or _IMAGES))
    competitors: dict[str, Callable[[Path], float]] = {
        "predict_many": lambda folder: _predict_many(trial, folder),
        "ray, 1 machine, 2 workers": lambda folder: _on_ray(trial, folder),
        "ray, 2 machines of 1 core": lambda folder: _on_nodes(trial, folder),
    }
    found: dict[str, list[dict[str, float]]] = {name: [] for name in competitors}
    for turn in range(trial.rounds):
        for name in order(list(competitors), turn):
            result = _rate(competitors[name], short, long)
            found[name].append(result)
            trial.add("throughput", {"round": turn, "competitor": name, **result})
    _show(found)


def _rate(measure: Callable[[Path], float], short: Path, long: Path) -> dict[str, float]:
    """Images per second of a job that runs: by a long job and a short one, which start alike.

    Ray and its workers need some seconds to start, however long the job is. The difference of
    the two times has no part of that.
    """
    short_s, long_s = measure(short), measure(long)
    images = len(_names(long)) - len(_names(short))
    return {"images_per_s": images / (long_s - short_s), "short_s": short_s, "whole_s": long_s}


def _show(found: dict[str, list[dict[str, float]]]) -> None:
    base = statistics.median(one["images_per_s"] for one in found["predict_many"])
    rows = []
    for name, results in found.items():
        rate = statistics.median(one["images_per_s"] for one in results)
        whole = statistics.median(one["whole_s"] for one in results)
        rows.append({"": name, "images/s": rate, "of predict_many": rate / base, "whole s": whole})
    show(f"throughput (target: {_TARGET} of predict_many)", rows)


def _predict_many(trial: Trial, folder: Path) -> float:
    localizer = onebox.load(trial.model, threads=1)
    paths = _names(folder)
    start = time.perf_counter()
    if sum(1 for _ in localizer.predict_many(paths, threads=2)) != len(paths):
        raise SystemExit("predict_many left images out")
    return time.perf_counter() - start


def _on_ray(trial: Trial, folder: Path) -> float:
    words = ("--on", "ray", "--workers", "2")
    out = trial.keep / "throughput"
    return _timed(predict_command(trial.model, [str(folder)], out, *words), out)


def _on_nodes(trial: Trial, folder: Path) -> float:
    out = trial.keep / "throughput"
    words = predict_command(trial.model, [str(folder)], out)[3:]
    return _timed([sys.executable, "-c", _NODES, "2", *words], out)


def _timed(command: list[str], out: Path) -> float:
    """Seconds of the whole command."""
    shutil.rmtree(out, ignore_errors=True)
    start = time.perf_counter()
    subprocess.run(command, check=True)
    return time.perf_counter() - start


def _names(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())
