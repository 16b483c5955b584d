"""Where a training run starts, where it goes, who trains, and since when its time budget counts."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """Processes that train one network together.

    Attributes:
        count: Number of workers; None for as many as there are GPUs (on a cluster without GPUs:
            machines).
        on: The cluster, as ``--on`` names it; None for this machine.
    """

    count: int | None = None
    on: str | None = None


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What a run needs to know besides its data and its recipe.

    Attributes:
        started_s: Value of `time.monotonic` from which ``train.minutes`` counts.
        weights: Initial weights, as in `onebox.train`.
        out: The run's folder; None chooses a free name below ``runs``.
        resume: The folder of an interrupted run to continue, by its own recipe.
        workers: The workers that train; None to train in this process.
    """

    started_s: float
    weights: Path | None = None
    out: Path | None = None
    resume: Path | None = None
    workers: WorkerOptions | None = None
