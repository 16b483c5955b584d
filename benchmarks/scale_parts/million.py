"""A million small pictures in shards: time by images, and the memory of the command."""

import csv
import io
import os
import shutil
import subprocess
import tarfile
import time
from pathlib import Path

import photographs
import psutil
from inference_parts.curves import Curve, draw_curves
from machine import show
from scale_parts.rounds import Trial, parts_in, predict_command

_IMAGES, _SHARD, _DISTINCT = 1_000_000, 10_000, 16
_SIZE = (64, 64)
_CHECKPOINTS = 10
_LEAST_FACTOR = 100  # shards of a trial hold fewer pictures

_Sample = tuple[float, int, float]  # seconds, images, megabytes of the command


def run(trial: Trial) -> None:
    """Predict all shards, watch the command, and draw what was seen."""
    images = trial.images or _IMAGES
    in_shard = min(_SHARD, max(1, images // _LEAST_FACTOR))
    shards, out = _shards(trial.keep, images // in_shard, in_shard), trial.keep / "million"
    shutil.rmtree(out, ignore_errors=True)
    samples = _watch(predict_command(trial.model, [str(shards)], out, "--on", "ray"), out, in_shard)
    with (trial.keep / "million.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("seconds", "images", "megabytes"), *samples])
    (trial.keep / "scale-million.svg").write_text(_draw(samples), "utf-8")
    rows = _checkpoints(samples, images)
    trial.add("million", {"images": images, "checkpoints": rows})
    show("a million pictures", rows)


def _shards(keep: Path, count: int, in_shard: int) -> Path:
    """A folder of shards: one tar under many names, so that it takes the disk of one."""
    folder = keep / f"shards-{count}x{in_shard}"
    if folder.exists():
        return folder
    folder.mkdir()
    first = folder / "shard-00000.tar"
    pictures = [_jpeg(number) for number in range(_DISTINCT)]
    with tarfile.open(first, "w") as tar:
        for number in range(in_shard):
            content = pictures[number % _DISTINCT]
            info = tarfile.TarInfo(f"{number:06}.jpg")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    for number in range(1, count):
        os.link(first, folder / f"shard-{number:05}.tar")
    return folder


def _jpeg(seed: int) -> bytes:
    file = io.BytesIO()
    name = photographs.IMAGES[seed % len(photographs.IMAGES)]
    photographs.photograph(name, _SIZE, seed).save(file, "JPEG", quality=90)
    return file.getvalue()


def _watch(command: list[str], out: Path, in_shard: int) -> list[_Sample]:
    samples: list[_Sample] = []
    start = time.perf_counter()
    with subprocess.Popen(command) as driver:
        process = psutil.Process(driver.pid)
        while driver.poll() is None:
            try:
                megabytes = process.memory_info().rss / 1e6
            except psutil.NoSuchProcess:
                break
            done = len(parts_in(out)) * in_shard
            samples.append((time.perf_counter() - start, done, megabytes))
            time.sleep(1)
        if driver.wait():
            raise SystemExit(f"the command ended with {driver.returncode}")
    return [*samples, (time.perf_counter() - start, len(parts_in(out)) * in_shard, samples[-1][2])]


def _checkpoints(samples: list[_Sample], images: int) -> list[dict[str, float]]:
    """The first sample at each tenth; the rate is that since the tenth before."""
    rows: list[dict[str, float]] = []
    before: tuple[float, int] = next(((s, n) for s, n, _ in samples if n), (0.0, 0))
    for step in range(1, _CHECKPOINTS + 1):
        seconds, done, megabytes = next(s for s in samples if s[1] >= images * step // _CHECKPOINTS)
        rate = (done - before[1]) / (seconds - before[0]) if seconds > before[0] else 0.0
        rows.append({"images": done, "seconds": seconds, "images/s": rate, "MB": megabytes})
        before = (seconds, done)
    return rows


def _draw(samples: list[_Sample]) -> str:
    kept = samples[:: max(1, len(samples) // 200)]
    done = [count / 1000 for _, count, _ in kept]
    lines = [Curve("seconds", [s for s, _, _ in kept]), Curve("command, MB", [m for *_, m in kept])]
    return draw_curves(done, "thousand images", lines)
