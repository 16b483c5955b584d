"""Keypoint heads: direct regression, and mean positions of heat maps.

Every head outputs ``(x, y)`` in normalized image coordinates.
"""

import torch
from torch import nn

from onebox.learning.networks.box_heads import ACTIVATIONS, connected
from onebox.learning.networks.head_outputs import BoxOutput, KeypointOutput, cell_centres, marginals
from onebox.learning.networks.vectorizers import Features, Sizes, doubled, map_of
from onebox.recipes.sections import ModelSettings

_SHARPNESS = 2.0  # exponent of a heat map's probabilities before their mean; not tuned


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
    """Each keypoint as the mean position of a heat map at half the map's stride.

    References:
        Sun et al., arXiv:1711.08229, section 2 (a keypoint as the mean position of its heat map).
    """

    def __init__(self, sizes: Sizes, settings: ModelSettings, keypoints: int) -> None:  # noqa: ARG002
        super().__init__()
        self.refine = doubled(sizes.map)
        self.heat = nn.Conv2d(sizes.map, keypoints, 1)
        self.confidence = nn.Linear(sizes.map, keypoints)

    def forward(self, features: Features) -> KeypointOutput:
        """Classify the cells, and take the mean positions."""
        cells = map_of(features)
        heat = self.heat(self.refine(cells))
        rows, columns = heat.shape[2:]
        along = marginals(heat, cell_centres(columns), cell_centres(rows))
        # A map with two peaks, as for left and right wrist, has a mean at neither: sharpen first.
        sharp = [bins._replace(logits=_SHARPNESS * bins.logits) for bins in along]
        points = torch.stack([bins.means() for bins in sharp], dim=2)
        return KeypointOutput(points, self.confidence(cells.mean(dim=(2, 3))), along)


def hull(keypoints: KeypointOutput) -> BoxOutput:
    """The box around the keypoints."""
    points = keypoints.points
    return BoxOutput(torch.cat([points.amin(dim=1), points.amax(dim=1)], dim=1))
