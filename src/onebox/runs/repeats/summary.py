"""What several runs say together: ``repeats.json``."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from onebox.errors import SettingError, first_line
from onebox.files import write_atomically
from onebox.runs.repeats.intervals import Estimate, headlines, over_images, over_runs
from onebox.runs.repeats.one_run import RESULT, read_result
from onebox.runs.repeats.plan import Kind, Plan
from onebox.runs.repeats.predictions import outcomes_of_folds
from onebox.structures import Dataset, Split

SCHEMA_VERSION = 1
"""Version of `Repeats.as_json`; it grows when a program that reads the JSON would break."""

_OF_SEEDS = (
    "The interval is Student's t over the runs. It says how much the seed alone changes the "
    "result, on these {split} images. It does not say how the model does on other images."
)
_OF_FOLDS = (
    "The interval over folds is Student's t. It is approximate and mostly too narrow: the folds "
    "share training images, and no unbiased estimate of the variance exists (Bengio and "
    "Grandvalet, JMLR 5, 2004)."
)
_OF_IMAGES = (
    "The interval over images takes each image as measured once, by a model that was not trained "
    "on it. It says how much the choice of images changes the result, and leaves out that another "
    "training would give other models."
)


@dataclass(frozen=True, slots=True)
class Ended:
    """A run that is finished or failed.

    Attributes:
        name: Its name and that of its folder.
        metrics: Its metrics by dotted name; empty if it failed.
        images: Number of images that it was measured on.
        seconds: Time that it took; of the last part, if it was resumed.
        epochs: Epochs that ended.
        model: Name of its model file; empty if it failed.
        error: Why it failed; empty if it did not.
    """

    name: str
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    images: int = 0
    seconds: float = 0.0
    epochs: int = 0
    model: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Repeats:
    """What several runs say together.

    Attributes:
        folder: The folder of all runs.
        kind: Whether the seed or the fold differs.
        split: The split that was measured.
        runs: The runs, in order.
        over_runs: The mean of each metric over the finished runs.
        over_images: Each metric over the images of all finished folds; empty for seeds.
    """

    folder: Path
    kind: Kind
    split: Split
    runs: Sequence[Ended]
    over_runs: Mapping[str, Estimate]
    over_images: Mapping[str, Estimate]

    @property
    def report(self) -> Path:
        """The HTML report."""
        return self.folder / "report.html"

    @property
    def failed(self) -> list[Ended]:
        """The runs that failed."""
        return [run for run in self.runs if run.error]

    def meanings(self) -> list[str]:
        """What each interval says, a sentence or two each."""
        if self.kind == "seeds":
            return [_OF_SEEDS.format(split=self.split)]
        return [_OF_FOLDS, _OF_IMAGES]

    def as_json(self) -> dict[str, object]:
        """The content of ``repeats.json``, which ``train --json`` prints."""
        estimates = {"over_runs": self.over_runs, "over_images": self.over_images}
        return {
            "schema_version": SCHEMA_VERSION,
            "folder": str(self.folder),
            "report": str(self.report),
            "kind": self.kind,
            "split": self.split,
            "runs": [dataclasses.asdict(run) for run in self.runs],
            **{
                key: {name: dataclasses.asdict(one) for name, one in found.items()}
                for key, found in estimates.items()
            },
            "meaning": self.meanings(),
        }


def summarize(plan: Plan, data: Dataset, folder: Path, errors: Mapping[str, str]) -> Repeats:
    """Read the results of the finished runs, and compute means and intervals.

    Args:
        plan: What was to be done.
        data: The whole data set.
        folder: The folder of all runs.
        errors: Name of a failed run → why it failed.

    Raises:
        SettingError: If a result is damaged.
    """
    try:
        return _summarize(plan, data, folder, errors)
    except (LookupError, TypeError, ValueError, AttributeError, StopIteration) as error:
        raise SettingError(
            f"{folder}: the {RESULT} of a run in it is damaged ({first_line(error)}). Remove it, "
            "and resume: that run is trained again."
        ) from error


def _summarize(plan: Plan, data: Dataset, folder: Path, errors: Mapping[str, str]) -> Repeats:
    results = {name: read_result(folder / name) for name in plan.names()}
    runs = [_ended(name, found, errors.get(name, "")) for name, found in results.items()]
    finished = [run.metrics for run in runs if not run.error]
    names = dict.fromkeys(name for metrics in finished for name in metrics)
    means = {name: over_runs(metrics.get(name) for metrics in finished) for name in names}
    records = {
        number: found["predictions"]
        for number, found in enumerate(results.values())
        if found is not None and plan.kind == "folds"
    }
    return Repeats(
        folder,
        plan.kind,
        plan.measured_split(data),
        runs,
        {name: mean for name, mean in means.items() if mean is not None},
        over_images(outcomes_of_folds(data, plan.folds, records)),
    )


def write_summary(repeats: Repeats) -> None:
    """Write ``repeats.json``.

    Raises:
        OneboxError: If it cannot be written.
    """
    text = json.dumps(repeats.as_json(), indent=1, allow_nan=False)
    write_atomically(repeats.folder / "repeats.json", text.encode())


def _ended(name: str, result: Mapping[str, Any] | None, error: str) -> Ended:
    if result is None:
        return Ended(name, error=error or "it was not finished.")
    return Ended(
        name,
        headlines(result["metrics"]),
        result["metrics"]["images"],
        result["seconds"],
        result["epochs"],
        result["model"],
    )
