"""What a search is asked to do, what it draws, and what its trials find."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from onebox.distributed.tuning.dimensions import Changes, Space

Status = Literal["ended", "stopped", "failed"]
"""Of a finished trial: ``stopped`` is early, because others were better at the same progress."""

WHOLE = 100
"""The progress of a trial at the end of its schedule, in percent."""


@dataclass(frozen=True, slots=True)
class TuneOptions:
    """How a search runs; none of it changes what its trials are.

    Attributes:
        started_s: Value of `time.monotonic` from which ``minutes`` counts.
        on: The cluster, as ``--on`` has it.
        workers: Trials at once; None for as many as suit the cluster.
        minutes: Time for trials and the full training; None for no limit.
        is_trained: Whether the best recipe is trained in full at the end.
    """

    started_s: float
    on: str
    workers: int | None = None
    minutes: float | None = None
    is_trained: bool = True


@dataclass(frozen=True, slots=True)
class Question:
    """What is searched for; a resumed search keeps it.

    Attributes:
        recipe: The recipe that is tuned, as nested tables.
        space: The settings that are searched, as the tables of a space file.
        weights: File of initial weights, or None.
        seed: Of the drawn trials.
        trials: What each trial changes; the first changes nothing.
        digests: Digests of the ``train`` and ``val`` images with their labels.
    """

    recipe: Mapping[str, Any]
    space: Mapping[str, Any]
    weights: str | None
    seed: int
    trials: tuple[Changes, ...]
    digests: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Point:
    """A validation of a trial.

    Attributes:
        progress: Of the schedule, in percent.
        value: Mean IoU on the validation images that the trial stands for: of the best epoch so
            far or of the latest, as the recipe chooses its checkpoint.
        seconds: Since the trial began.
    """

    progress: int
    value: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finished trial.

    Attributes:
        number: Its place among the trials, from 0.
        status: How it finished.
        curve: Its validations; a failed trial may have some.
        error: Why it failed; empty if it did not.
    """

    number: int
    status: Status
    curve: tuple[Point, ...]
    error: str = ""

    @property
    def value(self) -> float | None:
        """The metric at its last validation."""
        return self.curve[-1].value if self.curve else None

    @property
    def progress(self) -> int:
        """How far it came, in percent."""
        return self.curve[-1].progress if self.curve else 0

    @property
    def seconds(self) -> float:
        """How long it took, up to its last validation."""
        return self.curve[-1].seconds if self.curve else 0.0

    def as_json(self) -> dict[str, Any]:
        """As a record of the journal."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Outcome":
        """The outcome of a record.

        Raises:
            KeyError: If something is missing.
            TypeError: If something has another type.
            ValueError: If the status is unknown.
        """
        status = record["status"]
        if status not in get_args(Status):
            raise ValueError(f"status must be one of {', '.join(get_args(Status))}, got {status}.")
        curve = tuple(Point(**point) for point in record["curve"])
        return cls(int(record["number"]), status, curve, str(record["error"]))


@dataclass(frozen=True, slots=True)
class Found:
    """A search: its question and what its trials found so far.

    Attributes:
        question: What is searched for.
        space: The settings that are searched.
        outcomes: The finished trials, in the order in which they finished.
    """

    question: Question
    space: Space
    outcomes: tuple[Outcome, ...]

    @property
    def ended(self) -> list[Outcome]:
        """The trials that trained to the end, best first; of equals, the one drawn first."""
        whole = [one for one in self.outcomes if one.status == "ended" and one.value is not None]
        return sorted(whole, key=lambda one: (-(one.value or 0.0), one.number))

    @property
    def best(self) -> Outcome | None:
        """The best trial that trained to the end."""
        return next(iter(self.ended), None)

    @property
    def unchanged(self) -> Outcome | None:
        """The first trial, the recipe itself, if it has finished."""
        return next((one for one in self.outcomes if one.number == 0), None)


@dataclass(frozen=True, slots=True)
class TuneFiles:
    """The files of a search, in its folder."""

    folder: Path

    @property
    def journal(self) -> Path:
        """The question and every finished trial, one JSON object a line."""
        return self.folder / "trials.jsonl"

    @property
    def table(self) -> Path:
        """The trials as a table."""
        return self.folder / "trials.csv"

    @property
    def recipe(self) -> Path:
        """The best recipe."""
        return self.folder / "best.toml"

    @property
    def page(self) -> Path:
        """The page."""
        return self.folder / "tuning.html"

    @property
    def run(self) -> Path:
        """The folder of the full training."""
        return self.folder / "run"
