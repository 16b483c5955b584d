"""Freezing: the whole backbone in the first steps, its first stages in all of them."""

import lightning
from lightning.pytorch.callbacks import Callback
from torch import nn

from onebox.learning.fitting.param_groups import stages_of
from onebox.learning.fitting.schedules import is_backbone_frozen
from onebox.learning.fitting.training_progress import TrainingProgress
from onebox.recipes.sections import TrainSettings


def freeze(backbone: nn.Module, *, is_whole: bool, stages: int = 0) -> None:
    """Freeze a backbone, batch statistics included, or unfreeze all but its first ``stages``.

    The backward pass ends at the first parameter that learns, which saves its time.

    References:
        Kumar et al., arXiv:2202.10054, section 3 (first the head alone, so that the gradients that
        reach the features are not those of a random head).
    """
    backbone.train(not is_whole)
    backbone.requires_grad_(not is_whole)
    if is_whole or not stages:
        return
    for stage in stages_of(backbone)[:stages]:
        for parameter in stage:
            parameter.requires_grad = False
    for module in backbone.modules():
        own = list(module.parameters(recurse=False))
        if own and not any(parameter.requires_grad for parameter in own):
            module.eval()


class BackboneFreezing(Callback):
    """Freezes the backbone as the recipe says.

    It acts before every step: a resumed run starts anywhere, and a validation changes the modes.
    """

    def __init__(
        self, backbone: nn.Module, settings: TrainSettings, progress: TrainingProgress
    ) -> None:
        self._backbone, self._settings, self._progress = backbone, settings, progress

    def on_train_batch_start(self, trainer: lightning.Trainer, *_: object) -> None:
        """Freeze or unfreeze the backbone for this step."""
        freeze(
            self._backbone,
            is_whole=is_backbone_frozen(self._settings, self._progress, trainer.global_step),
            stages=self._settings.frozen_stages,
        )
