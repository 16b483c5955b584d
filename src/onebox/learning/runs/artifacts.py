"""The end of a run: the kept weights exported, measured as they will be used, and shown.

`provenance`, `write_recipe`, `measure`, `summary` and `write_results` serve runs of every system.
"""

import dataclasses
import importlib.metadata
import json
import platform
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w
import torch
from jaxtyping import UInt8
from numpy import ndarray
from torch import Tensor

from onebox.evaluation import Report, evaluate
from onebox.files import write_atomically
from onebox.learning.data.decoded_cache import Decoded
from onebox.learning.exporting.onnx_export import PARITY_IMAGES, export, write_facts
from onebox.learning.exporting.refinement_choice import choose_refinement
from onebox.learning.fitting.checkpoint_io import RECIPE_KEY, load_checkpoint, save_weights
from onebox.learning.fitting.deadline import Deadline
from onebox.learning.fitting.module import Fitted
from onebox.learning.networks.network import Network
from onebox.learning.networks.summary import summarize
from onebox.learning.runs.preflight import mean_box
from onebox.loading import load
from onebox.progress import Listener
from onebox.recipes.schema import Recipe
from onebox.report import write_report, write_samples
from onebox.runtime import ModelFacts
from onebox.runtime import load as load_network
from onebox.structures import Dataset, Split

_PACKAGES = ("onebox", "torch", "timm", "lightning", "onnx", "onnxruntime", "numpy")
_MEASURED: tuple[Split, ...] = ("val", "test")
_MODULE = "network."  # of the Lightning module's names
_MODEL = "model.onnx"

Reports = Mapping[Split, Report]
"""Of the splits that were measured on."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is made of before it starts.

    Attributes:
        folder: Takes everything the run leaves.
        recipe: With the backbone and preprocessing of the weights filled in.
        network: As it starts.
        weights: Name of the file its backbone came from, or ``none``.
        resume: The checkpoint to go on from.
        deadline: That training keeps.
    """

    folder: Path
    recipe: Recipe
    network: Network
    weights: str
    resume: Path | None = None
    deadline: Deadline | None = None

    @property
    def checkpoints(self) -> Path:
        """The folder of the best and the last checkpoint."""
        return self.folder / "checkpoints"


@dataclass(frozen=True, slots=True)
class Run:
    """What training left behind.

    Attributes:
        folder: Where everything lies.
        metrics: What the model scored, by split, as `evaluation.Report.as_json` gives it.
        epochs: How many epochs ended; 0 for what is learned in one go.
        is_interrupted: Whether Ctrl-C ended it early.
        model_name: Of the one file to ship.
    """

    folder: Path
    metrics: Mapping[str, Mapping[str, Any]]
    epochs: int
    is_interrupted: bool = False
    model_name: str = _MODEL

    @property
    def model(self) -> Path:
        """The one file to ship."""
        return self.folder / self.model_name

    @property
    def report(self) -> Path:
        """The report for a person."""
        return self.folder / "report.html"


def finish(
    plan: Plan,
    data: Dataset,
    decoded: Mapping[str, Decoded],
    fitted: Fitted,
    listener: Listener,
) -> Run:
    """Export the kept weights, measure the exported file, and write report and metrics.

    Raises:
        ModelError: If the exported model does not match the network.
        DataError: If an image to measure on cannot be read.
    """
    network = _with_kept_weights(plan.network, fitted)
    _save_weights(network, plan)
    facts = _facts(plan, data, network)
    model = plan.folder / _MODEL
    listener.stage("Exporting")
    parity_px = export(network, facts, model, list(_parity_images(decoded)))
    margin = choose_refinement(load_network(model), data.part("val"), plan.recipe.model.refinement)
    facts = dataclasses.replace(facts, refinement=margin)
    write_facts(model, facts)
    reports = measure(model, data, listener)
    made = {**facts.provenance, "parity_px": parity_px, "epochs": fitted.epochs}
    write_facts(model, dataclasses.replace(facts, provenance=made, metrics=summary(reports)))
    metrics = write_results(plan.folder, data, reports, _shown(plan))
    return Run(plan.folder, metrics, fitted.epochs, fitted.is_interrupted)


