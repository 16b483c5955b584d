"""Training by several workers against one: accuracy over seeds, a lost worker, and another number.

    python benchmarks/parallel_training.py accuracy --shared DIR --out FILE   one and two workers
    python benchmarks/parallel_training.py killed   --shared DIR --out FILE   one worker is killed
    python benchmarks/parallel_training.py resumed  --shared DIR --out FILE   two workers, then one
    python benchmarks/parallel_training.py memory   --out FILE [--images 50000]

Every result is one line of JSON in the file. ``--on ray`` has the workers on a Ray cluster of this
machine. The memory is that which the system cannot take back: anonymous memory and shared memory of
all processes, sampled each half second; mapped files are left out.
"""

import argparse
import json
import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

import onebox
from onebox.progress import EpochMetrics, Silent, StopTraining
from onebox.recipes.loading import read_recipe
from onebox.runs.options import RunOptions, WorkerOptions
from onebox.runs.train import run
from onebox.structures import Dataset, Sample

_SAMPLE_S = 0.5


class Follower(Silent):
    """Keeps the epochs; at one of them it kills a worker, or stops the run."""

    def __init__(self, kill_at: int | None = None, stop_at: int | None = None) -> None:
        self.epochs: list[tuple[int, float]] = []
        self.notes: list[str] = []
        self._kill_at, self._stop_at = kill_at, stop_at

    def epoch(self, metrics: EpochMetrics) -> None:
        """Keep the epoch; kill or stop if it is time.

        Raises:
            StopTraining: If it is time to stop.
        """
        self.epochs.append((metrics.epoch, metrics.val_mean_iou))
        if self._kill_at is not None and metrics.epoch >= self._kill_at:
            self._kill_at = None
            os.kill(workers()[-1].pid, signal.SIGKILL)
        if self._stop_at is not None and metrics.epoch >= self._stop_at:
            raise StopTraining

    def note(self, sentence: str) -> None:
        """Keep what the run has to tell."""
        self.notes.append(sentence)


def workers() -> list[psutil.Process]:
    """The processes of the workers below this one."""
    words = ("RayTrainWorker", "spawn_main")
    below = psutil.Process().children(recursive=True)
    found = [each for each in below if any(word in " ".join(each.cmdline()) for word in words)]
    return sorted(found, key=lambda each: each.pid)


def train(
    arguments: argparse.Namespace,
    count: int,
    seed: int,
    *,
    out: Path | None = None,
    resume: Path | None = None,
    follower: Follower | None = None,
) -> dict:
    """Train once; what is worth a line."""
    changes = [f"train.seed={seed}", *arguments.set]
    recipe = read_recipe("default" if resume is None else resume / "recipe.toml", changes)
    weights = None if arguments.weights is None or resume is not None else Path(arguments.weights)
    data = onebox.read(Path(arguments.shared) / arguments.data)
    follower = follower or Follower()
    options = RunOptions(time.monotonic(), weights, out, resume, WorkerOptions(count, arguments.on))
    begin = time.monotonic()
    result = run(data, recipe, options, follower)
    return {
        "workers": count,
        "seed": seed,
        "on": arguments.on,
        "seconds": round(time.monotonic() - begin, 1),
        "epochs": result.epochs,
        "val_mean_iou": result.metrics["val"]["mean_iou"],
        "test_mean_iou": result.metrics.get("test", {}).get("mean_iou"),
        "notes": follower.notes,
    }


def accuracy(arguments: argparse.Namespace) -> Iterator[dict]:
    """One and two workers at the same batch of all workers together, over seeds, in turn."""
    for seed in range(arguments.seeds):
        for count in (1, 2):
            with tempfile.TemporaryDirectory() as folder:
                yield train(arguments, count, seed, out=Path(folder) / "run")


def killed(arguments: argparse.Namespace) -> Iterator[dict]:
    """Two workers, of which one is killed at an epoch."""
    for seed in range(arguments.seeds):
        with tempfile.TemporaryDirectory() as folder:
            follower = Follower(kill_at=arguments.epoch)
            yield train(arguments, 2, seed, out=Path(folder) / "run", follower=follower)


