"""Checkpoints: of the best epoch, of the last, and of every epoch if the recipe asks for it."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch.callbacks import Callback, ModelCheckpoint

from onebox.learning.data.decoded_cache import Decoded
from onebox.learning.parallel.process_group import count_over_workers
from onebox.recipes.recipe import Recipe

VAL_METRIC = "val_mean_iou"
_ENOUGH_TO_CHOOSE = 50  # validation images with a box: docs/decisions/0009


def select_checkpoint(recipe: Recipe, val: Decoded) -> str:
    """``best`` or ``last``: with few validation images, the best epoch is chance, not merit."""
    if recipe.train.checkpoint != "auto":
        return recipe.train.checkpoint
    (boxed,) = count_over_workers(int(np.count_nonzero(val.has_box)))
    return "best" if boxed >= _ENOUGH_TO_CHOOSE else "last"


def checkpoints(recipe: Recipe, folder: Path) -> list[Callback]:
    """The callbacks that write ``best``, ``last`` and perhaps every epoch's ``.safetensors``."""
    write = partial(
        _Checkpoints, folder, save_on_train_epoch_end=True, enable_version_counter=False
    )
    best = write(filename="best", monitor=VAL_METRIC, mode="max")
    last = write(filename="last", mode="max")
    if not recipe.train.save_every_epoch:
        return [best, last]
    name = "epoch-{epoch:03d}"
    return [write(filename=name, auto_insert_metric_name=False, save_top_k=-1), best, last]


class _Checkpoints(ModelCheckpoint):
    """Safetensors checkpoints, found in the run's folder even after the folder was moved."""

    FILE_EXTENSION = ".safetensors"

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the state of a checkpoint, wherever the checkpoint was written."""
        scores = state_dict["best_k_models"]
        paths = {
            name: self._here(state_dict[name])
            for name in ("best_model_path", "kth_best_model_path", "last_model_path")
        }
        moved = {
            "dirpath": self.dirpath,
            "best_k_models": {self._here(path): score for path, score in scores.items()},
        }
        super().load_state_dict({**state_dict, **paths, **moved})

    def _here(self, path: str) -> str:
        return str(Path(str(self.dirpath)) / Path(path).name) if path else ""
