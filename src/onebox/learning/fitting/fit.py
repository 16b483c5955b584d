"""Fit a network: the trainer, its callbacks, and what they leave behind."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback, WeightAveraging
from torch.utils.data import DataLoader

from onebox.learning.data.dataloader import Batch, RowsInOrder, ShuffledRows, batches
from onebox.learning.data.decoded_cache import Decoded
from onebox.learning.fitting.callbacks import (
    DivergenceStop,
    Patience,
    ProgressReporter,
    StopTogether,
    warm_average,
)
from onebox.learning.fitting.checkpoint_io import SafetensorsCheckpoints
from onebox.learning.fitting.checkpointing import checkpoints, select_checkpoint
from onebox.learning.fitting.epochs import count_epochs, epochs_per_validation, steps_per_epoch
from onebox.learning.fitting.freezing import BackboneFreezing
from onebox.learning.fitting.memory import keep_freed_memory
from onebox.learning.fitting.module import TrainingModule
from onebox.learning.fitting.training_progress import TimeBudget, TrainingProgress
from onebox.learning.networks.network import Network
from onebox.learning.parallel.batch_norm import synchronize
from onebox.learning.parallel.placement import ALONE, Placement
from onebox.learning.parallel.process_group import count_over_workers
from onebox.learning.parallel.strategy import trainer_options
from onebox.learning.quiet import Ignored, quiet
from onebox.progress import Listener
from onebox.recipes.recipe import Recipe

_IGNORED = (
    # It holds data.json, and the checkpoints of a run that is resumed.
    Ignored("Checkpoint directory .* exists and is not empty", r"lightning\."),
    # Rows are mapped: workers would only take cores from training.
    Ignored("The '.*_dataloader' does not have many workers", r"lightning\."),
    # Lightning 2.6 on PyTorch 2.15, the second for several workers.
    Ignored("`broadcast_buffers` is deprecated", r"lightning\."),
    Ignored(r"`isinstance\(treespec, LeafSpec\)` is deprecated", r"lightning\."),
    # On a GPU, where mixed precision skips the first steps while it finds its scale.
    Ignored(r"Detected call of `lr_scheduler\.step\(\)` before", r"torch\.optim\."),
)


@dataclass(frozen=True, slots=True)
class Fitted:
    """What a fit leaves behind.

    Attributes:
        checkpoint: The selected checkpoint; None if no epoch ended.
        epochs: Epochs that ended.
        steps: Steps taken.
        is_interrupted: Whether the user stopped it.
        is_out_of_time: Whether the time budget ended it before its last step.
        devices: Name of the device of each worker, such as ``cpu`` or that of a GPU.
    """

    checkpoint: Path | None
    epochs: int
    steps: int
    is_interrupted: bool
    is_out_of_time: bool
    devices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FitLimits:
    """Where a fit starts, how long it may take, and where it runs.

    Attributes:
        resume: A checkpoint to resume from; None to start with the network as it is.
        budget_s: Seconds that steps and validations may take; None for no limit. A resumed fit
            has the budget of the first.
        left_s: Seconds that are left of that budget, for a fit that is resumed after a worker was
            lost; None otherwise.
        placement: The place of this process among the workers that train together. Each has the
            rows that it owns, and a network with the same weights.
    """

    resume: Path | None = None
    budget_s: float | None = None
    left_s: float | None = None
    placement: Placement = ALONE


def fit(
    network: Network,
    recipe: Recipe,
    decoded: Mapping[str, Decoded],
    folder: Path,
    listener: Listener,
    limits: FitLimits = FitLimits(),
) -> Fitted:
    """Train a network in place on the ``train`` rows, and validate it on the ``val`` rows.

    The folder takes ``best.safetensors`` and ``last.safetensors``; one is selected also if the user
    pressed Ctrl-C. Of several workers, the first writes the files and tells its listener.
    """
    placement = limits.placement
    (images,) = count_over_workers(len(decoded["train"]))
    per_epoch = steps_per_epoch(images, recipe)
    epochs = count_epochs(images, recipe)
    group = epochs_per_validation(epochs, images, recipe)
    per_worker = placement.share(recipe.train.batch_size)
    progress = TrainingProgress(epochs * per_epoch, limits.budget_s)
    module = TrainingModule(
        network.to(memory_format=torch.channels_last),
        recipe,
        progress=progress,
        flip_pairs=decoded["train"].flip_pairs,
        placement=placement,
    )
    if not placement.is_alone:
        synchronize(network)
    callbacks = [
        *_callbacks(module),
        DivergenceStop(),
        TimeBudget(progress, limits.left_s),
        ProgressReporter(listener, progress, steps_per_epoch=per_epoch),
        *([] if placement.is_alone else [StopTogether()]),
        *checkpoints(recipe, folder),
    ]
    keep_freed_memory()
    with quiet("lightning.pytorch", *_IGNORED):
        trainer = _trainer(recipe.train.max_grad_norm, callbacks, placement)
        loaders = [
            _train_batches(recipe, decoded["train"], images, group, placement),
            batches(decoded["val"], RowsInOrder(len(decoded["val"]), per_worker)),
        ]
        is_interrupted = _run(trainer, module, loaders, limits.resume)
    selected = folder / f"{select_checkpoint(recipe, decoded['val'])}.safetensors"
    return Fitted(
        selected if selected.is_file() else None,
        min(trainer.current_epoch * group, trainer.global_step // per_epoch),
        trainer.global_step,
        is_interrupted,
        trainer.global_step < progress.steps and progress.is_over(trainer.global_step),
        (_device_name(trainer.strategy.root_device),),
    )


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def _train_batches(
    recipe: Recipe, train: Decoded, images: int, epochs: int, placement: Placement
) -> DataLoader[Batch]:
    """Batches of this worker's training rows, ``epochs`` passes at a time."""
    settings = recipe.train
    order = ShuffledRows(images, settings.batch_size, settings.seed, epochs, placement)
    return batches(train, order)


def _trainer(
    max_grad_norm: float, callbacks: list[Callback], placement: Placement
) -> lightning.Trainer:
    """A trainer that shows nothing of its own and writes nothing but checkpoints."""
    return lightning.Trainer(
        max_epochs=-1,  # `TimeBudget` ends it after the steps of the schedule
        use_distributed_sampler=False,
        **trainer_options(placement),
        precision="16-mixed" if torch.cuda.is_available() else "32-true",
        gradient_clip_val=max_grad_norm,
        callbacks=callbacks,
        plugins=[SafetensorsCheckpoints()],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )


def _run(
    trainer: lightning.Trainer, module: TrainingModule, loaders: Sequence[Any], resume: Path | None
) -> bool:
    """Fit; True if Ctrl-C ended it."""
    try:
        trainer.fit(module, loaders[0], loaders[1], ckpt_path=resume)
    except (KeyboardInterrupt, SystemExit):  # the trainer turns the first into the second
        return True
    return trainer.interrupted


def _callbacks(module: TrainingModule) -> list[Callback]:
    settings = module.recipe.train
    chosen: list[Callback] = []
    if settings.ema_decay:
        chosen.append(WeightAveraging(multi_avg_fn=warm_average(settings.ema_decay)))
    if settings.patience:
        chosen.append(Patience(settings.patience))
    if settings.freeze_backbone_fraction or settings.frozen_stages:
        chosen.append(BackboneFreezing(module.network.backbone, settings, module.progress))
    return chosen
