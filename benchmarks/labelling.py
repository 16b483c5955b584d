"""The figures of docs/labelling.md: a session by script, crashes while labelling; see README.md.

python benchmarks/labelling.py session --shared DIR --keep DIR results.json
python benchmarks/labelling.py table results.json
python benchmarks/labelling.py kills [--kills 50] results.json
"""

import argparse
import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from labelling_parts.kills import kill_often
from labelling_parts.sessions import Plan, run_session
from machine import facts, show

_ORDERS = ("mixed", "random")
_KILLS_IMAGES = 60
_GOOD = 0.9


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("verb", choices=("session", "table", "kills"))
    parser.add_argument("results", type=Path, metavar="FILE.json")
    parser.add_argument("--shared", type=Path, help="the folder of data sets and weights")
    parser.add_argument("--keep", type=Path, help="the folder of the sessions")
    parser.add_argument("--order", action="append", choices=_ORDERS, help="repeatable")
    parser.add_argument("--seed", action="append", type=int, help="repeatable; by default 0")
    parser.add_argument("--images", type=int, default=120)
    parser.add_argument("--labels", type=int, default=120)
    parser.add_argument("--every", type=int, default=20)
    parser.add_argument("--minutes", type=float, help="of a round; by default the product's")
    parser.add_argument(
        "--pace", type=float, help="seconds from one label to the next, without waiting for models"
    )
    parser.add_argument("--kills", type=int, default=50)
    options = parser.parse_args()
    {"session": _sessions, "table": _table, "kills": _kills}[options.verb](options)


def _sessions(options: argparse.Namespace) -> None:
    """Run each session that was asked for; write the results after each."""
    for seed in options.seed or (0,):
        for order in options.order or _ORDERS:
            plan = Plan(
                options.shared,
                order,
                seed,
                options.images,
                options.labels,
                options.every,
                options.minutes,
                options.pace,
            )
            row = run_session(plan, options.keep / f"{order}-{seed}")
            rows = [*_read(options.results), row | {"machine": facts()}]
            options.results.write_text(json.dumps(rows, indent=1), encoding="utf-8")


def _kills(options: argparse.Namespace) -> None:
    counts = kill_often(options.kills, _KILLS_IMAGES, seed=0)
    options.results.write_text(json.dumps(counts | {"machine": facts()}), encoding="utf-8")
    show("kill -9 of the server", [counts])


def _table(options: argparse.Namespace) -> None:
    rows = _read(options.results)
    show("sessions", [_session_row(row) for row in rows])
    show("mean IoU on pictures of no session", [_rounds_row(row) for row in rows])
    show("answers, median / 95th percentile in ms (count)", [_answers_row(row) for row in rows])


def _session_row(row: dict[str, Any]) -> dict[str, Any]:
    labels = row["labels"]
    counts = {
        how: sum(one["how"] == how for one in labels) for how in ("drawn", "accepted", "corrected")
    }
    return {
        "order": row["order"],
        "seed": row["seed"],
        **counts,
        "acceptable after 40": _share(_proposed(labels[40:])),
        "label IoU": statistics.mean(one["box_iou"] for one in labels),
        "seconds": round(row["seconds"]),
        "of them waiting": round(row["seconds_waiting"]),
    }


def _rounds_row(row: dict[str, Any]) -> dict[str, Any]:
    found = {f"{one['labels']} labels": one["mean_iou"] for one in row["rounds"]}
    accuracy = row["accuracy"] or {}
    own = " ".join(f"{accuracy[key]:.3f}" for key in ("low", "mean_iou", "high") if accuracy)
    return {"order": row["order"], "seed": row["seed"], **found, "the session says": own}


def _answers_row(row: dict[str, Any]) -> dict[str, Any]:
    answers = {
        kind: f"{one['median_ms']:.0f} / {one['p95_ms']:.0f} ({one['count']})"
        for kind, one in row["answers"].items()
    }
    return {"order": row["order"], "seed": row["seed"], **answers}


def _proposed(labels: Sequence[dict[str, Any]]) -> list[float]:
    return [one["proposal_iou"] for one in labels if one["proposal_iou"] is not None]


def _share(ious: Sequence[float]) -> float:
    return sum(iou >= _GOOD for iou in ious) / len(ious) if ious else float("nan")


def _read(file: Path) -> list[dict[str, Any]]:
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else []


if __name__ == "__main__":
    main()