def provenance(data: Dataset, packages: Iterable[str]) -> dict[str, Any]:
    """What made a model: the data, its images by split, and the versions of packages."""
    return {
        "data": _without_place(data.name),
        "images": {split: len(data.part(split)) for split in ("train", *_MEASURED)},
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


def measure(model: Path, data: Dataset, listener: Listener) -> Reports:
    """Measure a model file on the images it was not trained on.

    Raises:
        DataError: If one of them cannot be read.
    """
    localizer = load(model)
    reports: dict[Split, Report] = {}
    for split in _MEASURED:
        part = data.part(split)
        if len(part):
            listener.stage(f"Measuring on {split} images")
            reports[split] = evaluate(localizer, part, progress=listener.advance)
    return reports


def summary(reports: Reports) -> dict[str, Any]:
    """What a model file says that it scored."""
    return {split: report.overall.as_json() for split, report in reports.items()}


def write_results(
    folder: Path, data: Dataset, reports: Reports, facts: Mapping[str, str]
) -> dict[str, Any]:
    """Write ``metrics.json``, ``report.html`` and ``samples.png``.

    The pages show the images that nothing was chosen on; the validation ones where there are
    none.

    Args:
        folder: Of the run.
        data: What the model was trained on and measured with.
        reports: What it scored.
        facts: What the report's page says of the model.

    Returns:
        The metrics of ``metrics.json``.

    Raises:
        OneboxError: If a file cannot be written.
    """
    metrics: dict[str, Any] = {split: report.as_json() for split, report in reports.items()}
    text = json.dumps(metrics, indent=1, allow_nan=False)
    write_atomically(folder / "metrics.json", text.encode())
    split: Split = "test" if "test" in reports else "val"
    of_data = {
        "Data": data.name,
        "Split": split,
        "Training images": str(len(data.part("train"))),
    }
    write_report(reports[split], folder / "report.html", facts={**facts, **of_data})
    write_samples(reports[split], folder / "samples.png")
    return metrics


def _with_kept_weights(network: Network, fitted: Fitted) -> Network:
    if fitted.kept is None:
        raise ValueError("no epoch ended, so that there are no weights to keep.")
    state: dict[str, Tensor] = load_checkpoint(fitted.kept)["state_dict"]
    network.load_state_dict({name.removeprefix(_MODULE): each for name, each in state.items()})
    return network.to(memory_format=torch.contiguous_format)


def _save_weights(network: Network, plan: Plan) -> None:
    facts = {RECIPE_KEY: plan.recipe.model_dump_json(exclude_none=True)}
    save_weights(network.state_dict(), plan.folder / "weights.safetensors", facts)


def _facts(plan: Plan, data: Dataset, network: Network) -> ModelFacts:
    return ModelFacts(
        classes=data.classes,
        size=plan.recipe.model.size,
        mean_box=mean_box(data.part("train")),
        keypoints=data.keypoints if plan.recipe.model.keypoints else None,
        presence=network.presence_head is not None,
        parts=summarize(network.cpu().eval(), plan.recipe.model.size),
        recipe=plan.recipe.model_dump(mode="json", exclude_none=True),
        provenance={**provenance(data, _PACKAGES), "weights": plan.weights},
    )


def _without_place(name: str) -> str:
    """The name of what was read; the folders above it are the maker's own business."""
    return Path(name).name if Path(name).is_absolute() else name


def _parity_images(decoded: Mapping[str, Decoded]) -> Iterator[UInt8[ndarray, "_ _ 3"]]:
    """Images of many shapes: the decoded squares, each without some rows and columns."""
    pixels = [rows.pixels for rows in decoded.values()]
    for number in range(PARITY_IMAGES):
        rows = pixels[number % len(pixels)]
        image = rows[number % len(rows)]
        height = image.shape[0] - number % 7 * 5
        width = image.shape[1] - number % 5 * 7
        yield np.ascontiguousarray(image[:height, :width])


def _shown(plan: Plan) -> dict[str, str]:
    """What the report's page says of a network."""
    return {
        "Model": str(plan.folder / _MODEL),
        "Backbone": plan.recipe.model.backbone,
        "Weights": plan.weights,
        "Head": f"{plan.recipe.model.vectorizer} → {plan.recipe.model.box_head}",
        "Size": f"{plan.recipe.model.size} px",
    }
