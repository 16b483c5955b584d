"""Checkpoints without pickle: tensors as safetensors, the rest as JSON in the same file.

A trainer's checkpoint is a nest of dictionaries and lists with tensors at its leaves. Here the
tensors are numbered and stored apart, the nest keeps their numbers, and loading executes nothing.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import torch
from lightning.fabric.plugins.io.checkpoint_io import CheckpointIO
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from onebox.errors import ModelError
from onebox.files import replacing
from onebox.learning.tensor_files import open_tensors

RECIPE_KEY = "onebox_recipe"
"""Where a weights file keeps the recipe of its network."""

_NEST = "nest"
_TENSOR, _PAIRS, _TUPLE = "$tensor", "$pairs", "$tuple"
_IS_CHANNELS_LAST = "channels_last"
_DIMENSIONS = 4  # of what can have its channels last


def save_checkpoint(checkpoint: dict[str, Any], path: Path) -> None:
    """Write a checkpoint as a whole, in place of an earlier one.

    Raises:
        OneboxError: If the file cannot be written.
        TypeError: If a leaf is neither a tensor nor a plain value.
    """
    tensors: dict[str, Tensor] = {}
    nest = json.dumps(_taken_apart(checkpoint, tensors))
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(tensors, path, {_NEST: nest})


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read what `save_checkpoint` wrote; every tensor lies on the CPU.

    Raises:
        ModelError: If the file is missing, damaged, or holds no checkpoint.
    """
    try:
        with open_tensors(path) as file:
            nest = (file.metadata() or {})[_NEST]
            return cast("dict[str, Any]", _put_together(json.loads(nest), file.get_tensor))
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise ModelError(
            f"{path}: is no checkpoint of onebox that can be read ({_reason(error)}). Check the "
            "disk and its permissions, and resume again; if the file is damaged, train anew."
        ) from error


def _reason(error: Exception) -> str:
    reason: str | None = getattr(error, "strerror", None)
    return reason or str(error)


class SafetensorsCheckpoints(CheckpointIO):
    """How the trainer reads and writes its checkpoints."""

    def save_checkpoint(
        self,
        checkpoint: dict[str, Any],
        path: str | os.PathLike[str],
        storage_options: object | None = None,  # noqa: ARG002
    ) -> None:
        """Write one checkpoint."""
        save_checkpoint(checkpoint, Path(path))

    def load_checkpoint(
        self,
        path: str | os.PathLike[str],
        map_location: object | None = None,  # noqa: ARG002
        weights_only: bool | None = None,  # noqa: ARG002, FBT001
    ) -> dict[str, Any]:
        """Read one checkpoint."""
        return load_checkpoint(Path(path))

    def remove_checkpoint(self, path: str | os.PathLike[str]) -> None:
        """Delete one checkpoint."""
        Path(path).unlink(missing_ok=True)


# A nest that JSON can hold; its tensors are put into ``tensors``.
def _taken_apart(node: object, tensors: dict[str, Tensor]) -> object:
    if isinstance(node, Tensor):
        name = str(len(tensors))
        # A copy of its own: safetensors refuses tensors that share memory.
        tensors[name] = node.detach().to("cpu", copy=True).contiguous()
        return {_TENSOR: name, _IS_CHANNELS_LAST: _is_channels_last(node)}
    if isinstance(node, dict):
        return {_PAIRS: [[_taken_apart(part, tensors) for part in pair] for pair in node.items()]}
    if isinstance(node, list | tuple):
        parts = [_taken_apart(part, tensors) for part in node]
        return parts if isinstance(node, list) else {_TUPLE: parts}
    if isinstance(node, os.PathLike):
        return str(node)
    if node is None or isinstance(node, str | int | float):
        return node
    raise TypeError(f"a checkpoint cannot hold a {type(node).__name__}.")


def _is_channels_last(tensor: Tensor) -> bool:
    is_last = tensor.ndim == _DIMENSIONS and tensor.is_contiguous(memory_format=torch.channels_last)
    return is_last and not tensor.is_contiguous()


def _put_together(node: object, tensor: Callable[[str], Tensor]) -> object:
    if isinstance(node, list):
        return [_put_together(part, tensor) for part in node]
    if not isinstance(node, dict):
        return node
    if _TENSOR in node:
        # A fused optimizer steps through memory: its state must lie as its parameter lies.
        is_last = node.get(_IS_CHANNELS_LAST)
        layout = torch.channels_last if is_last else torch.contiguous_format
        return tensor(node[_TENSOR]).contiguous(memory_format=layout)
    if _TUPLE in node:
        return tuple(_put_together(part, tensor) for part in node[_TUPLE])
    return {
        cast("str", _put_together(key, tensor)): _put_together(value, tensor)
        for key, value in node[_PAIRS]
    }


def save_weights(tensors: dict[str, Tensor], path: Path, facts: dict[str, str]) -> None:
    """Write a network's tensors for use as ``--weights``, in place of an earlier file.

    Raises:
        OneboxError: If the file cannot be written.
    """
    whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    _write(whole, path, facts)


def _write(tensors: dict[str, Tensor], path: Path, metadata: dict[str, str]) -> None:
    with replacing(path) as temporary, torch.no_grad():
        try:
            save_file(tensors, temporary, metadata=metadata)
        except SafetensorError as error:  # what it makes of a full disk
            raise OSError(str(error)) from error
