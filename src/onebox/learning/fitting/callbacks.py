"""Callbacks of the trainer: the average of the weights, progress for the listeners, stopping."""

import math
import time
from collections.abc import Callable, Mapping, Sequence

import lightning
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping
from torch import Tensor

from onebox.learning.fitting.checkpointing import VAL_METRIC
from onebox.learning.fitting.training_progress import TrainingProgress
from onebox.learning.parallel.process_group import is_true_anywhere
from onebox.progress import EpochMetrics, Listener, StopTraining

LOSS_PREFIX = "loss/"
"""Under this prefix the module logs each part of the loss."""


def warm_average(decay: float) -> Callable[[Sequence[Tensor], Sequence[Tensor], Tensor], None]:
    """An exponential moving average whose decay rises to its value over the first steps.

    The decay after ``t`` steps is ``min(decay, (1 + t) / (10 + t))``, as in TensorFlow's
    ``ExponentialMovingAverage`` with ``num_updates``.
    """

    def update(averaged: Sequence[Tensor], current: Sequence[Tensor], count: Tensor) -> None:
        steps = float(count)
        weight = 1 - min(decay, (1 + steps) / (10 + steps))
        if averaged[0].is_floating_point():
            torch._foreach_lerp_(list(averaged), list(current), weight)
        else:
            torch._foreach_copy_(list(averaged), list(current))

    return update


class Patience(EarlyStopping):
    """Stops when the validation metric has not improved for some validations, now or earlier.

    A run that it had stopped, and that is resumed, takes no more steps.
    """

    def __init__(self, validations: int) -> None:
        """Wait for an improvement over so many validations."""
        super().__init__(VAL_METRIC, mode="max", patience=validations)

    def on_train_start(self, trainer: lightning.Trainer, *_: object) -> None:
        """Stop if the resumed run had been stopped: the trainer's own class forgets that."""
        if self.wait_count >= self.patience:
            trainer.should_stop = True


def is_finite(state: Mapping[str, Tensor]) -> bool:
    """Whether all floating-point numbers of a network's tensors are finite."""
    return all(
        bool(tensor.isfinite().all()) for tensor in state.values() if tensor.is_floating_point()
    )


class DivergenceStop(Callback):
    """Stops after an epoch that left weights that are not finite: no later step can repair them.

    A loss alone may be so for a step, in half precision, and training goes on.
    """

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Look at the weights."""
        if not is_finite(pl_module.state_dict()):
            trainer.should_stop = True


class StopTogether(Callback):
    """Stops all workers as soon as one of them is asked to stop."""

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: object) -> None:
        """Ask the others after each step."""
        trainer.should_stop = is_true_anywhere(is_true=trainer.should_stop)

    def on_train_epoch_end(self, trainer: lightning.Trainer, *_: object) -> None:
        """Ask the others after the report of an epoch."""
        trainer.should_stop = is_true_anywhere(is_true=trainer.should_stop)


class ProgressReporter(Callback):
    """Tells the listener of steps and epochs; the listener may stop the training."""

    def __init__(
        self, listener: Listener, progress: TrainingProgress, *, steps_per_epoch: int
    ) -> None:
        """An epoch is one pass over the images; the trainer's own epochs may have several."""
        self._listener, self._progress = listener, progress
        self._steps_per_epoch = steps_per_epoch
        self._started = time.monotonic()

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: object) -> None:
        """Tell of the step; a time budget may move the progress by more than a step."""
        position = self._progress.position(trainer.global_step)
        self._tell(trainer, lambda: self._listener.advance(round(position), self._progress.steps))

    def on_train_epoch_end(self, trainer: lightning.Trainer, *_: object) -> None:
        """Tell of the epochs since the last validation."""
        metrics = self._epoch_metrics(trainer)
        self._tell(trainer, lambda: self._listener.epoch(metrics))

    def _tell(self, trainer: lightning.Trainer, tell: Callable[[], None]) -> None:
        try:
            tell()
        except StopTraining:
            trainer.should_stop = True

    def _epoch_metrics(self, trainer: lightning.Trainer) -> EpochMetrics:
        logged = trainer.callback_metrics
        return EpochMetrics(
            epoch=math.ceil(trainer.global_step / self._steps_per_epoch),
            epochs=self._progress.steps // self._steps_per_epoch,
            loss=float(logged["loss"]),
            val_mean_iou=float(logged.get(VAL_METRIC, math.nan)),
            learning_rate=float(trainer.optimizers[0].param_groups[0]["lr"]),
            seconds=time.monotonic() - self._started,
            losses={
                name.removeprefix(LOSS_PREFIX): float(value)
                for name, value in logged.items()
                if name.startswith(LOSS_PREFIX)
            },
        )