def resumed(arguments: argparse.Namespace) -> Iterator[dict]:
    """Two workers that are stopped at an epoch; one goes on."""
    for seed in range(arguments.seeds):
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "run"
            follower = Follower(stop_at=arguments.epoch)
            yield {"part": 1, **train(arguments, 2, seed, out=out, follower=follower)}
            yield {"part": 2, **train(arguments, 1, seed, resume=out)}


def memory(arguments: argparse.Namespace) -> Iterator[dict]:
    """Two workers on many generated photographs; one pass over them."""
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        data = photographs(Path(folder), arguments.images)
        changes = ["train.epochs=1", "model.pretrained=false", *arguments.set]
        recipe = read_recipe("default", changes)
        placed = WorkerOptions(arguments.workers, arguments.on)
        options = RunOptions(time.monotonic(), out=Path(folder) / "run", workers=placed)
        with sampled() as peak:
            begin = time.monotonic()
            run(data, recipe, options, Follower())
        yield {
            "images": arguments.images,
            "workers": arguments.workers,
            "on": arguments.on,
            "seconds": round(time.monotonic() - begin, 1),
            **{name: round(size / 2**20) for name, size in peak.items()},
        }


def photographs(folder: Path, count: int) -> Dataset:
    """Files of a bright rectangle on noise, each with other pixels; a tenth is for validation."""
    noise = np.random.default_rng(0)
    small = noise.integers(0, 160, (20, 30, 3), dtype=np.uint8)
    ground = np.asarray(Image.fromarray(small).resize((640, 480)))
    samples = []
    for row in range(count):
        x, y = (int(each) for each in noise.integers(0, [440, 280]))
        pixels = np.roll(ground, int(noise.integers(0, 640)), axis=1).copy()
        pixels[y : y + 200, x : x + 200] = 230
        path = folder / f"{row}.jpg"
        Image.fromarray(pixels).save(path, quality=85)
        box = (float(x), float(y), x + 200.0, y + 200.0)
        split = "val" if row % 10 == 0 else "test" if row % 100 == 1 else "train"
        samples.append(Sample(path, "bright", box, split, size_wh=(640, 480)))
    return Dataset(tuple(samples), ("bright",), name="photographs")


@contextmanager
def sampled() -> Iterator[dict[str, int]]:
    """Peaks of the memory in bytes: of all processes together, and of the one that has most."""
    peak = {"all_mib": 0, "largest_mib": 0}
    done = threading.Event()

    def sample() -> None:
        while not done.wait(_SAMPLE_S):
            sizes = [unreclaimable(each.pid) for each in _family()]
            peak["all_mib"] = max(peak["all_mib"], sum(sizes))
            peak["largest_mib"] = max(peak["largest_mib"], *sizes)

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()


def _family() -> list[psutil.Process]:
    own = psutil.Process()
    return [own, *own.children(recursive=True)]


def unreclaimable(pid: int) -> int:
    """Bytes of a process, its share of what it shares, that are no mapped files."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text("utf-8")
    except OSError:
        return 0
    rows = dict(line.split(":", 1) for line in text.splitlines()[1:])
    return sum(int(rows[name].split()[0]) * 1024 for name in ("Pss_Anon", "Pss_Shmem"))


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["accuracy", "killed", "resumed", "memory"])
    parser.add_argument("--shared", default="../shared/data", help="folder with the data sets")
    parser.add_argument("--data", default="raccoon/labels.csv", help="label file in that folder")
    parser.add_argument("--weights", help="safetensors file of the backbone")
    parser.add_argument("--set", action="append", default=[], help="a changed setting")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epoch", type=int, default=15, help="of the kill or the stop")
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folder", help="where generated photographs lie for the while")
    parser.add_argument("--on", help="ray for a cluster of this machine")
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args()


def main() -> None:
    arguments = read_arguments()
    measured = {"accuracy": accuracy, "killed": killed, "resumed": resumed, "memory": memory}
    for line in measured[arguments.what](arguments):
        text = json.dumps({"what": arguments.what, **line})
        print(text, flush=True)
        with arguments.out.open("a", encoding="utf-8") as file:
            file.write(text + "\n")


if __name__ == "__main__":
    main()
