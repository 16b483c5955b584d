"""Where a training run starts, where it goes, and since when its time budget counts."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What a run needs to know besides its data and its recipe.

    Attributes:
        started_s: Value of `time.monotonic` from which ``train.minutes`` counts.
        weights: Initial weights, as in `onebox.train`.
        out: The run's folder; None chooses a free name below ``runs``.
        resume: The folder of an interrupted run to continue, by its own recipe.
    """

    started_s: float
    weights: Path | None = None
    out: Path | None = None
    resume: Path | None = None
