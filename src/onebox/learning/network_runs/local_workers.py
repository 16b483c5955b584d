"""Workers on this machine: one process for each GPU, or several that share the cores."""

import contextlib
import logging
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Sequence
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch

from onebox.errors import OneboxError, SettingError, format_count
from onebox.learning.network_runs.events import Follower
from onebox.learning.network_runs.job import Job, most_workers, part_of
from onebox.learning.network_runs.worker import work
from onebox.learning.parallel.placement import Placement
from onebox.learning.parallel.process_group import joined
from onebox.structures import Dataset
from onebox.threads import resolve_threads

MOST_LOSSES = 3
"""How often workers are started again after one was killed."""


def count_local_workers(devices: int | None, batch_size: int) -> int:
    """The number of workers that ``--devices`` asks for; None is ``auto``.

    ``auto`` is the number of GPUs, or the largest below it that divides a batch equally; 1 without
    a GPU.

    Raises:
        SettingError: If the machine has GPUs, but not so many.
    """
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if devices is None:
        return most_workers(max(1, gpus), batch_size)
    if gpus and devices > gpus:
        raise SettingError(
            f"--devices {devices}: this machine has {format_count(gpus, 'GPU', 'GPUs')}. Give at "
            f"most {gpus}, or auto."
        )
    return devices


def run_local(job: Job, data: Dataset, workers: int, follower: Follower) -> None:
    """Run the workers of a job until they have ended; start them again if one is killed.

    Raises:
        OneboxError: If workers fail, or are killed again and again.
    """
    for _ in range(1 + MOST_LOSSES):
        codes = _run_once(job, data, workers, follower)
        if follower.error is not None or not any(codes):
            return
        if not any(code < 0 for code in codes):
            raise OneboxError(f"a worker failed; {_log(job, '*')} say why.")
    raise OneboxError(
        f"{_killed(codes)} This happened {MOST_LOSSES + 1} times: memory may be too small for "
        f"{workers} workers. Use fewer, and continue with --resume {job.folder}."
    )


def _run_once(job: Job, data: Dataset, workers: int, follower: Follower) -> list[int]:
    """Start the workers and wait for them; their exit codes, negative for a signal."""
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(prefix="onebox-") as folder:
        processes = []
        for rank in range(workers):
            placement = Placement(rank, workers, rank, device=_device(rank))
            told = (job, part_of(data, placement), placement, Path(folder) / "store")
            processes.append(context.Process(target=_enter, args=told, daemon=True))
        try:
            for process in processes:
                process.start()
            follower.follow_while(lambda: _is_running(processes))
            codes = [process.exitcode for process in processes]
        finally:
            _end(processes)
    return [code or 0 for code in codes]


def _is_running(processes: Sequence[BaseProcess]) -> bool:
    """Whether all workers that have ended so far have ended well, and some have not."""
    codes = [process.exitcode for process in processes]
    return None in codes and not any(codes)


def _end(processes: Sequence[BaseProcess]) -> None:
    for process in processes:
        if process.pid is not None and process.exitcode is None:
            process.kill()
    for process in processes:
        if process.pid is not None:
            process.join()


def _device(rank: int) -> str:
    return f"cuda:{rank}" if torch.cuda.is_available() else "cpu"


def _killed(codes: Sequence[int]) -> str:
    rank = next(rank for rank, code in enumerate(codes) if code < 0)
    return f"worker {rank} was killed by {signal.Signals(-codes[rank]).name}."


def _log(job: Job, rank: int | str) -> Path:
    return job.checkpoints / f"worker-{rank}.log"


# What a new process runs.
def _enter(job: Job, part: Dataset, placement: Placement, store: Path) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the first process asks
    threading.Thread(target=_end_with_parent, daemon=True).start()
    log = _log(job, placement.rank)
    with log.open("w", encoding="utf-8") as file:
        os.dup2(file.fileno(), sys.stderr.fileno())
        if sys.platform == "linux":
            os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
        torch.set_num_threads(max(1, resolve_threads(None) // placement.workers))
        if placement.device != "cpu":
            torch.cuda.set_device(placement.device)
        with contextlib.nullcontext() if placement.is_alone else joined(placement, store):
            work(job, part, placement)
    logging.shutdown()
    log.unlink(missing_ok=True)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
