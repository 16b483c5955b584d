"""Backbone → vectorizer → shared layers → heads, and the loss of what they answer."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from onebox.learning.data.dataloader import Batch
from onebox.learning.losses.primitives import (
    NUMBER_LOSSES,
    OVERLAP_LOSSES,
    READING_LOSSES,
    distribution,
    paired_iou,
)
from onebox.learning.networks.backbones import Backbone
from onebox.learning.networks.box_layouts import from_xyxy
from onebox.learning.networks.head_outputs import BoxOutput, KeypointOutput
from onebox.learning.networks.heads import (
    BOX_HEADS,
    KEYPOINT_HEADS,
    ClassHead,
    IouHead,
    PresenceHead,
    ScaleHead,
)
from onebox.learning.networks.keypoint_heads import hull
from onebox.learning.networks.vectorizers import VECTORIZERS, Features, Sizes
from onebox.recipes.recipe import Recipe
from onebox.recipes.sections import LossSettings, ModelSettings

_NEAR = 0.1  # a keypoint's miss at which its confidence should be exp(-1/2), in shares of the box


class Outputs(NamedTuple):
    """What a network answers, row by row.

    Attributes:
        box: The box, and what it was read from.
        class_logits: One for each class.
        iou_logit: The overlap expected of the box; None where the recipe asks for none.
        keypoints: The keypoints; None where the recipe asks for none.
        presence_logit: Whether the subject is there; None where every training image shows it.
    """

    box: BoxOutput
    class_logits: Float[Tensor, "n classes"]
    iou_logit: Float[Tensor, " n"] | None
    keypoints: KeypointOutput | None = None
    presence_logit: Float[Tensor, " n"] | None = None


class Network(nn.Module):
    """A localizer: images in, classes, boxes, keypoints and presence out."""

    def __init__(
        self,
        recipe: Recipe,
        *,
        classes: int,
        keypoints: int = 0,
        presence: bool = False,
        weights: Path | None = None,
    ) -> None:
        """Make the network of a recipe.

        Args:
            recipe: Its ``[model]`` and ``[loss]`` sections are read.
            classes: How many classes there are, at least one.
            keypoints: How many keypoints there are; 0 for none.
            presence: Whether to tell images without the subject.
            weights: A safetensors file for the backbone; None starts from none.
        """
        super().__init__()
        model = recipe.model
        self.backbone_name = model.backbone
        self.backbone = Backbone(model, weights)
        self.vectorizer = VECTORIZERS[model.vectorizer](self.backbone.shapes, model)
        self.shared, sizes = _shared(self.vectorizer.sizes, model)
        is_hull = model.box_head == "hull"
        self.box_head = None if is_hull else BOX_HEADS[model.box_head](sizes, model)
        self.class_head = ClassHead(sizes, classes)
        self.iou_head = IouHead(sizes) if recipe.loss.iou > 0 else None
        has_keypoints = model.keypoints and keypoints > 0
        self.keypoint_head = (
            KEYPOINT_HEADS[model.vectorizer](sizes, model, keypoints) if has_keypoints else None
        )
        # The last to be drawn, so that a seed gives all other parts the same start with it.
        self.presence_head = PresenceHead(sizes) if presence else None
        # After it for the same reason; it teaches, and no model file holds it.
        self.scale_head = ScaleHead(sizes) if recipe.loss.box.get("laplace") else None

    def forward(self, images: Float[Tensor, "n 3 height width"], white: float = 1.0) -> Outputs:
        """Answer for images from 0 to ``white``.

        Raises:
            ValueError: If the box is the keypoints' hull, and the data has no keypoints.
        """
        return self.answer(self.backbone(images, white))

    def answer(self, maps: Sequence[Tensor]) -> Outputs:
        """Answer for the backbone's maps.

        Raises:
            ValueError: If the box is the keypoints' hull, and the data has no keypoints.
        """
        vector, cells = self.vectorizer(maps)
        features = Features(self.shared(vector), cells)
        keypoints = None if self.keypoint_head is None else self.keypoint_head(features)
        overlap = None if self.iou_head is None else self.iou_head(features)
        presence = None if self.presence_head is None else self.presence_head(features)
        if self.box_head is not None:
            box = self.box_head(features)
        elif keypoints is not None:
            box = hull(keypoints)
        else:
            raise ValueError("a box that is the keypoints' hull needs keypoints.")
        if self.scale_head is not None:
            box = box._replace(scales=self.scale_head(features))
        return Outputs(box, self.class_head(features), overlap, keypoints, presence)


def _shared(sizes: Sizes, settings: ModelSettings) -> tuple[nn.Sequential, Sizes]:
    """Fully connected layers that all heads read, and what they then read."""
    layers: list[nn.Module] = []
    channels = sizes.vector
    for width in settings.shared:
        layers += [nn.Dropout(settings.dropout), nn.Linear(channels, width), nn.ReLU(inplace=True)]
        channels = width
    return nn.Sequential(*layers), Sizes(channels, sizes.map)


def total_loss(
    outputs: Outputs, batch: Batch, settings: LossSettings, layout: str
) -> Float[Tensor, ""]:
    """The weighted sum of a batch's losses, each a mean over the images that can tell.

    Images without a box teach no box, images without a label teach no class, and keypoints that
    are not labelled teach nothing. Presence is taught by all images.
    """
    has_box = batch.has_box
    total = settings.label * _label_loss(outputs.class_logits, batch.labels, settings)
    if outputs.presence_logit is not None:
        total = total + settings.presence * _presence_loss(outputs.presence_logit, batch)
    if not has_box.any():
        return total
    boxed = _chosen(outputs, has_box)
    truth = batch.boxes[has_box]
    total = total + _box_loss(boxed.box, truth, settings, layout)
    if boxed.iou_logit is not None:
        iou = paired_iou(boxed.box.boxes.detach(), truth)
        judged = functional.binary_cross_entropy_with_logits(boxed.iou_logit, iou)
        total = total + settings.iou * judged
    if boxed.keypoints is not None:
        total = total + _keypoint_loss(boxed.keypoints, batch.keypoints[has_box], truth, settings)
    return total


def _box_loss(
    box: BoxOutput, truth: Float[Tensor, "n 4"], settings: LossSettings, layout: str
) -> Float[Tensor, ""]:
    total = box.boxes.new_zeros(())
    for name, weight in settings.box.items():
        if name in NUMBER_LOSSES:
            found, wanted = (
                (box.boxes, truth) if box.raw is None else (box.raw, from_xyxy(truth, layout))
            )
            total = total + weight * NUMBER_LOSSES[name](found, wanted).mean()
        elif name in OVERLAP_LOSSES:
            total = total + weight * OVERLAP_LOSSES[name](box.boxes, truth).mean()
        elif (missed := READING_LOSSES[name](box, truth)) is not None:
            total = total + weight * missed.mean()
    return total


def _keypoint_loss(
    keypoints: KeypointOutput,
    truth: Float[Tensor, "n keypoints 3"],
    boxes: Float[Tensor, "n 4"],
    settings: LossSettings,
) -> Float[Tensor, ""]:
    """Only labelled keypoints count, each as much as any other of the batch."""
    is_labelled = truth[..., 2] > 0
    points = truth[..., :2]
    count = is_labelled.sum().clamp(min=1)

    def mean(values: Float[Tensor, "n keypoints"]) -> Float[Tensor, ""]:
        return (values * is_labelled).sum() / count

    total = points.new_zeros(())
    for name, weight in settings.keypoints.items():
        if name in NUMBER_LOSSES:
            total = total + weight * mean(NUMBER_LOSSES[name](keypoints.points, points).mean(dim=2))
        elif name == "distribution" and keypoints.bins is not None:
            for axis, bins in enumerate(keypoints.bins):
                total = total + weight * mean(distribution(bins, points[..., axis])) / 2
        elif name == "confidence":
            wanted = nearness(keypoints.points.detach(), points, boxes)
            judged = functional.binary_cross_entropy_with_logits(
                keypoints.confidence, wanted, reduction="none"
            )
            total = total + weight * mean(judged)
    return total


def nearness(
    found: Float[Tensor, "n keypoints 2"],
    truth: Float[Tensor, "n keypoints 2"],
    boxes: Float[Tensor, "n 4"],
) -> Float[Tensor, "n keypoints"]:
    """How near each keypoint came, in (0, 1], by the size of the box.

    References:
        COCO keypoint evaluation, object keypoint similarity with one constant for all keypoints.
    """
    area = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1).clamp(min=1e-6)
    squared = (found - truth).square().sum(dim=2)
    return (-squared / (2 * area[:, None] * _NEAR**2)).exp()


def _chosen(outputs: Outputs, rows: Tensor) -> Outputs:
    """The outputs of some rows."""
    overlap = None if outputs.iou_logit is None else outputs.iou_logit[rows]
    presence = None if outputs.presence_logit is None else outputs.presence_logit[rows]
    return Outputs(
        _chosen_box(outputs.box, rows),
        outputs.class_logits[rows],
        overlap,
        outputs.keypoints and _chosen_keypoints(outputs.keypoints, rows),
        presence,
    )


def _chosen_box(box: BoxOutput, rows: Tensor) -> BoxOutput:
    """Places and anchors, which are the same for all rows, stay."""
    anchors = box.anchors and box.anchors._replace(
        scores=box.anchors.scores[rows], offsets=box.anchors.offsets[rows]
    )
    return BoxOutput(
        box.boxes[rows],
        raw=None if box.raw is None else box.raw[rows],
        bins=box.bins and box.bins._replace(logits=box.bins.logits[rows]),
        anchors=anchors,
        votes=box.votes and box.votes._replace(sides=box.votes.sides[rows]),
        scales=None if box.scales is None else box.scales[rows],
    )


def _chosen_keypoints(keypoints: KeypointOutput, rows: Tensor) -> KeypointOutput:
    bins = keypoints.bins
    if bins is not None:
        bins = (
            bins[0]._replace(logits=bins[0].logits[rows]),
            bins[1]._replace(logits=bins[1].logits[rows]),
        )
    return KeypointOutput(keypoints.points[rows], keypoints.confidence[rows], bins)


def _presence_loss(logit: Float[Tensor, " n"], batch: Batch) -> Float[Tensor, ""]:
    """Cross-entropy over all images; the subject lacks where there is neither box nor label."""
    has_subject = batch.has_box | (batch.labels >= 0)
    return functional.binary_cross_entropy_with_logits(logit, has_subject.to(logit.dtype))


def _label_loss(
    logits: Float[Tensor, "n classes"], labels: Tensor, settings: LossSettings
) -> Float[Tensor, ""]:
    has_label = labels >= 0
    if logits.shape[1] == 1 or not has_label.any():
        return logits.sum() * 0  # a batch that can tell nothing has slopes all the same: none
    return functional.cross_entropy(
        logits[has_label], labels[has_label], label_smoothing=settings.label_smoothing
    )
