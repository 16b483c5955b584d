"""The metrics of docs/accuracy.md: the default with a time budget, over seeds; see README.md.

python benchmarks/accuracy.py train --shared DIR --keep DIR results.json
python benchmarks/accuracy.py table results.json
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from machine import facts

import runs

_SEEDS = (0, 1, 2)
_SPLITS = ("val", "test")
_METRICS = ("mean_iou", "presence_auroc", "false_box_rate", "missed_rate")
_FROM_SCRATCH = ("--no-pretrained",)


@dataclass(frozen=True, slots=True)
class Case:
    """One row of the table: data, time and initial weights.

    Attributes:
        data: A folder of the shared data, or ``cats`` (generated).
        minutes: Time budget of the training run.
        images: Number of training images, drawn by the seed, without validation images; None
            for all.
        is_pretrained: Whether training starts from the shared weights, rather than from scratch.
    """

    data: str
    minutes: float
    images: int | None = None
    is_pretrained: bool = True


_CASES = {
    "raccoon": Case("raccoon", 4),
    "pets": Case("pets", 4),
    "caltech3": Case("caltech3", 8),
    "raccoon, 30 images": Case("raccoon", 2, 30),
    "raccoon, 60 images": Case("raccoon", 2, 60),
    "raccoon, 120 images": Case("raccoon", 2, 120),
    "cats, 15 % absent": Case("cats", 6, is_pretrained=False),
}
_CATS = ("--count", "3000", "--absent", "0.15", "--size", "224", "--seed", "0")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("verb", choices=("train", "table"))
    parser.add_argument("results", type=Path, metavar="FILE.json")
    parser.add_argument("--shared", type=Path, help="the folder of data sets and weights")
    parser.add_argument("--keep", type=Path, help="the folder of the runs")
    parser.add_argument("--case", action="append", choices=_CASES, help="repeatable")
    parser.add_argument(
        "--seed", action="append", type=int, help="repeatable; by default 0, 1 and 2"
    )
    options = parser.parse_args()
    {"train": _train, "table": _table}[options.verb](options)


def _train(options: argparse.Namespace) -> None:
    """Train what the results lack; write them after each run."""
    known = _read(options.results)
    done = {(row["case"], row["seed"]) for row in known}
    for name, seed in _runs(options):
        if (name, seed) not in done:
            known.append(_measured(name, seed, options))
            options.results.write_text(json.dumps(known, indent=1), "utf-8")
            print(json.dumps(known[-1]), flush=True)


def _runs(options: argparse.Namespace) -> Iterator[tuple[str, int]]:
    for seed in options.seed or _SEEDS:
        for name in options.case or _CASES:
            yield name, seed


def _measured(name: str, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    case, machine = _CASES[name], facts()
    folder = options.keep / f"{name.replace(' ', '-').replace(',', '').replace('%', 'percent')}"
    folder.mkdir(parents=True, exist_ok=True)
    changes = ["--minutes", f"{case.minutes:g}", "--seed", str(seed)]
    changes += runs.pretrained(options.shared) if case.is_pretrained else _FROM_SCRATCH
    source = _source(case, seed, folder, options.shared)
    done = runs.train(source, "default", changes, folder / str(seed))
    scores = json.loads((done.folder / "metrics.json").read_text("utf-8"))
    return {
        "case": name,
        "seed": seed,
        "seconds": done.seconds,
        "train_seconds": done.train_seconds,
        **{split: _metrics(scores[split]) for split in _SPLITS},
        "machine": machine,
    }


def _metrics(scores: dict[str, Any]) -> dict[str, float]:
    fractions = {f"iou_at_{level}": value for level, value in scores["iou_at"].items()}
    return {**{name: scores[name] for name in _METRICS if name in scores}, **fractions}


def _source(case: Case, seed: int, folder: Path, shared: Path) -> Path:
    if case.data == "cats":
        return _cats(folder / "images")
    labels = shared / "data" / case.data / "labels.csv"
    if case.images is None:
        return labels
    return runs.fewer(labels, case.images, seed, folder / f"labels-{seed}.csv")


def _cats(folder: Path) -> Path:
    if not folder.is_dir():
        program = str(Path(sys.executable).with_name("onebox"))
        subprocess.run([program, "synth", "cutouts", str(folder), *_CATS], check=True)
    return folder


def _table(options: argparse.Namespace) -> None:
    """Print one row per case: the mean over its seeds, and each seed's mean IoU."""
    known = _read(options.results)
    print(
        "| data | seeds | mean IoU (each) | ≥ 0.75 | ≥ 0.9 | AUROC | false boxes | whole command |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for name in _CASES:
        rows = [row for row in known if row["case"] == name]
        if rows:
            print(_line(name, rows))


def _line(name: str, rows: list[dict[str, Any]]) -> str:
    each = ", ".join(f"{row['test']['mean_iou']:.3f}" for row in rows)
    fractions = " | ".join(_mean(rows, metric) for metric in ("iou_at_0.75", "iou_at_0.9"))
    presence = " | ".join(_mean(rows, metric) for metric in ("presence_auroc", "false_box_rate"))
    seconds = np.median([row["seconds"] for row in rows])
    mean = _mean(rows, "mean_iou")
    return (
        f"| {name} | {len(rows)} | {mean} ({each}) | {fractions} | {presence} | {seconds:.0f} s |"
    )


def _mean(rows: list[dict[str, Any]], metric: str) -> str:
    values = [row["test"][metric] for row in rows if metric in row["test"]]
    return f"{np.mean(values):.3f}" if values else ""


def _read(file: Path) -> list[dict[str, Any]]:
    return json.loads(file.read_text("utf-8")) if file.is_file() else []


if __name__ == "__main__":
    main()
