"""kill -9 at random moments: no half file, and the next run ends as an unbroken one.

python benchmarks/crashes.py --keep DIR [--only NAME ...] [--kills N] [--json FILE]
"""

import random
from pathlib import Path
from typing import Any

from faults_parts import laws
from faults_parts.bench import Bench, prepare, watch
from faults_parts.operations import CROWDS, OPERATIONS, Operation
from labelling_parts.kills import kill_often
from machine import arguments, publish

_LABEL = "label, a server"
_KILLS = {
    "train a network": 40,
    **dict.fromkeys([f"predict many --{kind}" for kind in ("jsonl", "csv", "coco", "parquet")], 10),
    "export --to fp32": 10,
    "export --to int8": 15,
    "export --to openvino": 15,
    "calibrate": 30,
    "calibrate HOG windows": 10,
    _LABEL: 40,
}
"""Kills of each operation: 40 of each command."""

_LABELLED_IMAGES = 60


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--keep", type=Path, required=True, help="the folder of models and traces")
    parser.add_argument("--only", action="append", choices=_KILLS, help="repeatable")
    parser.add_argument("--kills", type=int, help="of each operation; by default 10 to 40")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    keep, operations = options.keep.resolve(), {**OPERATIONS, **CROWDS}
    rows = []
    for name in options.only or _KILLS:
        kills = options.kills or _KILLS[name]
        if name == _LABEL:
            rows.append(_kill_server(kills, options.seed))
            continue
        prepare(keep)
        dice = random.Random(f"{options.seed} {name}")
        rows.append(_kill(watch(name, operations[name], keep, has_shim=False), kills, dice))
    publish("crashes", rows, options.json)
    if any(row["broken"] for row in rows):
        raise SystemExit(1)


def _kill(bench: Bench, kills: int, dice: random.Random) -> dict[str, Any]:
    counts = {"kills": 0, "ended before": 0, "broken": 0}
    for _ in range(kills):
        moment = dice.uniform(0, bench.seconds)
        ended = bench.disturb(_act, kill_after_s=moment)
        counts["kills"] += 1
        counts["ended before"] += ended.code == 0
        after = bench.state()
        broken = laws.broken_by_files(bench.operation, bench.before, after, bench.whole)
        broken += laws.damaged_in(bench.folder)
        broken += bench.broken_by_next_run()
        counts["broken"] += bool(broken)
        if broken:
            print(f"  {bench.name}, killed after {moment:.3f} s: {broken}", flush=True)
    return {"operation": bench.name, "seconds": bench.seconds, **counts}


def _act(operation: Operation, folder: Path) -> None:
    operation.prepare(folder)
    operation.act(folder)


def _kill_server(kills: int, seed: int) -> dict[str, Any]:
    counts = kill_often(kills, _LABELLED_IMAGES, seed)
    broken = counts["lost"] + counts["files_broken"] + counts["differs_in_file"]
    return {
        "operation": _LABEL,
        "seconds": 0.0,
        "kills": counts["kills"],
        "ended before": 0,
        "broken": broken,
    }


if __name__ == "__main__":
    main()
