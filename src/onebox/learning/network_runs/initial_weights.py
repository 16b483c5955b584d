"""Where a new network's weights come from: none, a backbone's file, or an earlier run."""

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from onebox.learning.fitting.checkpoint_io import RECIPE_KEY
from onebox.learning.networks.backbones import find_weights, read_weights_file
from onebox.learning.networks.network import Network
from onebox.recipes.recipe import Recipe
from onebox.recipes.sections import ModelSettings, TrainSettings

_BUILD = (
    "backbone", "backbone_options", "mean", "std", "neck", "vectorizer", "width", "shared",
    "box_head", "hidden", "activation", "layout", "bins_per_cell", "anchors",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Start:
    """A recipe with the network that its weights are for, and the file they lie in.

    Attributes:
        recipe: With the backbone and preprocessing of the weights filled in.
        backbone: A backbone's file, or None.
        earlier: The weights of a whole network that an earlier run left, or None.
    """

    recipe: Recipe
    backbone: Path | None = None
    earlier: Path | None = None

    @property
    def name(self) -> str:
        """What the run's provenance says of it."""
        file = self.backbone or self.earlier
        return "none" if file is None else file.name

    def network(self, classes: int, keypoints: int, *, presence: bool = False) -> Network:
        """Make the network, the same for the same seed."""
        torch.manual_seed(self.recipe.train.seed)
        network = Network(
            self.recipe,
            classes=classes,
            keypoints=keypoints,
            presence=presence,
            weights=self.backbone,
        )
        if self.earlier is not None:
            _take_over(network, self.earlier)
        return network


def find_start(recipe: Recipe, weights: Path | None) -> Start:
    """Choose where a recipe starts from.

    Args:
        recipe: As the user wants it.
        weights: A safetensors file of a backbone, or of a network that an earlier run left; None
            takes timm's weights, unless the recipe says ``pretrained = false``.

    Raises:
        SettingError: If the file cannot be read or does not fit.
        OneboxError: If timm's weights cannot be had.
    """
    if weights is None and not recipe.model.pretrained:
        return Start(recipe.model_copy(update={"train": _from_none(recipe.train)}))
    if weights is None:
        return Start(recipe, find_weights(recipe.model))
    earlier = _recipe_of(weights)
    if earlier is not None:
        built = {name: getattr(earlier.model, name) for name in _BUILD}
        model = ModelSettings.model_validate({**recipe.model.model_dump(), **built})
        return Start(recipe.model_copy(update={"model": model}), earlier=weights)
    model = read_weights_file(weights, recipe.model).applied_to(recipe.model)
    return Start(recipe.model_copy(update={"model": model}), backbone=weights)


def _from_none(settings: TrainSettings) -> TrainSettings:
    """A backbone that knows nothing learns in all its stages, as fast as the heads and as soon."""
    rate = 1.0 if settings.backbone_lr_scale is None else settings.backbone_lr_scale
    first = settings.freeze_backbone_fraction or 0.0
    changes = {"frozen_stages": 0, "backbone_lr_scale": rate, "freeze_backbone_fraction": first}
    return settings.model_copy(update=changes)


def _recipe_of(path: Path) -> Recipe | None:
    """The recipe of an earlier run, where the file is one's weights."""
    try:
        with safe_open(path, "pt") as file:
            text = (file.metadata() or {}).get(RECIPE_KEY)
    except (OSError, SafetensorError):
        return None  # read_weights_file says what is wrong with it
    return None if text is None else Recipe.model_validate(json.loads(text))


def _take_over(network: Network, path: Path) -> None:
    """Copy every tensor of the same name and shape; a class head for other classes stays new."""
    wanted = network.state_dict()
    with safe_open(path, "pt") as file:
        found = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    fitting = {
        name: tensor
        for name, tensor in found.items()
        if name in wanted and wanted[name].shape == tensor.shape
    }
    network.load_state_dict({**wanted, **fitting})
