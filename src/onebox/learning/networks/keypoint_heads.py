"""Keypoint heads: direct regression, and peaks of heat maps.

Every head outputs ``(x, y)`` in normalized image coordinates.
"""

import torch
from torch import nn
from torch.nn import functional

from onebox.learning.networks.box_heads import ACTIVATIONS, connected
from onebox.learning.networks.head_outputs import BoxOutput, KeypointOutput
from onebox.learning.networks.heatmaps import Heat, find_peaks
from onebox.learning.networks.vectorizers import Features, Sizes, convolution, depthwise, map_of
from onebox.recipes.sections import ModelSettings


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
    """A heat map for each keypoint, on the finest of the maps; see `heatmaps`.

    The fused map of the vectorizer is enlarged step by step, and at each step a finer map of the
    backbone is added.

    References:
        Lin et al., arXiv:1612.03144, section 3 (top-down pathway and lateral connections);
        Xiao et al., arXiv:1804.06208, section 2 (a few layers and a 1 x 1 convolution give the
        heat maps).
    """

    def __init__(self, sizes: Sizes, settings: ModelSettings, keypoints: int) -> None:  # noqa: ARG002
        super().__init__()
        width = sizes.map
        self.lateral = nn.ModuleList(convolution(finer, width) for finer in sizes.finer)
        self.smooth = nn.ModuleList(depthwise(width) for _ in sizes.finer)
        self.tower = nn.Sequential(depthwise(width), depthwise(width))
        self.heat = nn.Conv2d(width, keypoints, 1)
        self.slope = nn.Parameter(torch.ones(keypoints))
        self.intercept = nn.Parameter(torch.zeros(keypoints))

    def forward(self, features: Features) -> KeypointOutput:
        """Compute the heat maps, and find their peaks."""
        cells = map_of(features)
        for lateral, smooth, finer in zip(
            reversed(self.lateral), self.smooth, reversed(features.finer), strict=True
        ):
            enlarged = functional.interpolate(cells, size=finer.shape[2:], mode="bilinear")
            cells = smooth(lateral(finer) + enlarged)
        return self.read(self.heat(self.tower(cells)))

    def read(self, heat: Heat) -> KeypointOutput:
        """Find the keypoints of heat maps, and tell how sure each is.

        The probability of a peak says how sure. Slope and intercept make it the similarity that is
        expected; they move no heat.
        """
        points, log_odds = find_peaks(heat)
        return KeypointOutput(points, self.slope * log_odds.detach() + self.intercept, heat)


def hull(keypoints: KeypointOutput) -> BoxOutput:
    """The box around the keypoints."""
    points = keypoints.points
    return BoxOutput(torch.cat([points.amin(dim=1), points.amax(dim=1)], dim=1))
