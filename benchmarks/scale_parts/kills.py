"""One job through 20 killed workers and 5 killed commands: every image is there once."""

import collections
import random
import shutil
import subprocess
import time
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from machine import show
from scale_parts.rounds import SMALL, Trial, parts_in, predict_command

_IMAGES = 12_000
_DRIVERS, _WORKERS_EACH = 5, 5  # a worker may be gone before its kill: some to spare
_LONGEST_S = 600


def run(trial: Trial) -> None:
    """Run the job to its end, and compare its rows with those of one machine."""
    folder = trial.photographs(trial.images or _IMAGES, SMALL)
    one, out = trial.keep / "one.parquet", trial.keep / "killed"
    shutil.rmtree(out, ignore_errors=True)
    if not one.exists():
        subprocess.run(predict_command(trial.model, [str(folder)], one), check=True)
    command = predict_command(trial.model, [str(folder)], out, "--on", "ray")
    dice, start = random.Random(0), time.perf_counter()
    kills: collections.Counter[str] = collections.Counter()
    for _ in range(_DRIVERS):
        kills += _kill_some(command, out, dice)
        trial.add("kills", {"parts": len(parts_in(out)), **kills})
    subprocess.run(command, check=True)
    result = {**kills, "seconds": time.perf_counter() - start, **_compare(out, one)}
    trial.add("kills", result)
    show("kills", [result])


def _kill_some(command: list[str], out: Path, dice: random.Random) -> collections.Counter[str]:
    """Start the command, kill some of its workers and then itself, each after some progress."""
    kills: collections.Counter[str] = collections.Counter()
    with subprocess.Popen(command, start_new_session=True) as driver:
        for _ in range(_WORKERS_EACH):
            _await_part(driver, out)
            time.sleep(dice.random())
            if workers := _workers(driver.pid):
                dice.choice(workers).kill()
                kills["workers"] += 1
        _await_part(driver, out)
        if driver.poll() is None:
            driver.kill()
            kills["drivers"] += 1
    return kills


def _await_part(driver: subprocess.Popen[bytes], out: Path) -> None:
    before, deadline = len(parts_in(out)), time.monotonic() + _LONGEST_S
    while len(parts_in(out)) == before and driver.poll() is None:
        if time.monotonic() > deadline:
            driver.kill()
            raise SystemExit(f"no part was finished within {_LONGEST_S} s")
        time.sleep(0.05)


def _workers(driver: int) -> list[psutil.Process]:
    found = []
    for process in psutil.Process(driver).children(recursive=True):
        try:
            if "MapWorker" in " ".join(process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


def _compare(out: Path, one: Path) -> dict[str, float]:
    found = pa.concat_tables(pq.read_table(part) for part in parts_in(out)).sort_by("image")
    wanted = pq.read_table(one).sort_by("image")
    names, all_names = found["image"].to_pylist(), wanted["image"].to_pylist()
    return {
        "images": len(all_names),
        "missing": len({*all_names} - {*names}),
        "twice": len(names) - len({*names}),
        "equal": float(found.drop_columns(["error"]).equals(wanted)),
    }
