"""fit: a Lightning module and its callbacks, nothing else.

Everything random follows from the seed, the epoch and the step, and nothing from what ran before:
so a resumed run goes on with the numbers that an unbroken one would have had.
"""

import ctypes
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, WeightAveraging
from torch import Tensor

from onebox.learning.data.augmentation import warp
from onebox.learning.data.dataloader import Batch, DecodedRows, RowsInOrder, ShuffledRows, batches
from onebox.learning.data.decoded_cache import Decoded
from onebox.learning.fitting.callbacks import Pacing, Resting, Speaker, warm_average
from onebox.learning.fitting.checkpoint_io import SafetensorsCheckpoints
from onebox.learning.fitting.checkpointing import VAL_FIGURE, checkpoints, which_is_kept
from onebox.learning.fitting.deadline import Deadline, Pace
from onebox.learning.fitting.feature_cache import KeptViews, View, keep_views, planes, recall, vary
from onebox.learning.fitting.param_groups import (
    is_at_rest,
    parameter_groups,
    rates_of_groups,
    rest,
)
from onebox.learning.fitting.schedules import (
    kept_views,
    passes_between,
    planned_epochs,
    size_at,
    steps_a_pass,
)
from onebox.learning.losses.objective import compute_loss, total
from onebox.learning.losses.primitives import paired_iou
from onebox.learning.networks.network import Network
from onebox.learning.quiet import Ignored, quiet
from onebox.progress import Listener
from onebox.recipes.recipe import Recipe

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
_SEED_STRIDE = 1_000_003  # keeps the steps of neighbouring seeds apart
_IGNORED = (
    # It holds data.json, and the checkpoints of a run that is resumed.
    Ignored("Checkpoint directory .* exists and is not empty", r"lightning\."),
    # Rows are mapped: workers would only take cores from training.
    Ignored("The '.*_dataloader' does not have many workers", r"lightning\."),
    # Lightning 2.6 on PyTorch 2.15.
    Ignored(r"`isinstance\(treespec, LeafSpec\)` is deprecated", r"lightning\."),
    # On a GPU, where mixed precision skips the first steps while it finds its scale.
    Ignored(r"Detected call of `lr_scheduler\.step\(\)` before", r"torch\.optim\."),
)


@dataclass(frozen=True, slots=True)
class Fitted:
    """What a fit leaves behind.

    Attributes:
        kept: The checkpoint whose weights are kept; None where no epoch ended.
        epochs: How many epochs ended.
        is_interrupted: Whether the user stopped it.
    """

    kept: Path | None
    epochs: int
    is_interrupted: bool


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where a training begins, and by when it must end.

    Attributes:
        resume: A checkpoint to go on from; None for the network as it is.
        deadline: Fewer epochs are trained where it would not be kept; None for no such thing.
    """

    resume: Path | None = None
    deadline: Deadline | None = None


class Training(lightning.LightningModule):
    """A network under training."""

    def __init__(
        self,
        network: Network,
        recipe: Recipe,
        *,
        pace: Pace,
        flip_pairs: Sequence[tuple[int, int]] = (),
    ) -> None:
        """Train ``network`` as the recipe says, at a pace.

        ``flip_pairs`` are the keypoints that a mirrored image swaps.
        """
        super().__init__()
        self.network = network
        self.recipe = recipe
        self.pace = pace
        self.flip_pairs = flip_pairs
        self._kept: KeptViews | None = None

    def on_train_start(self) -> None:
        """Have a backbone that rests look once at what the heads will learn from."""
        loader: Any = self.trainer.train_dataloader
        images: DecodedRows = loader.dataset
        views = kept_views(self.pace.planned, len(images), self.recipe)
        if not views or not self._is_at_rest():
            return
        size = size_at(0.0, self.recipe)
        ways = [
            partial(self._shown, size=size, generator=self._generator(-1 - number))
            for number in range(views)
        ]
        order = RowsInOrder(len(images), self.recipe.train.batch_size)
        rest(self.network.backbone, is_resting=True)
        self._kept = keep_views(self.network.backbone, map(images.__getitem__, order), ways)

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:  # noqa: ARG002
        """Show the images, and weigh what the network answers."""
        if not self._is_at_rest():
            self._kept = None
        if self._kept is not None:
            number = self.global_step // steps_a_pass(self._kept.boxes.shape[1], self.recipe)
            maps, truth = recall(self._kept, batch, number)
            outputs = self.network.forward_heads(maps)
        else:
            size = size_at(self.pace.share(self.global_step), self.recipe)
            generator = self._generator(self.global_step)
            images, truth = self._shown(batch, size=size, generator=generator)
            outputs = self.network(images)
        loss = total(compute_loss(outputs, truth, self.recipe.loss, self.recipe.model.layout))
        self.log("loss", loss, on_step=False, on_epoch=True, batch_size=len(truth.boxes))
        return loss

    def _is_at_rest(self) -> bool:
        return is_at_rest(self.recipe.train, self.pace, self.global_step)

    def _generator(self, number: int) -> torch.Generator:
        """Of the step of that number; views that are kept have numbers below zero."""
        return torch.Generator().manual_seed(self.recipe.train.seed * _SEED_STRIDE + number)

    def _shown(self, batch: Batch, *, size: int, generator: torch.Generator) -> View:
        on_device = Batch(*(each.to(self.device) for each in batch))
        return vary(
            on_device,
            self.recipe.augment,
            size=size,
            flip_pairs=self.flip_pairs,
            generator=generator,
        )

    def validation_step(self, batch: Batch, batch_index: int) -> None:  # noqa: ARG002
        """Measure the overlap on images as they are."""
        whole = torch.tensor([0.0, 0.0, 1.0, 1.0]).expand(len(batch.boxes), 4)
        unflipped = torch.zeros(len(batch.boxes), dtype=torch.bool)
        images = warp(planes(batch.pixels), whole, unflipped, self.recipe.model.size)
        outputs = self.network(images.contiguous(memory_format=torch.channels_last))
        overlap = paired_iou(outputs.box.boxes, batch.boxes)[batch.has_box]
        if len(overlap):
            self.log(VAL_FIGURE, overlap.mean(), on_epoch=True, batch_size=len(overlap))

    def configure_optimizers(self) -> Any:  # noqa: ANN401
        """The recipe's optimizer and schedule."""
        settings = self.recipe.train
        heads, backbone = self.network.head_parameters(), self.network.backbone
        groups = parameter_groups(heads, backbone, settings)
        optimizer = OPTIMIZERS[settings.optimizer](groups, fused=True)
        rates = rates_of_groups(optimizer, self.network.backbone, settings, self.pace)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rates)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


