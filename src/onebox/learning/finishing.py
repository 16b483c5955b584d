"""The end of a run: the best weights exported, measured as they will be used, and shown."""

import dataclasses
import importlib.metadata
import json
import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from numpy import ndarray
from torch import Tensor

from onebox import runtime
from onebox.evaluation import Report, evaluate
from onebox.files import write_whole
from onebox.learning.cache import Decoded
from onebox.learning.checkpoints import RECIPE_KEY, load_checkpoint, save_weights
from onebox.learning.export import PARITY_PICTURES, export, write_facts
from onebox.learning.network import Network
from onebox.learning.planning import mean_box
from onebox.learning.progress import Listener
from onebox.learning.recipe import Recipe
from onebox.learning.training import Fitted
from onebox.report import write_report, write_samples
from onebox.runtime import ModelFacts
from onebox.structures import Dataset, Split

_PACKAGES = ("onebox", "torch", "timm", "lightning", "onnx", "onnxruntime", "numpy")
_MEASURED: tuple[Split, ...] = ("val", "test")
_MODULE = "network."  # of the Lightning module's names


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is made of before it starts.

    Attributes:
        folder: Takes everything the run leaves.
        recipe: With the backbone and preprocessing of the weights filled in.
        network: As it starts.
        weights: Name of the file its backbone came from, or ``none``.
        resume: The checkpoint to go on from.
    """

    folder: Path
    recipe: Recipe
    network: Network
    weights: str
    resume: Path | None = None

    @property
    def checkpoints(self) -> Path:
        """The folder of the best and the last checkpoint."""
        return self.folder / "checkpoints"


@dataclass(frozen=True, slots=True)
class Run:
    """What training left behind.

    Attributes:
        folder: Where everything lies.
        figures: What the model scored, by split, as `evaluation.Report.as_json` gives it.
        epochs: How many epochs ended.
        is_interrupted: Whether Ctrl-C ended it early.
    """

    folder: Path
    figures: Mapping[str, Mapping[str, Any]]
    epochs: int
    is_interrupted: bool = False

    @property
    def model(self) -> Path:
        """The one file to ship."""
        return self.folder / "model.onnx"

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
    """Export the best weights, measure the exported file, and write report and figures.

    Raises:
        ModelError: If the exported model does not match the network.
        DataError: If a picture to measure on cannot be read.
    """
    network = _with_best_weights(plan.network, fitted)
    _save_weights(network, plan)
    facts = _facts(plan, data)
    model = plan.folder / "model.onnx"
    listener.stage("Exporting")
    parity_px = export(network, facts, model, list(_parity_pictures(decoded)))
    reports = _measure(model, data, listener)
    figures: dict[str, Any] = {split: report.as_json() for split, report in reports.items()}
    provenance = {**facts.provenance, "parity_px": parity_px, "epochs": fitted.epochs}
    summary: dict[str, Any] = {split: report.overall.as_json() for split, report in reports.items()}
    write_facts(model, dataclasses.replace(facts, provenance=provenance, figures=summary))
    write_whole(
        plan.folder / "metrics.json", json.dumps(figures, indent=1, allow_nan=False).encode()
    )
    _write_pages(plan, data, reports)
    return Run(plan.folder, figures, fitted.epochs, fitted.is_interrupted)


def _with_best_weights(network: Network, fitted: Fitted) -> Network:
    if fitted.best is None:
        raise ValueError("no epoch ended, so that there are no best weights.")
    state: dict[str, Tensor] = load_checkpoint(fitted.best)["state_dict"]
    network.load_state_dict({name.removeprefix(_MODULE): each for name, each in state.items()})
    return network.to(memory_format=torch.contiguous_format)


def _save_weights(network: Network, plan: Plan) -> None:
    facts = {RECIPE_KEY: plan.recipe.model_dump_json(exclude_none=True)}
    save_weights(network.state_dict(), plan.folder / "weights.safetensors", facts)


def _facts(plan: Plan, data: Dataset) -> ModelFacts:
    return ModelFacts(
        classes=data.classes,
        size=plan.recipe.model.size,
        mean_box=mean_box(data.part("train")),
        recipe=plan.recipe.model_dump(mode="json", exclude_none=True),
        provenance={
            "data": _without_place(data.name),
            "pictures": {split: len(data.part(split)) for split in ("train", *_MEASURED)},
            "weights": plan.weights,
            "versions": {name: importlib.metadata.version(name) for name in _PACKAGES},
            "python": platform.python_version(),
        },
    )


def _without_place(name: str) -> str:
    """The name of what was read; the folders above it are the maker's own business."""
    return Path(name).name if Path(name).is_absolute() else name


def _parity_pictures(decoded: Mapping[str, Decoded]) -> Iterator[UInt8[ndarray, "_ _ 3"]]:
    """Pictures of many shapes: the decoded squares, each without some rows and columns."""
    pixels = [rows.pixels for rows in decoded.values()]
    for number in range(PARITY_PICTURES):
        rows = pixels[number % len(pixels)]
        picture = rows[number % len(rows)]
        height = picture.shape[0] - number % 7 * 5
        width = picture.shape[1] - number % 5 * 7
        yield np.ascontiguousarray(picture[:height, :width])


def _measure(model: Path, data: Dataset, listener: Listener) -> dict[Split, Report]:
    localizer = runtime.load(model)
    reports: dict[Split, Report] = {}
    for split in _MEASURED:
        part = data.part(split)
        if len(part):
            listener.stage(f"Measuring on {split} pictures")
            reports[split] = evaluate(localizer, part, progress=listener.advance)
    return reports


def _write_pages(plan: Plan, data: Dataset, reports: Mapping[Split, Report]) -> None:
    """Show the pictures that nothing was chosen on; the validation ones where there are none."""
    split: Split = "test" if "test" in reports else "val"
    facts = {
        "Model": str(plan.folder / "model.onnx"),
        "Backbone": plan.recipe.model.backbone,
        "Weights": plan.weights,
        "Head": f"{plan.recipe.model.vectorizer} → {plan.recipe.model.box_head}",
        "Size": f"{plan.recipe.model.size} px",
        "Data": data.name,
        "Split": split,
        "Training pictures": str(len(data.part("train"))),
    }
    write_report(reports[split], plan.folder / "report.html", facts=facts)
    write_samples(reports[split], plan.folder / "samples.png")
