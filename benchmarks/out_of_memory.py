"""Operations with less and less memory: our message or success, and earlier results intact.

The last few KiB belong to others: glibc ends the process where a thread cannot have its own data,
and Python waits for a thread that had no memory to start (its issue gh-140746). The column
`ended by a library` counts them.

python benchmarks/out_of_memory.py --keep DIR [--only NAME ...] [--json FILE]
"""

import collections
import dataclasses
import faulthandler
import functools
import re
import resource
from pathlib import Path
from typing import Any

from faults_parts import laws
from faults_parts.bench import Bench, prepare, watch
from faults_parts.forks import Ended
from faults_parts.operations import OPERATIONS, Operation
from machine import arguments, publish

_MIB = 2**20
_EXTRA_MIB = (0, 2, 5, 10, 20, 35, 60, 90, 130, 180, 250, 350, 500, 700, 1000, 1500)
"""Address space beyond what the process has at the start."""

_HANG_S = 60.0  # an undisturbed operation takes seconds; training takes longer
_TRAIN_S = 300.0
_ABORT = "cannot allocate memory for thread-local data: ABORT"  # glibc
_HANG = re.compile(r'threading\.py", line \d+ in start\n')  # as faulthandler writes it
_COLUMNS = ("done", "message", "ended by a library", "no message", "files broken")
_STATUS = Path("/proc/self/status")


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--keep", type=Path, required=True, help="the folder of models and traces")
    parser.add_argument("--only", action="append", choices=OPERATIONS, help="repeatable")
    options = parser.parse_args()
    keep = options.keep.resolve()
    prepare(keep)
    names = options.only or OPERATIONS
    rows = [_starve(_watch(name, keep)) for name in names]
    publish("out_of_memory", rows, options.json)


def _watch(name: str, keep: Path) -> Bench:
    limit_s = _TRAIN_S if name.startswith("train") else _HANG_S
    operation = dataclasses.replace(OPERATIONS[name], limit_s=limit_s)
    return watch(name, operation, keep, has_shim=False)


def _starve(bench: Bench) -> dict[str, Any]:
    counts: collections.Counter[str] = collections.Counter()
    for extra in _EXTRA_MIB:
        ended = bench.disturb(functools.partial(_act, extra))
        end = _end(ended, bench.folder)
        files = laws.broken_by_files(bench.operation, bench.before, bench.state(), bench.whole)
        files += [*bench.broken_by_next_run()]
        counts[end] += 1
        counts["files broken"] += bool(files)
        if end not in {"done", "message"} or files:
            print(f"  {bench.name}, {extra} MiB more: {end} (exit code {ended.code}) {files}")
            for line in ended.error.strip().splitlines()[-3:]:
                print(f"      {line[:200]}", flush=True)
    return {"operation": bench.name, **{name: counts[name] for name in _COLUMNS}}


def _end(ended: Ended, folder: Path) -> str:
    """How an operation ended: one of the first four columns."""
    if ended.code == 0:
        return "done"
    # What has no memory names no file.
    broken = set(laws.broken_by_message(ended, folder, "")) - {"message without a file"}
    if not broken:
        return "message"
    is_python = ended.is_late and _HANG.search(ended.error)
    return "ended by a library" if is_python or _ABORT in ended.error else "no message"


def _act(extra_mib: int, operation: Operation, folder: Path) -> None:
    operation.prepare(folder)
    faulthandler.dump_traceback_later(operation.limit_s / 2)  # where it hangs
    lines = dict(line.split(":", 1) for line in _STATUS.read_text("utf-8").splitlines())
    limit = int(lines["VmSize"].split()[0]) * 1024 + extra_mib * _MIB
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    operation.act(folder)


if __name__ == "__main__":
    main()
