"""The mean of a network's outputs for images and for their mirrored copies."""

from collections.abc import Sequence

from torch import Tensor

from onebox.learning.networks.head_outputs import Outputs
from onebox.learning.networks.keypoint_heads import HeatmapKeypoints, hull
from onebox.structures import mirrored_order


def mean_with_mirrored(
    outputs: Outputs, head: HeatmapKeypoints, flip_pairs: Sequence[tuple[int, int]]
) -> Outputs:
    """The outputs for n images, from those for them and then for their n mirrored copies.

    The logarithms of both heat maps are averaged before the peaks are found, so that one of two
    peaks on which both agree wins. The box is the hull of the keypoints.

    Args:
        outputs: Of 2n images, by a network whose box is the hull of heat maps' keypoints.
        head: The head that made the heat maps.
        flip_pairs: Pairs of keypoints that mirroring an image swaps.

    Raises:
        ValueError: If there are no heat maps.

    References:
        Newell et al., arXiv:1603.06937, section 4 (heat maps of the mirrored image are averaged).
    """
    if outputs.keypoints is None or outputs.keypoints.heat is None:
        raise ValueError("only heat maps can be averaged with those of the mirrored image.")
    heat = outputs.keypoints.heat.flatten(2).log_softmax(dim=2)
    upright, mirrored = _halves(heat.reshape_as(outputs.keypoints.heat))
    order = mirrored_order(heat.shape[1], flip_pairs)
    keypoints = head.read((upright + mirrored.flip(3)[:, order]) / 2)
    return Outputs(
        hull(keypoints),
        _mean(outputs.class_logits),
        None if outputs.iou_logit is None else _mean(outputs.iou_logit),
        keypoints,
        None if outputs.presence_logit is None else _mean(outputs.presence_logit),
    )


def _halves(rows: Tensor) -> tuple[Tensor, Tensor]:
    halves = rows.reshape(2, -1, *rows.shape[1:])
    return halves[0], halves[1]


def _mean(rows: Tensor) -> Tensor:
    return rows.reshape(2, -1, *rows.shape[1:]).mean(dim=0)
