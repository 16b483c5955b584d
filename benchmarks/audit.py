"""The figures of docs/audit.md: faults that `onebox audit` finds, and its time; see README.md.

python benchmarks/audit.py run --shared DIR --keep DIR results.json
python benchmarks/audit.py table results.json
"""

import argparse
import json
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
from onebox.audit.csv_list import write_list
from onebox.audit.find import find
from onebox.audit.job import DEFAULT_RATE, Audited, AuditOptions, audit
from onebox.audit.page import write_page
from onebox.audit.records import SIDES, Audit, Finding, OutOfFold
from onebox.boxes import paired_iou
from onebox.progress import Silent
from onebox.recipes.loading import read_recipe
from onebox.structures import Dataset

_FRACTION = 0.05
_SEEDS = (0, 1)
_KINDS: dict[str, Sequence[str]] = {"boxes": faults.BOX_KINDS, "classes": (faults.CLASS_KIND,)}
_REDRAWS = 60


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
    kinds = _KINDS[case.faults]
    faulty = faults.inject(right, _FRACTION, kinds, seed)
    begin = time.perf_counter()
    done = _audit(faulty.data, folder / "audit", seed, options.shared)
    seconds = time.perf_counter() - begin
    figures = _figures(done.audit, faulty, right)
    drawn = [_redrawn(done.found, right, kinds, 1000 + number) for number in range(_REDRAWS)]
    return {
        "case": name,
        "seed": seed,
        "images": len(right),
        "seconds": seconds,
        **_training_seconds(faulty.data, folder, seed, options),
        **figures,
        **{f"redrawn_{key}": _mean(drawn, key) for key in drawn[0]},
        "machine": machine,
    }


def _redrawn(
    found: OutOfFold, right: Dataset, kinds: Sequence[str], seed: int
) -> dict[str, float | int | None]:
    """The figures for other faults in the same images, with the same predictions."""
    faulty = faults.inject(right, _FRACTION, kinds, seed)
    return _figures(find(faulty.data, found, DEFAULT_RATE), faulty, right)


def _training_seconds(
    data: Dataset, folder: Path, seed: int, options: argparse.Namespace
) -> dict[str, float]:
    """Seconds of one ``onebox train`` on the same labels, if asked for."""
    if not options.train:
        return {}
    labels = folder / "data" / "labels.csv"
    labels.parent.mkdir(parents=True, exist_ok=True)
    formats.write(data, labels, "csv")
    changes = [*runs.pretrained(options.shared), "--seed", str(seed)]
    return {"train_seconds": runs.train(labels, "default", changes, folder / "run").seconds}


def _data(case: Case, seed: int, shared: Path) -> Dataset:
    """The images with a box of a shared data set, or some of them."""
    data = onebox.read(runs.source_of(case.data, shared), on_bad="skip")
    rows = [row for row, sample in enumerate(data) if sample.box is not None]
    if case.images is not None:
        rows = sorted(np.random.default_rng(seed).permutation(rows)[: case.images].tolist())
    return replace(data, samples=tuple(data.samples[row] for row in rows))


def _audit(data: Dataset, folder: Path, seed: int, shared: Path) -> Audited:
    """What ``onebox audit`` does, its files included."""
    recipe = read_recipe("default", [f"model.backbone={runs.BACKBONE}"]).with_seed(seed)
    options = AuditOptions(time.monotonic(), weights=shared / runs.WEIGHTS)
    done = audit(data, recipe, options, Silent())
    folder.mkdir(parents=True, exist_ok=True)
    write_list(done.audit, data, folder / "audit.csv")
    write_page(done.audit, data, folder / "audit.html", facts={"Seed": str(seed)})
    return done


def _figures(found: Audit, faulty: faults.Faulty, right: Dataset) -> dict[str, Any]:
    is_of_class = faults.CLASS_KIND in faulty.kinds.values()
    ranked = found.classes if is_of_class else found.boxes
    is_fault = np.array([finding.row in faulty.kinds for finding in ranked])
    listed = np.array([finding.is_listed for finding in ranked])
    wrong = [finding for finding in ranked if finding.row in faulty.kinds]
    figures: dict[str, Any] = {
        "faults": int(is_fault.sum()),
        "auroc": _auroc(is_fault),
        "precision": float(is_fault[: is_fault.sum()].mean()),
        "listed": int(listed.sum()),
        "listed_right": int((listed & ~is_fault).sum()),
        "share_right": float((listed & ~is_fault).sum() / max(listed.sum(), 1)),
        "found": int((listed & is_fault).sum()),
    }
    if is_of_class:
        named = (finding.label == right.samples[finding.row].label for finding in wrong)
        return {**figures, "class_named": _fraction(named)}
    return {
        **figures,
        **_side_figures(wrong, faulty),
        **_by_kind(ranked, faulty),
        **_suggestions(wrong, faulty, right),
    }


