"""The results of a run: metrics, report, recipe and provenance, for a network or HOG windows."""

import importlib.metadata
import json
import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomli_w

from onebox.calibration import LEAST_IMAGES, calibrate_file
from onebox.evaluation import Report, evaluate
from onebox.files import write_atomically
from onebox.loading import load
from onebox.progress import Listener
from onebox.recipes.recipe import Recipe
from onebox.report import write_report, write_samples
from onebox.structures import SPLITS, Dataset, Split

MODEL = "model.onnx"
_EVALUATED: tuple[Split, ...] = ("val", "test")

Reports = Mapping[Split, Report]


@dataclass(frozen=True, slots=True)
class Run:
    """What training left behind.

    Attributes:
        folder: The run's folder.
        metrics: The model's metrics by split, as `evaluation.Report.as_json` gives them.
        epochs: Number of epochs that ended; 0 for HOG windows, which have none.
        is_interrupted: Whether Ctrl-C ended it early.
        model_name: Name of the one file to ship.
        reports: The reports that the metrics are from, with an outcome for each image.
    """

    folder: Path
    metrics: Mapping[str, Mapping[str, Any]]
    epochs: int
    is_interrupted: bool = False
    model_name: str = MODEL
    reports: Reports = field(default_factory=dict, repr=False, compare=False)

    @property
    def model(self) -> Path:
        """The one file to ship."""
        return self.folder / self.model_name

    @property
    def report(self) -> Path:
        """The HTML report."""
        return self.folder / "report.html"


def provenance(data: Dataset, packages: Iterable[str]) -> dict[str, Any]:
    """What made a model: the data, its number of images by split, and the versions of packages."""
    name = Path(data.name)
    return {
        "data": name.name if name.is_absolute() else data.name,  # not where the data lay
        "images": {split: len(data.part(split)) for split in SPLITS},
        "versions": {name: importlib.metadata.version(name) for name in packages},
        "python": platform.python_version(),
    }


def write_recipe(recipe: Recipe, folder: Path) -> None:
    """Write ``recipe.toml``.

    Raises:
        OneboxError: If it cannot be written.
    """
    settings = recipe.model_dump(mode="json", exclude_none=True)
    write_atomically(folder / "recipe.toml", tomli_w.dumps(settings).encode())


def calibrate_model(model: Path, data: Dataset, listener: Listener) -> None:
    """Calibrate a model file on the calibration images, if there are enough.

    Raises:
        DataError: If an image cannot be read.
    """
    images = data.part("cal")
    if len(images.boxes()) < LEAST_IMAGES:
        return
    listener.stage("Calibrating")
    for warning in calibrate_file(model, images, progress=listener.advance).warnings:
        listener.note(warning)


def evaluate_model(model: Path, data: Dataset, listener: Listener) -> Reports:
    """Evaluate a model file on the validation and the test images.

    Raises:
        DataError: If an image cannot be read.
    """
    localizer = load(model)
    reports: dict[Split, Report] = {}
    for split in _EVALUATED:
        part = data.part(split)
        if len(part):
            listener.stage(f"Evaluating on {split} images")
            reports[split] = evaluate(localizer, part, progress=listener.advance)
    return reports


def metrics_by_split(reports: Reports) -> dict[str, Any]:
    """The metrics that a model file's card holds."""
    return {split: report.overall.as_json() for split, report in reports.items()}


def write_results(
    folder: Path, data: Dataset, reports: Reports, facts: Mapping[str, str]
) -> dict[str, Any]:
    """Write ``metrics.json``, ``report.html`` and ``samples.png``.

    The report shows the test images, or the validation images if there are no test images, below
    ``facts`` about the model.

    Returns:
        The content of ``metrics.json``.

    Raises:
        OneboxError: If a file cannot be written.
    """
    metrics: dict[str, Any] = {split: report.as_json() for split, report in reports.items()}
    text = json.dumps(metrics, indent=1, allow_nan=False)
    write_atomically(folder / "metrics.json", text.encode())
    split: Split = "test" if "test" in reports else "val"
    of_data = {"Data": data.name, "Split": split, "Training images": str(len(data.part("train")))}
    write_report(reports[split], folder / "report.html", facts={**facts, **of_data})
    write_samples(reports[split], folder / "samples.png")
    return metrics
