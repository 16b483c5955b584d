"""Every file-system call of an operation fails once, with each error that it can have.

python benchmarks/faults_injected.py --keep DIR [--only NAME ...] [--sample N] [--json FILE]
"""

import argparse
import collections
import dataclasses
import errno
import json
import os
import random
from pathlib import Path
from typing import Any

from faults_parts import laws, shim
from faults_parts.bench import Bench, prepare, watch
from faults_parts.operations import OPERATIONS, Operation
from machine import arguments, publish

_COLUMNS = ("error", "no effect", "without reason", "broken")
_READS = {"open to read", "read", "mmap"}
_UNSAID = ["message without the reason"]
_LINES = 3  # of a child's last words


@dataclasses.dataclass(frozen=True, slots=True)
class Fault:
    """A call that fails: its number, and which of its errors it gets."""

    number: int
    turn: int


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--keep", type=Path, required=True, help="the folder of models and traces")
    parser.add_argument("--only", action="append", choices=OPERATIONS, help="repeatable")
    parser.add_argument("--sample", type=int, help="faults of each operation, drawn at random")
    parser.add_argument("--model", type=Path, help="a network, to train none")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    options = parser.parse_args()
    shim.start_again_with_shim()
    keep = options.keep.resolve()
    prepare(keep, options.model)
    rows = []
    for name in options.only or OPERATIONS:
        rows.append(_disturb_often(watch(name, OPERATIONS[name], keep), options))
        print(json.dumps(rows[-1]), flush=True)
    publish("faults_injected", rows, options.json)
    if any(row["broken"] for row in rows):
        raise SystemExit(1)


def _faults(bench: Bench, options: argparse.Namespace) -> list[Fault]:
    """Each call with each of its errors; with one of them in turn if the operation is slow."""
    every = [
        Fault(number, turn)
        for number, call in enumerate(bench.calls, 1)
        for turn in range(len(shim.ERRORS[call.kind]))
        if not bench.operation.is_slow or turn == number % len(shim.ERRORS[call.kind])
    ]
    if options.sample is None:
        return every
    dice = random.Random(f"{options.seed} {bench.name}")
    chosen = dice.sample(every, min(options.sample, len(every)))
    return sorted(chosen, key=lambda fault: fault.number)


def _disturb_often(bench: Bench, options: argparse.Namespace) -> dict[str, Any]:
    counts: collections.Counter[str] = collections.Counter()
    faults = _faults(bench, options)
    for fault in faults:
        outcome, broken = _disturb(bench, fault)
        counts[outcome] += 1
        # A library that reads in another language may keep the reason to itself.
        is_unsaid = broken == _UNSAID and bench.calls[fault.number - 1].kind in _READS
        counts["without reason"] += is_unsaid
        counts["broken"] += bool(broken) and not is_unsaid
        if broken:
            _show(bench, fault, broken)
    return {
        "operation": bench.name,
        "calls": len(bench.calls),
        "faults": len(faults),
        **{name: counts[name] for name in _COLUMNS},
    }


def _disturb(bench: Bench, fault: Fault) -> tuple[str, list[str]]:
    """One fault, then the next run; how the operation ended, and which laws it broke."""
    log = bench.keep / "failed.json"
    log.write_text("[]", "utf-8")

    def act(operation: Operation, folder: Path) -> None:
        operation.prepare(folder)
        shim.arm(folder, fault.number, fault.turn)
        try:
            operation.act(folder)
        finally:
            failed = [dataclasses.astuple(call) for call in shim.disarm() if call.error]
            log.write_text(json.dumps(failed), "utf-8")

    ended = bench.disturb(act)
    failed = [shim.Call(*each) for each in json.loads(log.read_text("utf-8"))]
    after = bench.state()
    if ended.code == 0:
        changed = laws.differing(bench.operation, after, bench.whole)
        return "no effect", [f"succeeded with another {name}" for name in changed]
    reason = os.strerror(failed[0].error if failed else errno.EIO)
    broken = laws.broken_by_message(ended, bench.folder, reason)
    broken += laws.broken_by_files(bench.operation, bench.before, after, bench.whole)
    broken += [f"left: {name}" for name in laws.unfinished_in(bench.folder)]
    broken += bench.broken_by_next_run()
    if failed and failed[0].kind == "unlink":  # it is what could not be removed
        broken = [each for each in broken if "left" not in each and "leaves" not in each]
    return "error", broken


def _show(bench: Bench, fault: Fault, broken: list[str]) -> None:
    call = bench.calls[fault.number - 1]
    error = shim.ERRORS[call.kind][fault.turn]
    place = call.path.removeprefix(f"{bench.folder}/")
    print(f"  {bench.name}, call {fault.number}: {call.kind} {place}: {error}: {broken}")
    for line in bench.said.read_text("utf-8", "replace").strip().splitlines()[-_LINES:]:
        print(f"      {line}", flush=True)


if __name__ == "__main__":
    main()