OPTIMIZERS: dict[str, type[torch.optim.AdamW | torch.optim.Adam]] = {
    "adamw": torch.optim.AdamW,
    "adam": torch.optim.Adam,
}


def fit(
    network: Network,
    recipe: Recipe,
    decoded: Mapping[str, Decoded],
    folder: Path,
    listener: Listener,
    bounds: Bounds = Bounds(),
) -> Fitted:
    """Train a network on the ``train`` rows, and validate it on the ``val`` rows.

    Args:
        network: Trained in place.
        recipe: Every setting.
        decoded: Rows of ``train`` and ``val``.
        folder: Takes ``best.safetensors`` and ``last.safetensors``.
        listener: Hears of each step and epoch.
        bounds: Where it begins, and by when it must end.

    Returns:
        Where the checkpoint that is kept lies, also where the user pressed Ctrl-C.
    """
    images = len(decoded["train"])
    epochs = planned_epochs(images, recipe)
    passes = passes_between(epochs, images, recipe)
    order = ShuffledRows(images, recipe.train.batch_size, recipe.train.seed, passes)
    pace = Pace(len(order), rounds=epochs // passes)
    module = Training(
        network.to(memory_format=torch.channels_last),
        recipe,
        pace=pace,
        flip_pairs=decoded["train"].flip_pairs,
    )
    spoken = [Pacing(pace, listener, bounds.deadline), Speaker(listener, pace, passes)]
    callbacks = [*_callbacks(module), *spoken, *checkpoints(recipe, folder)]
    rows = batches(decoded["train"], order)
    val_rows = batches(decoded["val"], RowsInOrder(len(decoded["val"]), recipe.train.batch_size))
    keep_freed_memory()
    with quiet("lightning.pytorch", *_IGNORED):
        trainer = _trainer(pace.rounds, recipe.train.max_grad_norm, callbacks)
        is_interrupted = _run(trainer, module, [rows, val_rows], bounds.resume)
    kept = folder / f"{which_is_kept(recipe, decoded['val'])}.safetensors"
    ended = trainer.current_epoch * passes
    return Fitted(kept if kept.is_file() else None, ended, is_interrupted)


def _trainer(rounds: int, max_grad_norm: float, callbacks: list[Callback]) -> lightning.Trainer:
    """A trainer that shows nothing of its own and writes nothing but checkpoints."""
    return lightning.Trainer(
        max_epochs=rounds,
        accelerator="auto",
        devices=1,
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
    trainer: lightning.Trainer, module: Training, rows: Sequence[Any], resume: Path | None
) -> bool:
    """Fit; True where Ctrl-C ended it."""
    try:
        trainer.fit(module, rows[0], rows[1], ckpt_path=resume)
    except (KeyboardInterrupt, SystemExit):  # the trainer turns the first into the second
        return True
    return trainer.interrupted


def _callbacks(module: Training) -> list[Callback]:
    recipe = module.recipe
    chosen: list[Callback] = []
    if recipe.train.ema_decay:
        chosen.append(WeightAveraging(multi_avg_fn=warm_average(recipe.train.ema_decay)))
    if recipe.train.patience:
        chosen.append(EarlyStopping(VAL_FIGURE, mode="max", patience=recipe.train.patience))
    if recipe.train.freeze_backbone_fraction or recipe.train.frozen_stages:
        chosen.append(Resting(module.network.backbone, recipe.train, module.pace))
    return chosen


def keep_freed_memory() -> None:
    """Have glibc keep what a step frees for the next one.

    By default it hands large blocks back to the kernel, which clears their pages for the next
    step: half the time of a step on a CPU (docs/performance.md). Elsewhere nothing is changed.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(_M_MMAP_THRESHOLD, 2**30)
    libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
