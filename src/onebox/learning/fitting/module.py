"""The Lightning module: one training step, one validation step, the optimizer.

All random numbers follow from the seed, the epoch, the step and the rank of the worker, and from
nothing that ran before: a resumed run continues with the numbers that an unbroken one would have
had.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import lightning
import torch
from torch import Tensor

from onebox.learning.data.augmentation import warp
from onebox.learning.data.dataloader import Batch, DecodedRows, RowsInOrder
from onebox.learning.fitting.callbacks import LOSS_PREFIX
from onebox.learning.fitting.checkpointing import VAL_METRIC
from onebox.learning.fitting.epochs import steps_per_epoch
from onebox.learning.fitting.feature_cache import (
    CachedFeatures,
    View,
    augment_batch,
    cache_features,
    count_views,
    read_features,
    to_planes,
)
from onebox.learning.fitting.freezing import freeze
from onebox.learning.fitting.param_groups import parameter_groups
from onebox.learning.fitting.schedules import (
    image_size_at,
    is_backbone_frozen,
    learning_rate_factors,
)
from onebox.learning.fitting.shared_losses import mean_over_workers, part_names, shared_parts
from onebox.learning.fitting.training_progress import TrainingProgress
from onebox.learning.losses.objective import compute_loss, total
from onebox.learning.losses.primitives import paired_iou
from onebox.learning.networks.network import Network
from onebox.learning.parallel.placement import ALONE, Placement
from onebox.learning.parallel.process_group import count_over_workers
from onebox.recipes.recipe import Recipe

_SEED_STRIDE = 1_000_003  # keeps the steps of neighbouring seeds apart
# Keeps the workers apart. Of a seed, generators on the CPU read the lower 32 bits alone.
_STREAM_STRIDE = 2_654_435_761

OPTIMIZERS: dict[str, type[torch.optim.AdamW | torch.optim.Adam]] = {
    "adamw": torch.optim.AdamW,
    "adam": torch.optim.Adam,
}


class TrainingModule(lightning.LightningModule):
    """A network under training."""

    def __init__(
        self,
        network: Network,
        recipe: Recipe,
        *,
        progress: TrainingProgress,
        flip_pairs: Sequence[tuple[int, int]] = (),
        placement: Placement = ALONE,
    ) -> None:
        """Train ``network`` by a recipe; a mirrored image swaps the keypoints of ``flip_pairs``."""
        super().__init__()
        self.network = network
        self.recipe = recipe
        self.progress = progress
        self.flip_pairs = flip_pairs
        self.placement = placement
        self._cached: CachedFeatures | None = None
        self._steps_per_epoch = 1

    def on_train_start(self) -> None:
        """Cache the features of a frozen backbone, if the recipe asks for it."""
        loader: Any = self.trainer.train_dataloader
        images: DecodedRows = loader.dataset
        (count,) = count_over_workers(len(images))
        self._steps_per_epoch = steps_per_epoch(count, self.recipe)
        views = count_views(self.progress.steps, count, self.recipe)
        if not views or not self._is_backbone_frozen():
            return
        size = image_size_at(0.0, self.recipe)
        augmentations = [
            partial(self._augmented, size=size, generator=self._generator(-1 - view))
            for view in range(views)
        ]
        order = RowsInOrder(len(images), self.placement.share(self.recipe.train.batch_size))
        freeze(self.network.backbone, is_whole=True)
        batches = map(images.__getitem__, order)
        self._cached = cache_features(self.network.backbone, batches, augmentations)

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:  # noqa: ARG002
        """Compute the loss of a batch."""
        self._seed_layers()
        if not self._is_backbone_frozen():
            self._cached = None
        if self._cached is not None:
            epoch = self.global_step // self._steps_per_epoch
            maps, truth = read_features(self._cached, batch, epoch)
            outputs = self.network.forward_heads(maps)
        else:
            size = image_size_at(self.progress.fraction(self.global_step), self.recipe)
            generator = self._generator(self.global_step)
            images, truth = self._augmented(batch, size=size, generator=generator)
            outputs = self.network(images)
        parts = compute_loss(outputs, truth, self.recipe.loss, self.recipe.model.layout)
        shared = shared_parts(parts, truth)
        self._log_losses(shared, len(truth.boxes))
        return total(shared)

    def _log_losses(self, shared: Mapping[str, Tensor], batch_size: int) -> None:
        parts = mean_over_workers(shared, part_names(self.recipe.loss))
        logged = {f"{LOSS_PREFIX}{name}": part for name, part in parts.items()}
        logged["loss"] = total(parts)
        self.log_dict(logged, on_step=False, on_epoch=True, batch_size=batch_size)

    def _is_backbone_frozen(self) -> bool:
        return is_backbone_frozen(self.recipe.train, self.progress, self.global_step)

    def _generator(self, number: int) -> torch.Generator:
        """Random numbers of a step; cached views have numbers below zero."""
        return torch.Generator().manual_seed(self._seed(number, 2 * self.placement.rank))

    def _seed_layers(self) -> None:
        """Seed what layers draw in a step: dropout, and timm's drop path."""
        # On a CPU, `torch.manual_seed` takes a millisecond to note a seed for the GPUs.
        is_cpu = self.device.type == "cpu"
        reseed = torch.default_generator.manual_seed if is_cpu else torch.manual_seed
        reseed(self._seed(self.global_step, 2 * self.placement.rank + 1))

    def _seed(self, number: int, stream: int) -> int:
        return self.recipe.train.seed * _SEED_STRIDE + number + stream * _STREAM_STRIDE

    def _augmented(self, batch: Batch, *, size: int, generator: torch.Generator) -> View:
        on_device = Batch(*(each.to(self.device) for each in batch))
        pairs = self.flip_pairs
        return augment_batch(
            on_device, self.recipe.augment, size=size, flip_pairs=pairs, generator=generator
        )

    def validation_step(self, batch: Batch, batch_index: int) -> None:  # noqa: ARG002
        """Log the mean IoU on images without augmentation."""
        whole = torch.tensor([0.0, 0.0, 1.0, 1.0]).expand(len(batch.boxes), 4)
        unflipped = torch.zeros(len(batch.boxes), dtype=torch.bool)
        images = warp(to_planes(batch.pixels), whole, unflipped, self.recipe.model.size)
        outputs = self.network(images.contiguous(memory_format=torch.channels_last))
        iou = paired_iou(outputs.box.boxes, batch.boxes)[batch.has_box]
        is_shared = not self.placement.is_alone
        if len(iou) or is_shared:  # all workers join the sum, those without a box by nothing
            mean = iou.sum() / max(1, len(iou))
            self.log(VAL_METRIC, mean, on_epoch=True, batch_size=len(iou), sync_dist=is_shared)

    def configure_optimizers(self) -> Any:  # noqa: ANN401
        """The optimizer and the learning-rate schedule of the recipe."""
        settings = self.recipe.train
        groups = parameter_groups(self.network, self.network.backbone, settings)
        # On a GPU in half precision, a fused optimizer unscales gradients too late to clip them.
        is_fused = not torch.cuda.is_available()
        optimizer = OPTIMIZERS[settings.optimizer](groups, fused=is_fused)
        factors = learning_rate_factors(optimizer, self.network.backbone, settings, self.progress)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factors)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]
