"""Backbone → vectorizer → heads, and the loss of what they answer."""

from pathlib import Path
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from onebox.learning.backbones import Backbone
from onebox.learning.batches import Batch
from onebox.learning.heads import BOX_HEADS, BoxOutput, ClassHead, OverlapHead
from onebox.learning.losses import BOX_LOSSES, distribution, paired_iou
from onebox.learning.recipe import LossSettings, Recipe
from onebox.learning.vectorizers import VECTORIZERS


class Outputs(NamedTuple):
    """What a network answers, row by row.

    Attributes:
        box: The box, and what it was read from.
        class_logits: One for each class.
        overlap_logit: The overlap expected of the box; None where the recipe asks for none.
    """

    box: BoxOutput
    class_logits: Float[Tensor, "n classes"]
    overlap_logit: Float[Tensor, " n"] | None


class Network(nn.Module):
    """A localizer: pictures in, classes and boxes out."""

    def __init__(self, recipe: Recipe, *, classes: int, weights: Path | None = None) -> None:
        """Make the network of a recipe.

        Args:
            recipe: Its ``[model]`` and ``[loss]`` sections are read.
            classes: How many classes there are, at least one.
            weights: A safetensors file for the backbone; None starts from none.
        """
        super().__init__()
        self.backbone = Backbone(recipe.model, weights)
        self.vectorizer = VECTORIZERS[recipe.model.vectorizer](self.backbone, recipe.model)
        self.box_head = BOX_HEADS[recipe.model.box_head](self.vectorizer, recipe.model)  # type: ignore[arg-type]
        self.class_head = ClassHead(self.vectorizer, classes)  # type: ignore[arg-type]
        has_overlap = recipe.loss.overlap > 0
        self.overlap_head = OverlapHead(self.vectorizer) if has_overlap else None  # type: ignore[arg-type]

    def forward(self, pictures: Float[Tensor, "n 3 height width"]) -> Outputs:
        """Answer for pictures in [0, 1]."""
        features = self.vectorizer(self.backbone(pictures))
        overlap = None if self.overlap_head is None else self.overlap_head(features)
        return Outputs(self.box_head(features), self.class_head(features), overlap)

    def parameter_groups(self, recipe: Recipe) -> list[dict[str, object]]:
        """Parameters for AdamW: the backbone slower, vectors and scalars without decay."""
        settings = recipe.train
        groups = []
        for is_backbone in (False, True):
            for is_decayed in (False, True):
                chosen = [
                    parameter
                    for name, parameter in self.named_parameters()
                    if name.startswith("backbone.") == is_backbone
                    and (parameter.ndim > 1) == is_decayed
                ]
                rate = settings.learning_rate * (settings.backbone_rate if is_backbone else 1.0)
                decay = settings.weight_decay if is_decayed else 0.0
                groups.append({"params": chosen, "lr": rate, "weight_decay": decay})
        return [group for group in groups if group["params"]]


def total_loss(outputs: Outputs, batch: Batch, settings: LossSettings) -> Float[Tensor, ""]:
    """The weighted sum of a batch's losses, each a mean over the pictures that can tell.

    Pictures without a box teach no box; pictures without a label teach no class.
    """
    has_box = batch.has_box
    truth = batch.boxes[has_box]
    box = outputs.box
    total = settings.label * _label_loss(outputs.class_logits, batch.labels, settings)
    if len(truth) == 0:
        return total
    found = box.boxes[has_box]
    for name, weight in settings.box.items():
        if name == "distribution":
            total = total + weight * _distribution_loss(box, has_box, truth)
        elif weight:
            total = total + weight * BOX_LOSSES[name](found, truth).mean()
    if outputs.overlap_logit is not None:
        iou = paired_iou(found.detach(), truth)
        judged = outputs.overlap_logit[has_box]
        total = total + settings.overlap * functional.binary_cross_entropy_with_logits(judged, iou)
    return total


def _distribution_loss(box: BoxOutput, has_box: Tensor, truth: Tensor) -> Float[Tensor, ""]:
    if box.bins is None or box.places is None:
        raise ValueError("the distribution loss needs a box head with bins.")
    return distribution(box.bins[has_box], box.places, truth).mean()


def _label_loss(
    logits: Float[Tensor, "n classes"], labels: Tensor, settings: LossSettings
) -> Float[Tensor, ""]:
    has_label = labels >= 0
    if logits.shape[1] == 1 or not has_label.any():
        return logits.sum() * 0  # a batch that can tell nothing has slopes all the same: none
    return functional.cross_entropy(
        logits[has_label], labels[has_label], label_smoothing=settings.label_smoothing
    )
