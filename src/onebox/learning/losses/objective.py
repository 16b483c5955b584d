"""What training minimizes: the losses of a network's outputs, each weighted by the recipe.

Images without a box teach neither box nor keypoints, images without a label teach no class, and
keypoints that are not labelled teach nothing. All images teach presence.
"""

from collections.abc import Iterator, Mapping
from functools import reduce

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from onebox.learning.data.dataloader import Batch
from onebox.learning.losses.primitives import (
    COORDINATE_LOSSES,
    HEAD_LOSSES,
    IOU_LOSSES,
    paired_iou,
)
from onebox.learning.networks.box_layouts import from_xyxy
from onebox.learning.networks.head_outputs import BoxOutput, KeypointOutput, Outputs, select_rows
from onebox.learning.networks.heatmaps import cross_entropy
from onebox.recipes.sections import LossSettings

# OKS constant of every keypoint, in square roots of the box's area. COCO measured 0.05 to 0.21 for
# the keypoints of people (twice its published sigmas); 0.1 is not tuned.
_OKS_CONSTANT = 0.1

Scalar = Float[Tensor, ""]
Points = Float[Tensor, "n keypoints 2"]
Boxes = Float[Tensor, "n 4"]


def compute_loss(
    outputs: Outputs, batch: Batch, settings: LossSettings, layout: str
) -> dict[str, Scalar]:
    """One mean per loss, times its weight, by a name such as ``label`` or ``box/l1``.

    Their sum is minimized, see `total`. A loss that no image of the batch can teach is left out,
    but for ``label``. ``layout`` is that of the direct head's four numbers.
    """
    parts: dict[str, Scalar] = {}
    has_box = batch.has_box.nonzero()[:, 0]
    if len(has_box):
        boxed, truth = select_rows(outputs, has_box), batch.boxes[has_box]
        parts.update(_box_losses(boxed.box, truth, settings, layout))
    parts["label"] = settings.label * _label_loss(outputs.class_logits, batch.labels, settings)
    if len(has_box) and boxed.iou_logit is not None:
        parts["iou"] = settings.iou * _iou_loss(boxed.iou_logit, boxed.box.boxes, truth)
    if outputs.presence_logit is not None:
        parts["presence"] = settings.presence * _presence_loss(outputs.presence_logit, batch)
    if len(has_box) and boxed.keypoints is not None:
        labelled = batch.keypoints[has_box]
        parts.update(_keypoint_losses(boxed.keypoints, labelled, truth, settings))
    return parts


def total(parts: Mapping[str, Scalar]) -> Scalar:
    """The sum of all parts."""
    return reduce(torch.add, parts.values())


def _box_losses(
    box: BoxOutput, truth: Boxes, settings: LossSettings, layout: str
) -> Iterator[tuple[str, Scalar]]:
    for name, weight in settings.box.items():
        if (values := _box_values(name, box, truth, layout)) is not None:
            yield f"box/{name}", weight * values.mean()


def _box_values(name: str, box: BoxOutput, truth: Boxes, layout: str) -> Tensor | None:
    """One loss before its mean; None where the head does not compute what the loss compares."""
    if name in COORDINATE_LOSSES:
        if box.raw is None:
            return COORDINATE_LOSSES[name](box.boxes, truth)
        return COORDINATE_LOSSES[name](box.raw, from_xyxy(truth, layout))
    if name in IOU_LOSSES:
        return IOU_LOSSES[name](box.boxes, truth)
    return HEAD_LOSSES[name](box, truth)


def _label_loss(
    logits: Float[Tensor, "n classes"], labels: Tensor, settings: LossSettings
) -> Scalar:
    has_label = labels >= 0
    if logits.shape[1] == 1 or not has_label.any():
        return logits.sum() * 0  # keeps a gradient, of zeros, in a batch that teaches nothing
    return functional.cross_entropy(
        logits[has_label], labels[has_label], label_smoothing=settings.label_smoothing
    )


def _iou_loss(logit: Float[Tensor, " n"], boxes: Boxes, truth: Boxes) -> Scalar:
    """Cross-entropy to the IoU that the boxes reach; it does not move the boxes."""
    return functional.binary_cross_entropy_with_logits(logit, paired_iou(boxes.detach(), truth))


def _presence_loss(logit: Float[Tensor, " n"], batch: Batch) -> Scalar:
    """Cross-entropy over all images; one without box and label has no subject."""
    has_subject = batch.has_box | (batch.labels >= 0)
    return functional.binary_cross_entropy_with_logits(logit, has_subject.to(logit.dtype))


def _keypoint_losses(
    found: KeypointOutput,
    truth: Float[Tensor, "n keypoints 3"],
    boxes: Boxes,
    settings: LossSettings,
) -> Iterator[tuple[str, Scalar]]:
    """Means over the labelled keypoints of the batch, each counted alike."""
    is_labelled = truth[..., 2] > 0
    count = is_labelled.sum().clamp(min=1)
    for name, weight in settings.keypoints.items():
        if (values := _keypoint_values(name, found, truth[..., :2], boxes)) is not None:
            yield f"keypoints/{name}", weight * ((values * is_labelled).sum() / count)


def _keypoint_values(
    name: str, found: KeypointOutput, truth: Points, boxes: Boxes
) -> Float[Tensor, "n keypoints"] | None:
    """One loss before its mean; None where the head does not compute what the loss compares."""
    if name == "confidence":
        similarity = keypoint_similarity(found.points.detach(), truth, boxes)
        logits = found.confidence
        return functional.binary_cross_entropy_with_logits(logits, similarity, reduction="none")
    if name == "distribution":
        return None if found.heat is None else cross_entropy(found.heat, truth)
    return COORDINATE_LOSSES[name](found.points, truth).mean(dim=2)


def keypoint_similarity(found: Points, truth: Points, boxes: Boxes) -> Float[Tensor, "n keypoints"]:
    """Object keypoint similarity (OKS) of each keypoint, in (0, 1]; 1 where it is exact.

    References:
        COCO keypoint evaluation, with one constant for all keypoints.
    """
    area = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1).clamp(min=1e-6)
    squared = (found - truth).square().sum(dim=2)
    return (-squared / (2 * area[:, None] * _OKS_CONSTANT**2)).exp()
