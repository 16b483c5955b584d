"""Training runs for the benchmarks: one process each, by the user's command line."""

import csv
import random
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

WEIGHTS = Path("weights", "mobilenetv2_100_same.safetensors")
BACKBONE = "mobilenetv2_100"
PROGRAM = (str(Path(sys.executable).with_name("onebox")),)


@dataclass(frozen=True, slots=True)
class Finished:
    """A finished run.

    Attributes:
        folder: The folder with ``model.onnx`` or ``model.npz``, ``metrics.json`` and the rest.
        seconds: Time of the whole command.
        train_seconds: Time of the epochs with their validation; without epochs, of the command.
    """

    folder: Path
    seconds: float
    train_seconds: float

    @property
    def model(self) -> Path:
        """The file to ship."""
        return model_of(self.folder)


def train(
    source: str | Path,
    recipe: str,
    changes: Sequence[str],
    folder: Path,
    program: Sequence[str] = PROGRAM,
) -> Finished:
    """Run ``onebox train``, or another program in its place; what it says in passing goes nowhere.

    Raises:
        RuntimeError: If it failed; with what it said.
    """
    command = [*program, "train", str(source), "--recipe", recipe, "--out", str(folder)]
    command += ["--json", "--on-bad", "skip", *changes]
    start = time.perf_counter()
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{done.stderr[-2000:]}")
    seconds = time.perf_counter() - start
    return Finished(folder, seconds, _train_seconds(folder, seconds))


def model_of(folder: Path) -> Path:
    """The file to ship of a run's folder."""
    return next(file for file in folder.iterdir() if file.stem == "model")


def settings(changes: Mapping[str, object]) -> list[str]:
    """Changed settings as command-line options."""
    return [word for key, value in changes.items() for word in ("--set", f"{key}={value}")]


def pretrained(shared: Path) -> list[str]:
    """Command-line options for the backbone whose weights are available."""
    return [*settings({"model.backbone": BACKBONE}), "--weights", str(shared / WEIGHTS)]


def source_of(data: str, shared: Path) -> str | Path:
    """A generated data set by its name, or the label file of a real one."""
    return data if data.startswith("synth:") else shared / "data" / data / "labels.csv"


def fewer(labels: Path, count: int, seed: int, file: Path) -> Path:
    """A label file with ``count`` of the training images, all test images, and no others."""
    with labels.open(newline="", encoding="utf-8") as opened:
        rows = list(csv.DictReader(opened))
    trained_on = [row for row in rows if row["split"] == "train"]
    kept = random.Random(seed).sample(trained_on, count)
    kept += [row for row in rows if row["split"] == "test"]
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.DictWriter(opened, rows[0].keys())
        writer.writeheader()
        writer.writerows({**row, "image": (labels.parent / row["image"]).resolve()} for row in kept)
    return file


def _train_seconds(folder: Path, whole: float) -> float:
    file = folder / "history.csv"
    if not file.is_file():
        return whole
    with file.open(encoding="utf-8") as rows:
        return float(list(csv.DictReader(rows))[-1]["seconds"])
