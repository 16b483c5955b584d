"""A search for settings on the raccoons: killed once, resumed, and compared with the default.

The search is the user's command, ``onebox tune``. It is killed with SIGKILL as soon as a quarter of
its trials have finished, and resumed. The table has the default and the best recipe on ``val``,
where they were chosen, and on ``test``, which each full training measures once.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import machine

import runs

_POLL_S = 0.5


def main() -> None:
    parser = machine.arguments(__doc__ or "")
    parser.add_argument("--shared", type=Path, required=True, metavar="DIR")
    parser.add_argument("--keep", type=Path, required=True, metavar="DIR")
    parser.add_argument("--data", default="raccoon")
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--scratch", action="store_true", help="no pretrained weights")
    given = parser.parse_args()
    start = ["--no-pretrained"] if given.scratch else runs.pretrained(given.shared)
    changes = [word for change in given.set for word in ("--set", change)]
    source = str(runs.source_of(given.data, given.shared))
    folder = given.keep / "search"
    began = time.perf_counter()
    workers = [] if given.workers is None else ["--workers", str(given.workers)]
    words = ["--trials", str(given.trials), "--out", str(folder), *start, *changes, *workers]
    killed_at = kill_midway([source, *words], folder / "trials.jsonl", given.trials // 4)
    before = finished(folder / "trials.jsonl")
    tuned = tune([source, "--resume", str(folder), *workers])
    seconds = time.perf_counter() - began
    after = finished(folder / "trials.jsonl")
    default = runs.train(source, "default", [*start, *changes], given.keep / "default")
    metrics = json.loads((default.folder / "metrics.json").read_text("utf-8"))
    table = [
        row("default", tuned["unchanged"]["val_mean_iou"], metrics),
        row("best", tuned["best"]["val_mean_iou"], tuned["metrics"]),
    ]
    print(json.dumps(tuned["best"]["changes"]))
    print(
        f"{tuned['trials']}; killed after {killed_at:.0f} s with {len(before)} trials finished, "
        f"{len(after)} in the end, {len(after) - len(set(after))} of them twice; {seconds:.0f} s"
    )
    machine.publish("search for settings", table, given.json)


def row(name: str, value: float, metrics: dict[str, Any]) -> dict[str, str | float]:
    """A recipe: its trial on ``val``, and its full training on ``val`` and ``test``."""
    full = {f"{split} IoU": round(metrics[split]["mean_iou"], 4) for split in ("val", "test")}
    return {"recipe": name, "val IoU of trial": round(value, 4), **full}


def kill_midway(words: Sequence[str], journal: Path, count: int) -> float:
    """Start a search and kill it once some trials have finished; the seconds until then.

    Raises:
        RuntimeError: If it ended before.
    """
    began = time.perf_counter()
    # A session of its own, so that its Ray processes go with it.
    process = subprocess.Popen(
        command(words), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    )
    while len(finished(journal)) < count:
        if process.poll() is not None:
            said = process.stderr.read().decode() if process.stderr else ""
            raise RuntimeError(f"the search ended before it was killed:\n{said[-2000:]}")
        time.sleep(_POLL_S)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return time.perf_counter() - began


def finished(journal: Path) -> list[int]:
    """Numbers of the finished trials, as the journal has them; none before it exists."""
    if not journal.is_file():
        return []
    lines = journal.read_bytes().split(b"\n")[1:-1]  # without the question, and a torn line
    records = [json.loads(line) for line in lines]
    return [record["number"] for record in records if "number" in record]


def tune(words: Sequence[str]) -> dict[str, Any]:
    """Run ``onebox tune`` to its end; what it prints.

    Raises:
        RuntimeError: If it failed; with what it said.
    """
    done = subprocess.run(command(words), check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}\n{done.stderr[-2000:]}")
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts


def command(words: Sequence[str]) -> list[str]:
    """The command line of a search."""
    return [str(Path(sys.executable).with_name("onebox")), "tune", *words, "--json"]


if __name__ == "__main__":
    main()
