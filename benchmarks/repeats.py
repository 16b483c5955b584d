"""Several runs of one training: wall time and intervals, on one machine and on Ray.

    python benchmarks/repeats.py --shared DIR --keep DIR [--minutes M] [--set KEY=VALUE ...]

README.md defines what is measured. One JSON line a case.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

from machine import facts

import runs

_CASES = {
    "seeds, one machine": ("--seeds", "3"),
    "seeds, Ray": ("--seeds", "3", "--on", "ray", "--workers", "2"),
    "folds, one machine": ("--folds", "5"),
    "folds, Ray": ("--folds", "5", "--on", "ray", "--workers", "2"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--shared", type=Path, required=True, help="data sets and weights")
    parser.add_argument("--keep", type=Path, required=True, help="the folder of the runs")
    parser.add_argument("--data", default="raccoon")
    parser.add_argument("--minutes", type=float, default=12.0, help="of each case")
    parser.add_argument("--case", action="append", choices=_CASES, help="repeatable")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    print(json.dumps({"machine": facts()}), flush=True)
    for name in options.case or _CASES:
        print(json.dumps({"case": name, **_measure(name, options)}), flush=True)


def _measure(name: str, options: argparse.Namespace) -> dict[str, object]:
    folder = options.keep / name.replace(", ", "-").replace(" ", "-").lower()
    changes = [word for change in options.set for word in ("--set", change)]
    command = [
        *(sys.executable, "-m", "onebox", "train"),
        *(str(runs.source_of(options.data, options.shared)), "--out", str(folder)),
        *("--minutes", str(options.minutes), "--json", "--on-bad", "skip"),
        *(*runs.pretrained(options.shared), *changes, *_CASES[name]),
    ]
    start = time.perf_counter()
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    seconds = time.perf_counter() - start
    if not done.stdout:
        raise RuntimeError(f"{' '.join(command)}\n{done.stderr[-2000:]}")
    found = json.loads(done.stdout)
    return {
        "seconds": round(seconds, 1),
        "minutes_asked": options.minutes,
        "code": done.returncode,
        "run_seconds": [run["seconds"] for run in found["runs"]],
        "over_runs": found["over_runs"]["mean_iou"],
        "over_images": found["over_images"].get("mean_iou"),
    }


if __name__ == "__main__":
    main()
