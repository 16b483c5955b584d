"""The figures of docs/audit.md: faults that `onebox audit` finds, and its time; see README.md.

python benchmarks/audit.py run --shared DIR --keep DIR results.json
python benchmarks/audit.py table results.json
"""

import argparse
import csv
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import faults
import numpy as np
from machine import facts, show
from numpy import ndarray

import onebox
import runs
from onebox import formats
from onebox.audit.csv_list import SUGGESTED
from onebox.boxes import paired_iou
from onebox.structures import Dataset

_FRACTION = 0.05
_SEEDS = (0, 1)
_KINDS: dict[str, Sequence[str]] = {"boxes": faults.BOX_KINDS, "classes": (faults.CLASS_KIND,)}
_YES = "yes"


@dataclass(frozen=True, slots=True)
class Case:
    """A data set with faults.

    Attributes:
        data: A folder of the shared data.
        faults: ``boxes`` or ``classes``.
        images: Number of its images, drawn at random; None for all.
    """

    data: str
    faults: str
    images: int | None = None


_CASES = {
    "pets, boxes": Case("pets", "boxes"),
    "pets, classes": Case("pets", "classes"),
    "caltech3, boxes": Case("caltech3", "boxes", 400),
    "caltech3, classes": Case("caltech3", "classes", 400),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("verb", choices=("run", "table"))
    parser.add_argument("results", type=Path, metavar="FILE.json")
    parser.add_argument("--shared", type=Path, help="the folder of data sets and weights")
    parser.add_argument("--keep", type=Path, help="the folder of the audits")
    parser.add_argument("--case", action="append", choices=_CASES, help="repeatable")
    parser.add_argument("--seed", action="append", type=int, help="repeatable; by default 0 and 1")
    parser.add_argument("--train", action="store_true", help="time one training run as well")
    options = parser.parse_args()
    {"run": _run, "table": _table}[options.verb](options)


def _run(options: argparse.Namespace) -> None:
    """Audit what the results lack; write them after each audit."""
    known = _read(options.results)
    done = {(row["case"], row["seed"]) for row in known}
    for name, seed in _asked(options):
        if (name, seed) not in done:
            known.append(_measured(name, seed, options))
            options.results.write_text(json.dumps(known, indent=1), "utf-8")
            print(json.dumps(known[-1]), flush=True)


def _asked(options: argparse.Namespace) -> Iterator[tuple[str, int]]:
    for seed in options.seed or _SEEDS:
        for name in options.case or _CASES:
            yield name, seed


def _measured(name: str, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    case, machine = _CASES[name], facts()
    folder = options.keep / name.replace(", ", "-") / str(seed)
    right = _data(case, seed, options.shared)
    faulty = faults.inject(right, _FRACTION, _KINDS[case.faults], seed)
    labels = folder / "data" / "labels.csv"
    labels.parent.mkdir(parents=True, exist_ok=True)
    formats.write(faulty.data, labels, "csv")
    changes = [*runs.pretrained(options.shared), "--seed", str(seed)]
    seconds = _audit(labels, folder / "audit", changes)
    rows = _rows(folder / "audit" / "audit.csv", case.faults, faulty.data)
    figures = _figures(rows, faulty, right)
    train = {}
    if options.train:
        train = {"train_seconds": runs.train(labels, "default", changes, folder / "run").seconds}
    about = {"case": name, "seed": seed, "images": len(right), "seconds": seconds}
    return {**about, **train, **figures, "machine": machine}


def _data(case: Case, seed: int, shared: Path) -> Dataset:
    """The images with a box of a shared data set, or some of them."""
    data = onebox.read(runs.source_of(case.data, shared), on_bad="skip")
    rows = [row for row, sample in enumerate(data) if sample.box is not None]
    if case.images is not None:
        rows = sorted(np.random.default_rng(seed).permutation(rows)[: case.images].tolist())
    return replace(data, samples=tuple(data.samples[row] for row in rows))


def _audit(labels: Path, out: Path, changes: Sequence[str]) -> float:
    """Run ``onebox audit``, and return its seconds.

    Raises:
        RuntimeError: If it failed; with what it said.
    """
    program = Path(sys.executable).with_name("onebox")
    command = [str(program), "audit", str(labels), "--out", str(out), "--json", *changes]
    start = time.perf_counter()
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{done.stderr[-2000:]}")
    return time.perf_counter() - start


def _rows(table: Path, name: str, data: Dataset) -> dict[int, dict[str, str]]:
    """The rows of one list of ``audit.csv``, by the row of the image in the data."""
    place = {str(Path(sample.name).resolve()): row for row, sample in enumerate(data)}
    with table.open(newline="", encoding="utf-8") as opened:
        rows = [row for row in csv.DictReader(opened) if row["list"] == name]
    return {place[str((table.parent / row["image"]).resolve())]: row for row in rows}


def _figures(
    rows: dict[int, dict[str, str]], faulty: faults.Faulty, right: Dataset
) -> dict[str, Any]:
    order = sorted(rows, key=lambda row: int(rows[row]["rank"]))
    is_fault = np.array([row in faulty.kinds for row in order])
    listed = np.array([rows[row]["listed"] == _YES for row in order])
    figures: dict[str, Any] = {
        "faults": int(is_fault.sum()),
        "auroc": _auroc(is_fault),
        "precision": float(is_fault[: is_fault.sum()].mean()),
        "listed": int(listed.sum()),
        "listed_right": int((listed & ~is_fault).sum()),
        "found": int((listed & is_fault).sum()),
    }
    if faulty.sides:
        figures |= _side_figures(rows, faulty)
    if set(faulty.kinds.values()) <= set(faults.BOX_KINDS):
        figures |= _by_kind(order, faulty) | _suggestions(rows, faulty, right)
    else:
        figures["class_named"] = _fraction(
            rows[row]["suggested_label"] == right.samples[row].label for row in faulty.kinds
        )
    return figures


def _auroc(is_fault: ndarray) -> float:
    """Of the ranks: the probability that a fault is before a right label."""
    places = np.flatnonzero(is_fault)
    before = places - np.arange(len(places))  # right labels before each fault
    return 1 - float(before.mean()) / float((~is_fault).sum())


def _side_figures(rows: dict[int, dict[str, str]], faulty: faults.Faulty) -> dict[str, Any]:
    """Sides named right: of all faults of one side, and of those where a side stands out."""
    names = ("left", "top", "right", "bottom")
    largest = {row: _largest_side(rows[row]) for row in faulty.sides}
    named = {row: rows[row]["side"] for row in faulty.sides if rows[row]["side"]}
    return {
        "side_faults": len(faulty.sides),
        "side": _fraction(largest[row] == names[side] for row, side in faulty.sides.items()),
        "sides_standing_out": len(named),
        "side_standing_out": _fraction(
            word == names[faulty.sides[row]] for row, word in named.items()
        ),
    }


def _largest_side(row: dict[str, str]) -> str:
    """The side that the sentence of a row names, whether it stands out or not."""
    return next((word for word in ("left", "top", "right", "bottom") if word in row["why"]), "")


def _by_kind(order: Sequence[int], faulty: faults.Faulty) -> dict[str, Any]:
    """AUROC of each kind of fault against the right labels."""
    kinds = np.array([faulty.kinds.get(row, "") for row in order])
    of_kind = {kind: (kinds == kind)[(kinds == kind) | (kinds == "")] for kind in set(kinds) - {""}}
    return {f"auroc_{kind}": _auroc(flags) for kind, flags in sorted(of_kind.items())}


def _suggestions(
    rows: dict[int, dict[str, str]], faulty: faults.Faulty, right: Dataset
) -> dict[str, Any]:
    """Mean IoU of the faulty boxes that are listed with the right ones, before and after."""
    found = [row for row in faulty.kinds if rows[row]["listed"] == _YES]
    if not found:
        return {}
    true = np.array([right.samples[row].box for row in found], np.float64)
    given = np.array([faulty.data.samples[row].box for row in found], np.float64)
    suggested = np.array([[float(rows[row][edge]) for edge in SUGGESTED] for row in found])
    return {
        "iou_given": float(paired_iou(given, true).mean()),
        "iou_suggested": float(paired_iou(suggested, true).mean()),
    }


def _fraction(answers: Iterator[bool]) -> float | None:
    known = list(answers)
    return sum(known) / len(known) if known else None


def _table(options: argparse.Namespace) -> None:
    """The mean of the seeds of each case; the rates are of all seeds together."""
    known = _read(options.results)
    rows = []
    for name in dict.fromkeys(row["case"] for row in known):
        of_case = [row for row in known if row["case"] == name]
        listed = sum(row["listed"] for row in of_case)
        rows.append(
            {
                "case": name,
                "seeds": len(of_case),
                "images": of_case[0]["images"],
                "AUROC": _mean(of_case, "auroc"),
                "P@5%": _mean(of_case, "precision"),
                "side": _mean(of_case, "side"),
                "standing out": _mean(of_case, "side_standing_out"),
                "listed": listed,
                "right among them": sum(row["listed_right"] for row in of_case) / max(listed, 1),
                "found": sum(r["found"] for r in of_case) / sum(r["faults"] for r in of_case),
                "IoU given": _mean(of_case, "iou_given"),
                "suggested": _mean(of_case, "iou_suggested"),
                "seconds": _mean(of_case, "seconds"),
                "training": _mean(of_case, "train_seconds"),
            }
        )
    show("audit", rows)


def _mean(rows: Sequence[dict[str, Any]], name: str) -> float | str:
    values = [row[name] for row in rows if row.get(name) is not None]
    return float(np.mean(values)) if values else "-"


def _read(file: Path) -> list[dict[str, Any]]:
    return json.loads(file.read_text("utf-8")) if file.is_file() else []


if __name__ == "__main__":
    main()
