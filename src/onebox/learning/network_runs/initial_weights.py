"""Initial weights of a new network: random ones, a backbone's file, or an earlier run's."""

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from onebox.errors import SettingError
from onebox.learning.fitting.checkpoint_io import RECIPE_KEY
from onebox.learning.networks.backbones import find_weights, read_weights_file
from onebox.learning.networks.network import Network
from onebox.learning.tensor_files import open_tensors
from onebox.recipes.recipe import Recipe, check_recipe

_ARCHITECTURE = (
    "backbone", "backbone_options", "mean", "std", "neck", "vectorizer", "width", "shared",
    "box_head", "hidden", "activation", "layout", "bins_per_cell", "anchors",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Start:
    """A recipe, and the file with the initial weights of its network.

    Attributes:
        recipe: With the architecture of the network, or the backbone, that the weights are for.
        backbone: A backbone's file, or None.
        earlier: The weights of a whole network that an earlier run left, or None.
    """

    recipe: Recipe
    backbone: Path | None = None
    earlier: Path | None = None

    @property
    def name(self) -> str:
        """The file's name, or ``none``, as the run's provenance records it."""
        file = self.backbone or self.earlier
        return "none" if file is None else file.name

    def network(self, classes: int, keypoints: int, *, presence: bool = False) -> Network:
        """Make the network; the same seed gives the same one."""
        torch.manual_seed(self.recipe.train.seed)
        network = Network(
            self.recipe,
            classes=classes,
            keypoints=keypoints,
            presence=presence,
            weights=self.backbone,
        )
        if self.earlier is not None:
            _copy_weights(self.earlier, network)
        return network


def find_start(recipe: Recipe, weights: Path | None) -> Start:
    """Find the initial weights of a recipe's network.

    ``weights`` is a safetensors file of a backbone, or of a network that an earlier run left. None
    takes timm's weights, or random ones if the recipe has ``pretrained = false``.

    Raises:
        SettingError: If the file cannot be read, or the recipe cannot train its network.
        OneboxError: If timm's weights cannot be found.
    """
    if weights is None and not recipe.model.pretrained:
        return Start(_from_scratch(recipe))
    if weights is None:
        return Start(recipe, find_weights(recipe.model))
    earlier = _recipe_of(weights)
    if earlier is not None:
        return Start(_with_architecture(earlier, recipe, weights), earlier=weights)
    return Start(read_weights_file(weights, recipe).applied_to(recipe), backbone=weights)


def _from_scratch(recipe: Recipe) -> Recipe:
    """A recipe that trains the whole backbone from the first step, as fast as the heads."""
    scale, frozen = recipe.train.backbone_lr_scale, recipe.train.freeze_backbone_fraction
    return recipe.changed(
        {
            "train.frozen_stages": 0,
            "train.backbone_lr_scale": 1.0 if scale is None else scale,
            "train.freeze_backbone_fraction": frozen or 0.0,
        }
    )


def _with_architecture(earlier: Recipe, recipe: Recipe, weights: Path) -> Recipe:
    # The size of the images fixes the length of a flattened vector, and so shapes of weights.
    is_flat = earlier.model.vectorizer == "flatten"
    names = {*_ARCHITECTURE, "size"} if is_flat else {*_ARCHITECTURE}
    architecture = earlier.model.model_dump(include=names)
    try:
        return recipe.changed({f"model.{name}": value for name, value in architecture.items()})
    except SettingError as error:
        own = weights.with_name("recipe.toml")
        raise SettingError(
            f"{weights}: holds a network with vectorizer '{earlier.model.vectorizer}' and box_head "
            f"'{earlier.model.box_head}', which this recipe cannot train: "
            f"{str(error).removeprefix('recipe: ')} Or train it with the recipe of its own run: "
            f"--recipe {own if own.is_file() else 'RECIPE'}."
        ) from error


# The recipe of the earlier run that wrote a weights file; None for a backbone's file.
def _recipe_of(path: Path) -> Recipe | None:
    try:
        with open_tensors(path) as file:
            text = (file.metadata() or {}).get(RECIPE_KEY)
    except (OSError, SafetensorError):
        return None  # read_weights_file reports what is wrong with the file
    if text is None:
        return None
    try:
        return check_recipe({**json.loads(text)}, place="recipe")
    except (json.JSONDecodeError, TypeError, SettingError) as error:
        problem = str(error).splitlines()[0].removeprefix("recipe: ")
        raise SettingError(
            f"{path}: the recipe in its metadata is damaged or of another version of onebox "
            f"({problem}). Train that run again, or start from other weights."
        ) from error


def _copy_weights(path: Path, network: Network) -> None:
    """Copy every tensor of the same name and shape; a class head for other classes stays new."""
    weights = network.state_dict()
    for name, tensor in load_file(path).items():
        if name in weights and weights[name].shape == tensor.shape:
            weights[name] = tensor
    network.load_state_dict(weights)
