"""What is read off the features: box, class, keypoints, presence, and how far the box can be trusted.

Heads of the box and of the keypoints are rooms of their own; their tables are here.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from onebox.learning.networks.box_heads import AnchorBox, DirectBox, MarginalBox
from onebox.learning.networks.dense_heads import HeatmapBox, VoteBox
from onebox.learning.networks.keypoint_heads import DirectKeypoints, HeatmapKeypoints
from onebox.learning.networks.vectorizers import Features, Sizes

_NARROWEST = 1e-3  # scale of a side, as a share of the image's
_FIRST_SCALE = 0.1


class ClassHead(nn.Module):
    """One logit for each class."""

    def __init__(self, sizes: Sizes, classes: int) -> None:
        super().__init__()
        self.logits = nn.Linear(sizes.vector, classes)

    def forward(self, features: Features) -> Float[Tensor, "n classes"]:
        """Classify the vector."""
        return self.logits(features.vector)


class IouHead(nn.Module):
    """One logit: the overlap (IoU) expected of the box with the truth.

    References:
        Jiang et al., arXiv:1807.11590, section 3.1 (predicted localization confidence).
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.logit = nn.Linear(sizes.vector + sizes.map, 1)

    def forward(self, features: Features) -> Float[Tensor, " n"]:
        """Judge from the vector and, where there is one, the mean of the map."""
        return self.logit(_vector_and_mean(features))[:, 0]


class PresenceHead(nn.Module):
    """One logit: whether the subject is in the image."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.logit = nn.Linear(sizes.vector + sizes.map, 1)

    def forward(self, features: Features) -> Float[Tensor, " n"]:
        """Judge from the vector and, where there is one, the mean of the map."""
        return self.logit(_vector_and_mean(features))[:, 0]


class ScaleHead(nn.Module):
    """A scale of each side: of the Laplace distribution of the truth around what was found.

    References:
        Kendall and Gal, arXiv:1703.04977, section 2.2 (noise that is learned with the answer).
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.scale = nn.Linear(sizes.vector + sizes.map, 4)
        # What softplus makes the first scale of.
        nn.init.constant_(self.scale.bias, math.log(math.expm1(_FIRST_SCALE)))

    def forward(self, features: Features) -> Float[Tensor, "n 4"]:
        """Judge from the vector and, where there is one, the mean of the map."""
        return functional.softplus(self.scale(_vector_and_mean(features))) + _NARROWEST


BOX_HEADS: dict[str, type[DirectBox | MarginalBox | AnchorBox | VoteBox | HeatmapBox]] = {
    "direct": DirectBox,
    "marginal": MarginalBox,
    "anchors": AnchorBox,
    "vote": VoteBox,
    "heatmap": HeatmapBox,
}
KEYPOINT_HEADS: dict[str, type[DirectKeypoints | HeatmapKeypoints]] = {
    "gap": DirectKeypoints,
    "flatten": DirectKeypoints,
    "pyramid": HeatmapKeypoints,
}


def _vector_and_mean(features: Features) -> Float[Tensor, "n channels"]:
    """The vector and, where there is a map, its mean over the cells."""
    if features.map is None:
        return features.vector
    return torch.cat([features.vector, features.map.mean(dim=(2, 3))], dim=1)
