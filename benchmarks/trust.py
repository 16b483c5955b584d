"""How sure, measured: ranking, calibration, coverage, risk, foreign images; see docs/trust.md.

python benchmarks/trust.py train   --shared DIR --keep DIR
python benchmarks/trust.py predict --shared DIR --keep DIR
python benchmarks/trust.py table   --keep DIR
python benchmarks/trust.py cost    --shared DIR --keep DIR
"""

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from machine import facts
from trust_parts import figures
from trust_parts.cost import cost
from trust_parts.predicted import SETS, Predicted, predict, read

import runs

_SEEDS = (0, 1, 2)
_MINUTES = {"raccoon": 4, "pets": 4, "caltech3": 8}

_TABLES: dict[str, Callable[[Predicted], dict[str, float]]] = {
    "ranking, on test images": figures.ranking,
    "calibration, over halves": figures.calibration_errors,
    "outer boxes of 90 %, over halves": figures.outer_boxes,
    "risk of 5 %, over halves": figures.risks,
    "foreign images": figures.foreign,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("verb", choices=("train", "predict", "table", "cost"))
    parser.add_argument("--shared", type=Path, help="the folder of data sets and weights")
    parser.add_argument("--keep", type=Path, required=True, help="models: DATA-SEED.onnx")
    options = parser.parse_args()
    verbs = {"train": _train, "predict": _predict, "table": _table, "cost": _cost}
    verbs[options.verb](options)


def _train(options: argparse.Namespace) -> None:
    """Train the models that are missing, each within its minutes."""
    for seed in _SEEDS:
        for name in SETS:
            file = options.keep / f"{name}-{seed}.onnx"
            if not file.exists():
                changes = ["--minutes", str(_MINUTES[name]), "--seed", str(seed)]
                changes += runs.pretrained(options.shared)
                source = options.shared / "data" / name / "labels.csv"
                done = runs.train(source, "default", changes, options.keep / f"{name}-{seed}")
                file.write_bytes(done.model.read_bytes())


def _predict(options: argparse.Namespace) -> None:
    for name, seed in _models(options.keep):
        file = options.keep / f"{name}-{seed}.json"
        if not file.exists():
            found = predict(options.keep / f"{name}-{seed}.onnx", options.shared)
            file.write_text(json.dumps(found), "utf-8")
            print(file, flush=True)


def _table(options: argparse.Namespace) -> None:
    models = [read(options.keep / f"{n}-{s}.json", n, s) for n, s in _models(options.keep)]
    for title, figure in _TABLES.items():
        rows = {(one.data, one.seed): figure(one) for one in models}
        print(f"\n{title}")
        for data in SETS:
            chosen = [row for (name, _), row in rows.items() if name == data]
            for number in {key for row in chosen for key in row}:
                values = [row[number] for row in chosen if row.get(number) is not None]
                each = " ".join(f"{value:.3f}" for value in values)
                mean = f"{np.mean(values):.3f}" if values else "-"
                print(f"  {data:9} {number:24} {mean}   ({each})")


def _cost(options: argparse.Namespace) -> None:
    for name in SETS:
        labels = options.shared / "data" / name / "labels.csv"
        found = cost(options.keep / f"{name}-{_SEEDS[0]}.onnx", labels)
        print(name, json.dumps(found), flush=True)
    print(json.dumps(facts()))


def _models(folder: Path) -> Iterator[tuple[str, int]]:
    for name in SETS:
        for seed in _SEEDS:
            if (folder / f"{name}-{seed}.onnx").exists():
                yield name, seed


if __name__ == "__main__":
    main()