def _auroc(is_fault: ndarray) -> float:
    """Of the ranks: the probability that a fault is before a right label."""
    places = np.flatnonzero(is_fault)
    before = places - np.arange(len(places))  # right labels before each fault
    return 1 - float(before.mean()) / float((~is_fault).sum())


def _side_figures(wrong: Sequence[Finding], faulty: faults.Faulty) -> dict[str, Any]:
    """Sides named right: of all faults of one side, and of those where a side stands out."""
    of_side = [finding for finding in wrong if finding.row in faulty.sides]
    true = {finding.row: SIDES[faulty.sides[finding.row]] for finding in of_side}
    named = [finding for finding in of_side if finding.side]
    return {
        "side_faults": len(of_side),
        "side": _fraction(f" the {true[one.row]} edge" in one.why for one in of_side),
        "sides_standing_out": len(named),
        "side_standing_out": _fraction(one.side == true[one.row] for one in named),
    }


def _by_kind(ranked: Sequence[Finding], faulty: faults.Faulty) -> dict[str, Any]:
    """AUROC of each kind of fault against the right labels."""
    kinds = np.array([faulty.kinds.get(finding.row, "") for finding in ranked])
    of_kind = {kind: (kinds == kind)[(kinds == kind) | (kinds == "")] for kind in set(kinds) - {""}}
    return {f"auroc_{kind}": _auroc(flags) for kind, flags in sorted(of_kind.items())}


def _suggestions(
    wrong: Sequence[Finding], faulty: faults.Faulty, right: Dataset
) -> dict[str, float | None]:
    """Mean IoU of the faulty boxes that are listed with the right ones, before and after."""
    listed = [finding for finding in wrong if finding.is_listed]
    if not listed:
        return {"iou_given": None, "iou_suggested": None}
    true = np.array([right.samples[finding.row].box for finding in listed], np.float64)
    given = np.array([faulty.data.samples[finding.row].box for finding in listed], np.float64)
    suggested = np.array([finding.box for finding in listed], np.float64)
    return {
        "iou_given": float(paired_iou(given, true).mean()),
        "iou_suggested": float(paired_iou(suggested, true).mean()),
    }


def _fraction(answers: Iterator[bool]) -> float | None:
    known = list(answers)
    return sum(known) / len(known) if known else None


def _table(options: argparse.Namespace) -> None:
    """The mean of the seeds of each case, for the faults that were trained on, and redrawn."""
    known = _read(options.results)
    names = list(dict.fromkeys(row["case"] for row in known))
    for prefix in ("", "redrawn_"):
        rows = [_row(name, [row for row in known if row["case"] == name], prefix) for name in names]
        show("redrawn" if prefix else "as trained", rows)


def _row(name: str, known: Sequence[dict[str, Any]], prefix: str) -> dict[str, str | float]:
    columns = {
        "AUROC": "auroc",
        "P@5%": "precision",
        "side": "side",
        "standing out": "side_standing_out",
        "faults": "faults",
        "listed": "listed",
        "found": "found",
        "right in list": "share_right",
        "IoU given": "iou_given",
        "suggested": "iou_suggested",
        **{kind: f"auroc_{kind}" for kind in faults.BOX_KINDS},
    }
    about = {"case": name, "seeds": len(known), "images": known[0]["images"]}
    figures = {title: _mean(known, f"{prefix}{key}") for title, key in columns.items()}
    times = {title: _mean(known, title) for title in ("seconds", "train_seconds")}
    return {
        key: "-" if value is None else value for key, value in (about | figures | times).items()
    }


def _mean(rows: Sequence[dict[str, Any]], name: str) -> float | None:
    values = [row[name] for row in rows if row.get(name) is not None]
    return float(np.mean(values)) if values else None


def _read(file: Path) -> list[dict[str, Any]]:
    return json.loads(file.read_text("utf-8")) if file.is_file() else []


if __name__ == "__main__":
    main()
