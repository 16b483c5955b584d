"""Operations with less and less memory: our message or success, and earlier results intact.

python benchmarks/out_of_memory.py --keep DIR [--only NAME ...] [--json FILE]
"""

import collections
import functools
import resource
from pathlib import Path
from typing import Any

from faults_parts import laws
from faults_parts.bench import Bench, prepare, watch
from faults_parts.operations import OPERATIONS, Operation
from machine import arguments, publish

_MIB = 2**20
_EXTRA_MIB = (0, 2, 5, 10, 20, 35, 60, 90, 130, 180, 250, 350, 500, 700, 1000, 1500)
"""Address space beyond what the process has at the start."""

_STATUS = Path("/proc/self/status")


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--keep", type=Path, required=True, help="the folder of models and traces")
    parser.add_argument("--only", action="append", choices=OPERATIONS, help="repeatable")
    options = parser.parse_args()
    keep = options.keep.resolve()
    prepare(keep)
    names = options.only or OPERATIONS
    rows = [_starve(watch(name, OPERATIONS[name], keep, has_shim=False)) for name in names]
    publish("out_of_memory", rows, options.json)


def _starve(bench: Bench) -> dict[str, Any]:
    counts: collections.Counter[str] = collections.Counter()
    for extra in _EXTRA_MIB:
        ended = bench.disturb(functools.partial(_act, extra))
        broken = [] if ended.code == 0 else laws.broken_by_message(ended, bench.folder, "")
        # What has no memory names no file.
        broken = [each for each in broken if each != "message without a file"]
        counts["done" if ended.code == 0 else "message"] += not broken
        files = laws.broken_by_files(bench.operation, bench.before, bench.state(), bench.whole)
        files += [*bench.broken_by_next_run()]
        counts["no message"] += bool(broken)
        counts["files broken"] += bool(files)
        if broken or files:
            print(f"  {bench.name}, {extra} MiB more: {broken} {files}")
            for line in ended.error.strip().splitlines()[-3:]:
                print(f"      {line[:200]}", flush=True)
    columns = ("done", "message", "no message", "files broken")
    return {"operation": bench.name, **{name: counts[name] for name in columns}}


def _act(extra_mib: int, operation: Operation, folder: Path) -> None:
    operation.prepare(folder)
    lines = dict(line.split(":", 1) for line in _STATUS.read_text("utf-8").splitlines())
    limit = int(lines["VmSize"].split()[0]) * 1024 + extra_mib * _MIB
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    operation.act(folder)


if __name__ == "__main__":
    main()
