"""The input and the result of each part of the benchmark."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from environments import program_of

THREADS = (1, 2)

Row = Mapping[str, str | float]


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is timed.

    Attributes:
        calls: Timed calls of each network, and three times as many of `predict`.
        large: Number of JPEGs of 12 megapixels.
        little: Number of JPEGs of 0.3 megapixels.
        distinct: Number of different JPEGs of either kind; the others are copies.
        passes: Timed passes over a folder.
        starts: Timed starts of the command line.
        predictions: Number of predictions while memory is read.
        every: Predictions between two readings.
        settled: First predictions, which do not count for memory.
        kills: How often one run is killed.
        resumed: Number of images in that run.
    """

    calls: int = 300
    large: int = 200
    little: int = 1000
    distinct: int = 40
    passes: int = 3
    starts: int = 7
    predictions: int = 100_000
    every: int = 1000
    settled: int = 5000
    kills: int = 5
    resumed: int = 5000


SMALL = Sizes(
    calls=5, large=4, little=16, distinct=4, passes=1, starts=1, predictions=400, every=10,
    settled=100, kills=2, resumed=600,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Workspace:
    """What all parts share.

    Attributes:
        sizes: How much is timed.
        scratch: A folder for generated files.
        model: The given model, or an untrained one of the default recipe.
        environments: The folder of other packages' environments; None if none is needed.
        svg: The file for a plot; None for no plot.
    """

    sizes: Sizes
    scratch: Path
    model: Path
    environments: Path | None
    svg: Path | None

    def python_of(self, environment: str) -> Path:
        """The Python of another package's environment.

        Raises:
            ValueError: If there is no folder of environments.
        """
        if self.environments is None:
            raise ValueError("there is no folder of environments; name one with --environments.")
        return program_of(self.environments / environment, "python")


@dataclass(frozen=True, slots=True)
class Claim:
    """A target, and what was measured.

    Attributes:
        what: The measured quantity in words, with its unit.
        measured: The measured value.
        target: The limit for it.
        is_minimum: Whether the value must reach the limit, rather than stay within it.
    """

    what: str
    measured: float
    target: float
    is_minimum: bool = field(default=False, kw_only=True)

    @property
    def holds(self) -> bool:
        """Whether the target was met."""
        if self.is_minimum:
            return self.measured >= self.target
        return self.measured <= self.target

    def row(self) -> Row:
        """A row of the table."""
        sign = "≥" if self.is_minimum else "≤"
        met = "yes" if self.holds else "NO"
        return {"what": self.what, "target": f"{sign} {self.target:.4g}", "measured": self.measured,
                "met": met}  # fmt: skip


@dataclass(frozen=True, slots=True)
class PartResult:
    """What a part measured.

    Attributes:
        rows: The full table.
        claims: The targets.
        raw: Single readings, saved with the table.
    """

    rows: Sequence[Row]
    claims: Sequence[Claim]
    raw: Mapping[str, object] = field(default_factory=dict)
