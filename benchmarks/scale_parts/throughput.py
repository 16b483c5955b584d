"""Images per second on a cluster and by `predict_many`, on the same cores, in turns."""

import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from machine import show
from scale_parts.rounds import Trial, parts_in, predict_command
from turns import order

import onebox

_IMAGES = 1000
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
    folder = trial.photographs(trial.images or _IMAGES)
    competitors: dict[str, Callable[[], dict[str, float]]] = {
        "predict_many": lambda: _predict_many(trial, folder),
        "ray, 1 machine, 2 workers": lambda: _on_ray(
            trial, folder, "--on", "ray", "--workers", "2"
        ),
        "ray, 1 machine, 1 worker of 2 threads": lambda: _on_ray(
            trial, folder, "--on", "ray", "--workers", "1"
        ),
        "ray, 2 machines of 1 core": lambda: _on_nodes(trial, folder),
    }
    found: dict[str, list[dict[str, float]]] = {name: [] for name in competitors}
    for turn in range(trial.rounds):
        for name in order(list(competitors), turn):
            result = competitors[name]()
            found[name].append(result)
            trial.add("throughput", {"round": turn, "competitor": name, **result})
    _show(found)


def _show(found: dict[str, list[dict[str, float]]]) -> None:
    base = statistics.median(one["images_per_s"] for one in found["predict_many"])
    rows = []
    for name, results in found.items():
        rate = statistics.median(one["images_per_s"] for one in results)
        whole = statistics.median(one["whole_s"] for one in results)
        rows.append({"": name, "images/s": rate, "of predict_many": rate / base, "whole s": whole})
    show(f"throughput (target: {_TARGET} of predict_many)", rows)


def _predict_many(trial: Trial, folder: Path) -> dict[str, float]:
    localizer = onebox.load(trial.model, threads=1)
    paths = sorted(folder.iterdir())
    start = time.perf_counter()
    count = sum(1 for _ in localizer.predict_many(paths, threads=2))
    spent = time.perf_counter() - start
    return {"images_per_s": count / spent, "whole_s": spent}


def _on_ray(trial: Trial, folder: Path, *words: str) -> dict[str, float]:
    out = trial.keep / "throughput"
    return _timed(
        predict_command(trial.model, [str(folder)], out, *words), out, len(_names(folder))
    )


def _on_nodes(trial: Trial, folder: Path) -> dict[str, float]:
    out = trial.keep / "throughput"
    words = predict_command(trial.model, [str(folder)], out)[3:]
    return _timed([sys.executable, "-c", _NODES, "2", *words], out, len(_names(folder)))


def _timed(command: list[str], out: Path, images: int) -> dict[str, float]:
    """The rate from the first part to the last, and the time of the whole command.

    The command starts Ray and its workers before the first part; a long job spends nearly all of
    its time after it.
    """
    shutil.rmtree(out, ignore_errors=True)
    start = time.perf_counter()
    subprocess.run(command, check=True)
    whole = time.perf_counter() - start
    ends = sorted(part.stat().st_mtime for part in parts_in(out))
    share = (len(ends) - 1) / len(ends)  # parts have about as many images each
    return {"images_per_s": images * share / (ends[-1] - ends[0]), "whole_s": whole}


def _names(folder: Path) -> list[Path]:
    return [*folder.iterdir()]
