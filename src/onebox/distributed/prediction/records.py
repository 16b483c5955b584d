"""What a job on a cluster is asked to do, how it is cut, and what comes out, as plain records."""

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Request:
    """What a job was asked to do: a rerun in its folder must ask for the same.

    Attributes:
        onebox: The version of onebox.
        model: SHA-256 of the model's files.
        coverage: As in `onebox.localizer.Localizer.with_guarantees`.
        max_risk: As there.
        sources: The sources as the user named them.
        working_folder: Where relative names start.
        listed: SHA-256 of the names on standard input; None if ``-`` is no source.
    """

    onebox: str
    model: str
    coverage: float | None
    max_risk: float | None
    sources: tuple[str, ...]
    working_folder: str
    listed: str | None = None

    @property
    def digest(self) -> str:
        """A short name of this request, which its part files carry."""
        return hashlib.sha256(_as_text(dataclasses.asdict(self)).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class PlanFacts:
    """What a plan holds.

    Attributes:
        parts: Number of shards, and so of part files.
        images: Number of images; None if packed shards, which are not counted, are among them.
        problems: Sources that give no image, a sentence each.
    """

    parts: int
    images: int | None
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A job as ``_job.json`` keeps it."""

    request: Request
    plan: PlanFacts

    def as_json(self) -> str:
        """The text of the file."""
        return _as_text(dataclasses.asdict(self))

    @staticmethod
    def from_json(text: bytes) -> "JobRecord":
        """Read the file back.

        Raises:
            ValueError: If it is no such file.
        """
        try:
            found = json.loads(text)
            request, plan = found["request"], found["plan"]
            request["sources"] = tuple(request["sources"])
            plan["problems"] = tuple(plan["problems"])
            return JobRecord(Request(**request), PlanFacts(**plan))
        except (TypeError, KeyError) as error:
            raise ValueError(str(error)) from error


@dataclass(frozen=True, slots=True)
class PlannedShard:
    """One line of a plan: loose images, or one packed shard; the other is empty.

    Attributes:
        number: Of the shard and its part file, from 0.
        images: Name and address of each image: a path that is absolute, or a URI.
        packed: Name and address of the packed shard.
    """

    number: int
    images: tuple[tuple[str, str], ...] = ()
    packed: tuple[str, str] | None = None

    def as_line(self) -> str:
        """The line of the plan, with its line break."""
        content: dict[str, Any] = {"part": self.number}
        content |= {"images": self.images} if self.packed is None else {"shard": self.packed}
        return f"{json.dumps(content)}\n"

    @staticmethod
    def from_line(line: bytes) -> "PlannedShard":
        """Read the line back."""
        content = json.loads(line)
        if (packed := content.get("shard")) is not None:
            return PlannedShard(content["part"], packed=(packed[0], packed[1]))
        images = tuple((name, address) for name, address in content["images"])
        return PlannedShard(content["part"], images)


@dataclass(frozen=True, slots=True)
class PartSummary:
    """What a part file holds.

    Attributes:
        number: Of the part, from 0.
        rows: Number of rows.
        errors: Rows of images that could not be read.
        examples: The first errors, a sentence each.
    """

    number: int
    rows: int
    errors: int
    examples: tuple[str, ...] = ()


def _as_text(content: dict[str, Any]) -> str:
    return f"{json.dumps(content, indent=1)}\n"
