"""What a training does beside its steps: average the weights, rest, keep a pace, and speak."""

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor, nn

from onebox.learning.fitting.checkpointing import VAL_FIGURE
from onebox.learning.fitting.deadline import Deadline, Pace, Timekeeper
from onebox.learning.fitting.param_groups import is_at_rest, rest
from onebox.progress import EpochMetrics, Listener
from onebox.recipes.sections import TrainSettings

_PLACE = ("rounds", "step", "place", "stride")


def warm_average(decay: float) -> Callable[[Sequence[Tensor], Sequence[Tensor], Tensor], None]:
    """A moving average that forgets its start: the decay rises to its value with the steps."""

    def update(averaged: Sequence[Tensor], current: Sequence[Tensor], count: Tensor) -> None:
        steps = float(count)
        share = 1 - min(decay, (1 + steps) / (10 + steps))
        if averaged[0].is_floating_point():
            torch._foreach_lerp_(list(averaged), list(current), share)
        else:
            torch._foreach_copy_(list(averaged), list(current))

    return update


class Resting(Callback):
    """Lets the backbone rest in the first steps, and its first stages in all.

    Asked at every step: a resumed run begins anywhere, and a validation sets modes of its own.
    """

    def __init__(self, backbone: nn.Module, settings: TrainSettings, pace: Pace) -> None:
        """Of a network under training."""
        self._backbone, self._settings, self._pace = backbone, settings, pace

    def on_train_batch_start(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,  # noqa: ARG002
        *_: object,
    ) -> None:
        """Have the backbone rest or learn in this step."""
        rest(
            self._backbone,
            is_resting=is_at_rest(self._settings, self._pace, trainer.global_step),
            frozen_stages=self._settings.frozen_stages,
        )


class Pacing(Callback):
    """Ends a shortened schedule at its end, and shortens it where there is a deadline.

    A resumed run goes on at the pace that it had; its deadline was the first run's.
    """

    def __init__(self, pace: Pace, listener: Listener, deadline: Deadline | None) -> None:
        self._pace, self._listener, self._deadline = pace, listener, deadline
        self._keeper: Timekeeper | None = None
        self._planned_rounds = pace.rounds

    def on_train_batch_start(self, *_: object) -> None:
        """The clock runs from the first step."""
        if self._keeper is None and self._deadline is not None:
            self._keeper = Timekeeper(self._pace, self._deadline)

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: object) -> None:
        """Count the step."""
        if self._keeper is not None:
            self._keeper.took(trainer.global_step)

    def on_train_epoch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,  # noqa: ARG002
    ) -> None:
        """See how much time is left, and whether this was the last round."""
        if self._keeper is not None:
            self._keeper.ended(trainer.global_step)
        if trainer.current_epoch + 1 >= self._pace.rounds < self._planned_rounds:
            trainer.should_stop = True
            self._listener.note(
                "the machine was slower than when the time was planned; fewer epochs were trained, "
                "to end in time."
            )

    def state_dict(self) -> dict[str, Any]:
        """The schedule's place, for a resumed run."""
        return {name: getattr(self._pace, name) for name in _PLACE}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there."""
        for name in _PLACE:
            setattr(self._pace, name, state_dict[name])


class Speaker(Callback):
    """Tells the listener of steps and epochs."""

    def __init__(self, listener: Listener, pace: Pace, passes: int) -> None:
        """``passes`` over the images make a round."""
        self._listener, self._pace, self._passes = listener, pace, passes
        self._started = time.monotonic()

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: object) -> None:
        """Tell of the step."""
        self._listener.advance(trainer.global_step, self._pace.rounds * self._pace.steps_a_round)

    def on_train_epoch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,  # noqa: ARG002
    ) -> None:
        """Tell of the epochs since the last time; the trainer counts them as one."""
        metrics = trainer.callback_metrics
        self._listener.epoch(
            EpochMetrics(
                epoch=(trainer.current_epoch + 1) * self._passes,
                epochs=self._pace.rounds * self._passes,
                loss=float(metrics["loss"]),
                val_mean_iou=float(metrics.get(VAL_FIGURE, math.nan)),
                learning_rate=float(trainer.optimizers[0].param_groups[0]["lr"]),
                seconds=time.monotonic() - self._started,
            )
        )
