"""The end of a network's run: export the selected checkpoint, evaluate the exported file."""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from numpy import ndarray
from torch import Tensor

from onebox.calibration.training_features import MOST_EXAMPLES, keep_features
from onebox.errors import OneboxError
from onebox.learning.data.decoded_cache import Decoded
from onebox.learning.exporting.onnx_export import export
from onebox.learning.exporting.refinement_choice import choose_refinement
from onebox.learning.fitting.callbacks import is_finite
from onebox.learning.fitting.checkpoint_io import RECIPE_KEY, load_checkpoint, save_weights
from onebox.learning.fitting.fit import Fitted
from onebox.learning.networks.network import Network
from onebox.learning.networks.summary import summarize
from onebox.mean_box import mean_box
from onebox.model_card import ModelCard, write_card
from onebox.parity import PARITY_IMAGES
from onebox.progress import Listener
from onebox.recipes.recipe import Recipe
from onebox.runs.results import (
    MODEL,
    Run,
    calibrate_model,
    evaluate_model,
    metrics_by_split,
    provenance,
    write_results,
)
from onebox.runtime import load as load_network
from onebox.structures import Dataset

_PACKAGES = ("onebox", "torch", "timm", "lightning", "onnx", "onnxruntime", "numpy")
_MODULE_PREFIX = "network."  # of the Lightning module's parameter names


@dataclass(frozen=True, slots=True)
class PreparedRun:
    """What a run has before it trains.

    Attributes:
        folder: The run's folder.
        recipe: Resolved: with the backbone and preprocessing of the initial weights.
        network: With its initial weights.
        weights: Name of the file of initial weights, or ``none``.
        resume: The checkpoint to resume from; None for a new run.
    """

    folder: Path
    recipe: Recipe
    network: Network
    weights: str
    resume: Path | None = None

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoints."""
        return self.folder / "checkpoints"


def finish(
    prepared: PreparedRun,
    data: Dataset,
    decoded: Mapping[str, Decoded],
    fitted: Fitted,
    listener: Listener,
) -> Run:
    """Export the selected weights, evaluate the exported file, and write metrics and report.

    Of the decoded images, some training images with a box and a few of each split suffice.

    Raises:
        OneboxError: If training diverged.
        ModelError: If the exported model does not match the network.
        DataError: If an image cannot be read.
    """
    network = _with_selected_weights(prepared.network, fitted)
    _check_finite(network, prepared)
    facts = {RECIPE_KEY: prepared.recipe.model_dump_json(exclude_none=True)}
    save_weights(network.state_dict(), prepared.folder / "weights.safetensors", facts)
    card = make_card(prepared, data, network)
    model = prepared.folder / MODEL
    listener.stage("Exporting")
    parity_px = export(network, card, model, list(_parity_images(decoded)))
    keep_features(model, _images_with_box(decoded["train"], MOST_EXAMPLES))
    setting = prepared.recipe.model.refinement
    localizer = load_network(model)
    margin = choose_refinement(localizer, data.part("val"), setting)
    write_card(model, dataclasses.replace(localizer.card, refine_margin=margin))
    calibrate_model(model, data, listener)
    reports = evaluate_model(model, data, listener)
    card = load_network(model).card
    made = {
        **card.provenance,
        "parity_px": parity_px,
        "epochs": fitted.epochs,
        "workers": len(fitted.devices),
        "devices": [*fitted.devices],
    }
    card = dataclasses.replace(card, provenance=made, metrics=metrics_by_split(reports))
    write_card(model, card)
    metrics = write_results(prepared.folder, data, reports, _report_facts(prepared))
    return Run(prepared.folder, metrics, fitted.epochs, fitted.is_interrupted, reports=reports)


def make_card(prepared: PreparedRun, data: Dataset, network: Network) -> ModelCard:
    """The model card before evaluation."""
    recipe = prepared.recipe
    return ModelCard(
        classes=data.classes,
        size=recipe.model.size,
        mean_box=mean_box(data.part("train")),
        keypoints=data.keypoints if recipe.model.keypoints else None,
        presence=network.presence_head is not None,
        refine_square=recipe.augment.square_crops,
        sigma=True,
        parts=summarize(network.cpu().eval(), recipe.model.size),
        recipe=recipe.model_dump(mode="json", exclude_none=True),
        provenance={**provenance(data, _PACKAGES), "weights": prepared.weights},
    )


def _with_selected_weights(network: Network, fitted: Fitted) -> Network:
    if fitted.checkpoint is None:
        raise ValueError("no epoch ended, so that there is no checkpoint to export.")
    state: dict[str, Tensor] = load_checkpoint(fitted.checkpoint)["state_dict"]
    weights = {name.removeprefix(_MODULE_PREFIX): tensor for name, tensor in state.items()}
    network.load_state_dict(weights)
    return network.to(memory_format=torch.contiguous_format)


def _check_finite(network: Network, prepared: PreparedRun) -> None:
    if not is_finite(network.state_dict()):
        settings = prepared.recipe.train
        raise OneboxError(
            f"{prepared.folder}: training diverged: weights of the network are not finite numbers. "
            f"Train again with a lower train.learning_rate (it was {settings.learning_rate:g}), or "
            f"a lower train.weight_decay (it was {settings.weight_decay:g})."
        )


def _parity_images(decoded: Mapping[str, Decoded]) -> Iterator[UInt8[ndarray, "_ _ 3"]]:
    """Images of many shapes: the decoded squares, each without some rows and columns."""
    pixels = [rows.pixels for rows in decoded.values()]
    for number in range(PARITY_IMAGES):
        rows = pixels[number % len(pixels)]
        image = rows[number % len(rows)]
        height, width = image.shape[0] - number % 7 * 5, image.shape[1] - number % 5 * 7
        yield np.ascontiguousarray(image[:height, :width])


def _images_with_box(train: Decoded, most: int) -> Iterator[UInt8[ndarray, "_ _ 3"]]:
    """At most that many images that show the subject, evenly spread."""
    boxed = np.flatnonzero(train.has_box)
    for position in np.linspace(0, len(boxed) - 1, min(most, len(boxed))):
        yield np.ascontiguousarray(train.pixels[boxed[round(position)]])


def _report_facts(prepared: PreparedRun) -> dict[str, str]:
    """Lines about the network for the report's head."""
    model = prepared.recipe.model
    return {
        "Model": str(prepared.folder / MODEL),
        "Backbone": model.backbone,
        "Weights": prepared.weights,
        "Head": f"{model.vectorizer} → {model.box_head}",
        "Size": f"{model.size} px",
    }
