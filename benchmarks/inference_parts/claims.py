"""What a part of the benchmark is given, and what it hands back."""

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
        large: JPEGs of 12 megapixels.
        little: JPEGs of 0.3 megapixels.
        distinct: How many of either differ; the others are copies.
        passes: Timed passes over a folder.
        starts: Timed starts of the command line.
        predictions: Over which memory is read.
        every: Predictions between two readings.
        settled: Predictions that memory has to settle.
        kills: Times that one run is killed.
        resumed: Images of that run.
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
class Place:
    """What all parts share.

    Attributes:
        sizes: How much is timed.
        scratch: A folder for what is made.
        model: The default recipe's, or the one that was named.
        environments: The folder of other packages' environments; None where none is needed.
        svg: Where a plot goes; None for none.
    """

    sizes: Sizes
    scratch: Path
    model: Path
    environments: Path | None
    svg: Path | None

    def python_of(self, environment: str) -> Path:
        """The Python of another package's environment.

        Raises:
            ValueError: If no folder of environments was named.
        """
        if self.environments is None:
            raise ValueError("no folder of environments was named; name one.")
        return program_of(self.environments / environment, "python")


@dataclass(frozen=True, slots=True)
class Claim:
    """Something that is asked, and what was measured.

    Attributes:
        what: In words, with its unit.
        measured: The figure.
        asked: Its limit.
        is_least: Whether the figure must reach the limit, rather than stay within it.
    """

    what: str
    measured: float
    asked: float
    is_least: bool = field(default=False, kw_only=True)

    @property
    def holds(self) -> bool:
        """Whether what is asked was measured."""
        if self.is_least:
            return self.measured >= self.asked
        return self.measured <= self.asked

    def row(self) -> Row:
        """The line of a table."""
        sign = "≥" if self.is_least else "≤"
        held = "yes" if self.holds else "NO"
        return {"what": self.what, "asked": f"{sign} {self.asked:.4g}", "measured": self.measured,
                "holds": held}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shown:
    """What a part measured.

    Attributes:
        rows: In full, to print.
        claims: What is asked of them.
        raw: Readings that are kept beside the table.
    """

    rows: Sequence[Row]
    claims: Sequence[Claim]
    raw: Mapping[str, object] = field(default_factory=dict)
