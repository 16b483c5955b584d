"""Requests per second and memory under full load, against `predict_many` in one process."""

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inference_parts.claims import Claim, PartResult, Row
from PIL import Image
from serving_parts.server_process import ServerProcess

import onebox

_HERE = Path(__file__).parent
_LARGE_WH = (4000, 3000)
_LARGE_COUNT = 12
_MOST_JPEGS = 40
_MANY_SHARE = 0.25  # of the seconds of a round of load
_WARM_UP_S = 3.0
_LEAST_RATIO, _MOST_STRETCH, _MOST_GROWTH_MB = 0.85, 5.0, 30.0
_SETTLED = 0.2  # of the load; memory before does not count

Reading = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Plan:
    """How long, in how many rounds, with how many requests at once.

    Attributes:
        seconds: Load in total, for each kind of image.
        rounds: Parts of it; `predict_many` runs between two parts.
        connections: Requests at once.
    """

    seconds: float
    rounds: int
    connections: int


def raccoons(shared: Path, _: Path) -> list[Path]:
    """Test images of the raccoon data set, JPEGs as they are."""
    data = onebox.read(shared / "data/raccoon/labels.csv").part("test")
    files = [Path(str(sample.image)) for sample in data]
    return [file for file in files if file.suffix.lower() in {".jpg", ".jpeg"}][:_MOST_JPEGS]


def large_raccoons(shared: Path, scratch: Path) -> list[Path]:
    """Some of them, enlarged to 12 megapixels."""
    folder = scratch / "large"
    folder.mkdir()
    for number, file in enumerate(raccoons(shared, scratch)[:_LARGE_COUNT]):
        with Image.open(file) as image:
            enlarged = image.convert("RGB").resize(_LARGE_WH, Image.Resampling.BICUBIC)
        enlarged.save(folder / f"{number:02}.jpg", quality=90, subsampling="4:2:0")
    return sorted(folder.iterdir())


KINDS: Mapping[str, Callable[[Path, Path], list[Path]]] = {
    "raccoon": raccoons,
    "12MP": large_raccoons,
}
"""Kinds of images; what decoding costs beside the network differs between them."""


def show(
    model: Path, images: Mapping[str, Sequence[Path]], plan: Plan, scratch: Path
) -> PartResult:
    """Load the server, and run `predict_many` in turns, for each kind of images.

    Raises:
        SystemExit: If wrk is not installed.
    """
    if shutil.which("wrk") is None:
        raise SystemExit("wrk, which loads the server, is not installed: apt-get install wrk")
    rows: list[Row] = []
    claims: list[Claim] = []
    raw: dict[str, object] = {}
    for kind, files in images.items():
        measured = _measure(model, files, plan, scratch)
        rows.append(_row(kind, files, measured))
        claims += _claims(kind, rows[-1])
        raw[kind] = measured
    return PartResult(rows, claims, raw)


def _measure(model: Path, files: Sequence[Path], plan: Plan, scratch: Path) -> dict[str, Any]:
    threads = len(os.sched_getaffinity(0))
    part = plan.seconds / plan.rounds
    with ServerProcess(model, scratch, "--threads", str(threads)) as server:
        words = [sys.executable, str(_HERE / "many.py"), str(model), str(threads)]
        process = subprocess.Popen(
            [*words, *map(str, files)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        try:
            _many(process, _WARM_UP_S)
            _wrk(server.port, files, _WARM_UP_S, plan.connections)
            served, many = [], []
            with server.sampled(min(5.0, part / 5)) as memory:
                for _ in range(plan.rounds):
                    many.append(_many(process, max(1.0, _MANY_SHARE * part)))
                    served.append(_wrk(server.port, files, part, plan.connections))
        finally:
            process.kill()
            process.communicate()
    return {"served": served, "many": many, "memory": memory}


def _many(process: subprocess.Popen[str], seconds: float) -> Reading:
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("the process has no pipes.")
    process.stdin.write(f"{seconds}\n")
    process.stdin.flush()
    found: dict[str, float] = json.loads(process.stdout.readline())
    return found


def _wrk(port: int, files: Sequence[Path], seconds: float, connections: int) -> Reading:
    """What wrk measures; it takes whole seconds.

    Raises:
        RuntimeError: If it prints no result.
    """
    words = ["wrk", "--threads", "1", "--connections", str(connections)]
    words += ["--duration", f"{max(1, round(seconds))}s", "--timeout", "30s"]
    words += ["--script", str(_HERE / "post.lua"), f"http://127.0.0.1:{port}", "--"]
    ended = subprocess.run([*words, *map(str, files)], check=True, capture_output=True, text=True)
    match = re.search(r"^RESULT (.*)$", ended.stdout, re.MULTILINE)
    if match is None:
        raise RuntimeError(f"wrk printed no result: {ended.stdout[-500:]}{ended.stderr[-500:]}")
    found: dict[str, float] = json.loads(match[1])
    return found


def _row(kind: str, files: Sequence[Path], measured: Mapping[str, Any]) -> Row:
    served, many = measured["served"], measured["many"]
    rates = [each["requests"] / each["seconds"] for each in served]
    of_many = [each["images"] / each["seconds"] for each in many]
    settled = list(_settled(measured["memory"]))
    return {
        "images": kind,
        "kB each": statistics.mean(file.stat().st_size for file in files) / 1000,
        "requests per second": statistics.median(rates),
        "min": min(rates),
        "max": max(rates),
        "predict_many": statistics.median(of_many),
        "ratio": statistics.median(a / b for a, b in zip(rates, of_many, strict=True)),
        "p50 ms": statistics.median(each["p50_ms"] for each in served),
        "p99 ms": statistics.median(each["p99_ms"] for each in served),
        "max ms": max(each["max_ms"] for each in served),
        "errors": sum(each["refused"] + each["broken"] for each in served),
        "MB settled": settled[0],
        "MB, max - min": max(settled) - min(settled),
    }


def _settled(memory: Sequence[tuple[float, float]]) -> Iterator[float]:
    last = memory[-1][0]
    return (mb for at, mb in memory if at >= _SETTLED * last)


def _claims(kind: str, row: Row) -> Iterator[Claim]:
    ratio, stretch = float(row["ratio"]), float(row["p99 ms"]) / float(row["p50 ms"])
    yield Claim(f"requests over predict_many, {kind}", ratio, _LEAST_RATIO, is_minimum=True)
    yield Claim(f"p99 over median, {kind}", stretch, _MOST_STRETCH)
    yield Claim(f"errors, {kind}", float(row["errors"]), 0.0)
    # The target is "flat", without a number; this one is the benchmark's own.
    yield Claim(f"MB, max - min, {kind}", float(row["MB, max - min"]), _MOST_GROWTH_MB)
