"""KeypointSet: by direct regression, or as the mean places of heat maps.

They leave every head as ``(x, y)`` in shares of the image's sides.
"""

import torch
from torch import nn

from onebox.learning.networks.box_heads import ACTIVATIONS, connected
from onebox.learning.networks.head_outputs import BoxOutput, KeypointOutput, margins, middles
from onebox.learning.networks.vectorizers import Features, Sizes, doubled, map_of
from onebox.recipes.sections import ModelSettings

_SHARPER = 2.0  # exponent of a heat map's shares before the mean is taken


class DirectKeypoints(nn.Module):
    """Fully connected layers → x, y and a confidence for each keypoint.

    References:
        Toshev and Szegedy, arXiv:1312.4659, section 3.1 (keypoints by direct regression).
    """

    def __init__(self, sizes: Sizes, settings: ModelSettings, keypoints: int) -> None:
        super().__init__()
        self.layers = connected(sizes.vector, settings.hidden, 3 * keypoints)
        self.activation = ACTIVATIONS[settings.activation]

    def forward(self, features: Features) -> KeypointOutput:
        """Regress the keypoints."""
        numbers = self.layers(features.vector).unflatten(1, (-1, 3))
        return KeypointOutput(self.activation(numbers[..., :2]), numbers[..., 2])


class HeatmapKeypoints(nn.Module):
    """Each keypoint as one distribution over the cells of a map of half the stride; it is the mean.

    References:
        Sun et al., arXiv:1711.08229, section 2 (a keypoint as the mean place of its heat map).
    """

    def __init__(self, sizes: Sizes, settings: ModelSettings, keypoints: int) -> None:  # noqa: ARG002
        super().__init__()
        self.refine = doubled(sizes.map)
        self.heat = nn.Conv2d(sizes.map, keypoints, 1)
        self.confidence = nn.Linear(sizes.map, keypoints)

    def forward(self, features: Features) -> KeypointOutput:
        """Classify the cells, and take the mean places."""
        cells = map_of(features)
        heat = self.heat(self.refine(cells))
        rows, columns = heat.shape[2:]
        along = margins(heat, middles(columns), middles(rows))
        # Left or right is often open: a mean of both would be neither.
        sharp = [bins._replace(logits=_SHARPER * bins.logits) for bins in along]
        points = torch.stack([bins.means() for bins in sharp], dim=2)
        return KeypointOutput(points, self.confidence(cells.mean(dim=(2, 3))), along)


def hull(keypoints: KeypointOutput) -> BoxOutput:
    """The box around the keypoints."""
    points = keypoints.points
    return BoxOutput(torch.cat([points.amin(dim=1), points.amax(dim=1)], dim=1))
