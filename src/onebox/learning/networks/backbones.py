"""Backbones: from images in [0, 1] to the two deepest feature maps, and finer ones if asked for.

Every backbone is a timm model, by name, but for AlexNet. Weights come from a safetensors file, the
user's or the one on timm's hub, so that loading them executes nothing.
"""

import contextlib
import math
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

import timm
import torch
import torchvision
from huggingface_hub import constants, hf_hub_download, try_to_load_from_cache
from huggingface_hub.errors import HfHubHTTPError
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file
from timm.layers import Format
from torch import Tensor, nn

from onebox.errors import OneboxError, SettingError, suggest
from onebox.learning.tensor_files import open_tensors
from onebox.recipes.recipe import Recipe
from onebox.recipes.sections import ModelSettings

_FILE = "model.safetensors"
_CONNECT_S = 5.0  # long for a handshake, short for a user who waits; not tuned

Shape = tuple[int, int, int]
"""Channels, rows and columns of a feature map."""


class Backbone(nn.Module):
    """A network without its classifier.

    Attributes:
        shapes: Shapes of its maps for an image of the settings' size, the finer map first.
        has_channels_last: Whether the channels are the last dimension of timm's own maps.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, settings: ModelSettings, weights: Path | None) -> None:
        """Make the network of the settings, with the weights of a file or random ones."""
        super().__init__()
        self.features = _features(settings, weights)
        self.has_channels_last = getattr(self.features, "output_fmt", None) == Format.NHWC
        own = _own_settings(settings.backbone) or timm.models.PretrainedCfg()
        self.register_buffer("mean", torch.tensor(settings.mean or own.mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(settings.std or own.std).view(1, 3, 1, 1))
        self.shapes = self._shapes(settings)

    def forward(
        self, images: Float[Tensor, "n 3 height width"], white: float = 1.0
    ) -> list[Tensor]:
        """Feature maps, the finer first, of images whose pixels go from 0 to ``white``."""
        maps: list[Tensor] = self.features((images - white * self.mean) / (white * self.std))
        return [each.permute(0, 3, 1, 2) for each in maps] if self.has_channels_last else maps

    def _shapes(self, settings: ModelSettings) -> list[Shape]:
        self.eval()
        try:
            with torch.no_grad():
                maps = self(torch.zeros(1, 3, settings.size, settings.size))
        except RuntimeError as error:
            raise SettingError(too_small(settings)) from error
        self.train()
        shapes: list[Shape] = [tuple(each.shape[1:]) for each in maps]
        if 0 in shapes[-1]:
            raise SettingError(too_small(settings))
        return shapes


class AlexNetFeatures(nn.Module):
    """torchvision's AlexNet up to its last pooling layer: one map.

    References:
        Krizhevsky, arXiv:1404.5997 (torchvision's variant).
    """

    def __init__(self) -> None:
        super().__init__()
        self.features: nn.Module = torchvision.models.alexnet(weights=None).features

    def forward(self, images: Tensor) -> list[Tensor]:
        """The one map, in a list."""
        return [self.features(images)]


# Backbones that timm lacks, by name.
_OTHERS: dict[str, Callable[[], nn.Module]] = {"alexnet": AlexNetFeatures}


def too_small(settings: ModelSettings) -> str:
    """The message for an image so small that the deepest map has no cell."""
    return (
        f"model.size {settings.size} is too small for backbone '{settings.backbone}'"
        f"{' and its neck' if settings.neck else ''}: no cell is left of its deepest map. Set a "
        "larger size, such as --set model.size=224."
    )


def find_weights(settings: ModelSettings) -> Path:
    """Pretrained weights of the settings' backbone, from the local cache or from timm's hub.

    Raises:
        OneboxError: If neither has them; the message names the two ways to go on.
    """
    check_name(settings.backbone)
    own = _own_settings(settings.backbone)
    repository = own and own.hf_hub_id
    if not repository:
        raise OneboxError(_no_weights(settings.backbone, "timm's hub has none"))
    cached = try_to_load_from_cache(repository, _FILE)
    if isinstance(cached, str):
        return Path(cached)
    if not _is_reachable(constants.ENDPOINT):
        raise OneboxError(_no_weights(settings.backbone, f"{constants.ENDPOINT} cannot be reached"))
    try:
        return Path(hf_hub_download(repository, _FILE))
    except (OSError, HfHubHTTPError) as error:
        raise OneboxError(_no_weights(settings.backbone, str(error).splitlines()[0])) from error


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """What the metadata of a backbone's safetensors file says."""

    backbone: str
    options: Mapping[str, str]
    mean: tuple[float, float, float] | None
    std: tuple[float, float, float] | None

    def applied_to(self, recipe: Recipe) -> Recipe:
        """A recipe with the backbone and preprocessing of the file."""
        model = recipe.model
        return recipe.changed(
            {
                "model.backbone": self.backbone,
                "model.backbone_options": {**model.backbone_options, **self.options},
                "model.mean": self.mean or model.mean,
                "model.std": self.std or model.std,
            }
        )


def read_weights_file(path: Path, recipe: Recipe) -> WeightsFile:
    """Read which backbone a safetensors file is for, and which preprocessing it expects.

    A file that names no backbone is for the recipe's.

    Raises:
        SettingError: If the file is missing, is no safetensors file, or does not fit its backbone.
    """
    try:
        with open_tensors(path) as file:
            facts: dict[str, str] = file.metadata() or {}
            shapes = {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise SettingError(
            f"{path}: cannot be read as safetensors ({error}). Other formats can contain code that "
            "runs when they are loaded; save the weights as safetensors."
        ) from error
    found = WeightsFile(
        facts.get("architecture", recipe.model.backbone),
        {key: facts[key] for key in ("pad_type",) if key in facts},
        _triple(path, facts, "mean"),
        _triple(path, facts, "std"),
    )
    _check_fit(path, found.applied_to(recipe).model, shapes)
    return found


def check_name(backbone: str) -> None:
    """Check that a backbone exists.

    Raises:
        SettingError: If it does not; the message suggests the closest name.
    """
    architecture = backbone.partition(".")[0]
    if architecture not in _OTHERS and not timm.is_model(architecture):
        hint = suggest(architecture, [*timm.list_models(), *_OTHERS])
        raise SettingError(f"model.backbone '{backbone}' is not a model of timm.{hint}")


def _own_settings(backbone: str) -> Any:  # noqa: ANN401
    """A model's weights and preprocessing as timm records them; None if it does not."""
    return None if backbone in _OTHERS else timm.get_pretrained_cfg(backbone)


def _features(settings: ModelSettings, weights: Path | None) -> nn.Module:
    """A network that outputs its two deepest maps and so many finer ones, or its only one.

    Raises:
        SettingError: If there is no such backbone, or it has too few maps.
    """
    check_name(settings.backbone)
    if settings.backbone not in _OTHERS:
        deepest = tuple(range(-2 - settings.finer_maps, 0))
        try:
            return _create(settings, weights, features_only=True, out_indices=deepest)
        except IndexError as error:
            raise SettingError(
                f"model.finer_maps {settings.finer_maps} asks for {len(deepest)} feature maps, and "
                f"backbone '{settings.backbone}' has fewer. Set a smaller number."
            ) from error
    features = _OTHERS[settings.backbone]()
    if weights is not None:
        features.load_state_dict(load_file(weights), strict=False)  # the rest is the classifier
    return features


def _create(settings: ModelSettings, weights: Path | None, **options: Any) -> nn.Module:  # noqa: ANN401
    overlay = {} if weights is None else {"pretrained_cfg_overlay": {"file": str(weights)}}
    try:
        return timm.create_model(
            settings.backbone,
            pretrained=weights is not None,
            **overlay,
            **settings.backbone_options,
            **options,
        )
    except (TypeError, RuntimeError, AttributeError) as error:
        raise SettingError(
            f"model.backbone '{settings.backbone}' cannot be made with the options "
            f"{dict(settings.backbone_options)}: {error}"
        ) from error


# Compare names and shapes of tensors before any is copied; classifiers may differ.
def _check_fit(path: Path, settings: ModelSettings, shapes: Mapping[str, tuple[int, ...]]) -> None:
    check_name(settings.backbone)
    with torch.device("meta"):
        other = _OTHERS.get(settings.backbone)
        network = other() if other else _create(settings, None, num_classes=0)
    wanted = {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}
    unfit = [key for key, shape in wanted.items() if shapes.get(key, shape) != shape]
    missing = [key for key in wanted if key not in shapes]
    if unfit or missing:
        first = (unfit or missing)[0]
        raise SettingError(
            f"{path}: does not fit backbone '{settings.backbone}': {len(missing)} of "
            f"{len(wanted)} tensors are missing and {len(unfit)} have another shape, first "
            f"'{first}'. Set the backbone that the file is for, with --set model.backbone=NAME."
        )


def _triple(path: Path, facts: Mapping[str, str], name: str) -> tuple[float, float, float] | None:
    if name not in facts:
        return None
    with contextlib.suppress(ValueError):
        first, second, third = (float(part) for part in facts[name].split(","))
        if math.isfinite(first + second + third):
            return first, second, third
    raise SettingError(
        f"{path}: its metadata gives {name} '{facts[name]}', and must give three numbers, such as "
        "0.5,0.5,0.5. Save the file again with correct metadata."
    )


def _is_reachable(address: str) -> bool:
    """Whether a connection can be opened; the hub's own client would retry for a minute."""
    if getproxies():
        return True
    parts = urlsplit(address)
    port = parts.port or (80 if parts.scheme == "http" else 443)
    try:
        socket.create_connection((parts.hostname or "", port), timeout=_CONNECT_S).close()
    except OSError:
        return False
    return True


def _no_weights(backbone: str, reason: str) -> str:
    return (
        f"No pretrained weights for '{backbone}': {reason}. Name a safetensors file with "
        "--weights FILE, or train from scratch with --no-pretrained."
    )
