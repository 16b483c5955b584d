"""Several looks of a network at each image, and their mean.

A look is the whole image or a window around the box of the looks at the whole image, each also
mirrored. Windows show the subject larger, as the crops of training do: their boxes are closer to
the truth, and their spread tells better how close.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from torch import Tensor, nn

from onebox.learning.data.augmentation import transform_keypoints, warp
from onebox.learning.networks.head_outputs import Outputs
from onebox.learning.networks.spread import edge_sigmas
from onebox.refinement import MIN_LENGTH

MARGINS = (1.4, 1.8)
"""Widths of the windows over the width of the box, and likewise for the heights."""


Boxes = Float[Tensor, "n 4"]


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What a network says of a batch, in normalized coordinates of the whole images.

    Attributes:
        boxes: ``xyxy``.
        sigmas: Standard deviation of each edge.
        log_probabilities: Of the classes.
        keypoints: ``(x, y)``; None from a network without keypoints.
        present: Probability of the subject; None from a network without presence.
    """

    boxes: Boxes
    sigmas: Boxes
    log_probabilities: Float[Tensor, "n classes"]
    keypoints: Float[Tensor, "n keypoints 2"] | None
    present: Float[Tensor, " n"] | None


@dataclass(frozen=True, slots=True)
class Viewer:
    """A network that looks at images.

    Attributes:
        network: A `Network`, in evaluation mode, on the device of the images.
        size: Width and height of its input, in pixels.
        flip_pairs: Pairs of keypoints that mirroring an image swaps.
    """

    network: nn.Module
    size: int
    flip_pairs: Sequence[tuple[int, int]] = ()

    def look(
        self, images: Float[Tensor, "n 3 height width"], windows: Boxes, *, is_flipped: bool
    ) -> Look:
        """Look at one window of each image, as it is or mirrored."""
        flipped = torch.full((len(windows),), is_flipped)
        shown = warp(images, windows, flipped, self.size)
        outputs: Outputs = self.network(shown.contiguous(memory_format=torch.channels_last))
        boxes, sigmas = outputs.box.boxes.float().cpu(), edge_sigmas(outputs).float().cpu()
        if is_flipped:
            boxes, sigmas = _mirrored(boxes), sigmas[:, [2, 1, 0, 3]]
        extents = (windows[:, 2:] - windows[:, :2]).repeat(1, 2)
        presence = outputs.presence_logit
        points = None if outputs.keypoints is None else outputs.keypoints.points.float().cpu()
        return Look(
            boxes * extents + windows[:, :2].repeat(1, 2),
            sigmas * extents,
            outputs.class_logits.float().cpu().log_softmax(dim=1),
            None if points is None else _to_image(points, windows, flipped, self.flip_pairs),
            None if presence is None else presence.float().cpu().sigmoid(),
        )


def mean_look(looks: Sequence[Look]) -> Look:
    """The mean of several looks: of variances for the sigmas, of logarithms for probabilities."""
    mean = _combined(looks, _mean)
    variance = _mean([look.sigmas.square() for look in looks])
    log_probabilities = mean.log_probabilities.log_softmax(dim=1)
    return replace(mean, sigmas=variance.sqrt(), log_probabilities=log_probabilities)


def join_looks(looks: Sequence[Look]) -> Look:
    """The looks at several batches as one."""
    return _combined(looks, torch.cat)


def select_look(look: Look, rows: Int[ndarray, " selected"]) -> Look:
    """Some rows of a look, in that order."""
    return _combined([look], lambda values: values[0][rows])


def whole_windows(count: int) -> Boxes:
    """A window per image that shows all of it."""
    return torch.tensor([0.0, 0.0, 1.0, 1.0]).repeat(count, 1)


def windows_around(boxes: Boxes, margin: float) -> Boxes:
    """A window around each box, inside the image, ``margin`` times as wide and high.

    It has the shape of the box for a recipe with square crops, too.
    """
    half = ((boxes[:, 2:] - boxes[:, :2]) * margin).clamp(MIN_LENGTH, 1) / 2
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    low = torch.minimum((centre - half).clamp(min=0), 1 - 2 * half)
    return torch.cat([low, low + 2 * half], dim=1)


def _combined(looks: Sequence[Look], combine: Callable[[list[Tensor]], Tensor]) -> Look:
    """Combine each kind of tensor of several looks into one."""
    points = [look.keypoints for look in looks if look.keypoints is not None]
    present = [look.present for look in looks if look.present is not None]
    return Look(
        combine([look.boxes for look in looks]),
        combine([look.sigmas for look in looks]),
        combine([look.log_probabilities for look in looks]),
        combine(points) if points else None,
        combine(present) if present else None,
    )


def _mean(values: list[Tensor]) -> Tensor:
    return torch.stack(values).mean(dim=0)


def _mirrored(boxes: Boxes) -> Boxes:
    return torch.stack([1 - boxes[:, 2], boxes[:, 1], 1 - boxes[:, 0], boxes[:, 3]], dim=1)


def _to_image(
    points: Float[Tensor, "n keypoints 2"],
    windows: Boxes,
    is_flipped: Bool[Tensor, " n"],
    flip_pairs: Sequence[tuple[int, int]],
) -> Float[Tensor, "n keypoints 2"]:
    """Keypoints of windows in coordinates of the whole images."""
    visible = torch.cat([points, torch.ones_like(points[..., :1])], dim=2)
    upright = transform_keypoints(visible, whole_windows(len(points)), is_flipped, flip_pairs)
    extents = (windows[:, 2:] - windows[:, :2])[:, None]
    return upright[..., :2] * extents + windows[:, None, :2]
