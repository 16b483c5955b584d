"""Heads for class, IoU, presence and scales, and tables of all box and keypoint heads."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from onebox.learning.networks.box_heads import AnchorBox, DirectBox, MarginalBox
from onebox.learning.networks.dense_heads import HeatmapBox, VoteBox
from onebox.learning.networks.keypoint_heads import DirectKeypoints, HeatmapKeypoints
from onebox.learning.networks.vectorizers import Features, Sizes

# Of an edge, in normalized coordinates; neither is tuned. The first keeps the loss finite.
_SMALLEST_SCALE, _INITIAL_SCALE = 1e-3, 0.1


class ClassHead(nn.Module):
    """One logit per class."""

    def __init__(self, sizes: Sizes, classes: int) -> None:
        super().__init__()
        self.logits = nn.Linear(sizes.vector, classes)

    def forward(self, features: Features) -> Float[Tensor, "n classes"]:
        """Classify the vector."""
        return self.logits(features.vector)


class IouHead(nn.Module):
    """One logit: the IoU expected of the box with the truth.

    References:
        Jiang et al., arXiv:1807.11590, section 3.1 (predicted localization confidence).
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.logit = nn.Linear(sizes.vector + sizes.map, 1)

    def forward(self, features: Features) -> Float[Tensor, " n"]:
        """Predict from the vector and, if there is one, the mean of the map."""
        return self.logit(_vector_and_mean(features))[:, 0]


class PresenceHead(nn.Module):
    """One logit: whether the image shows the subject."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.logit = nn.Linear(sizes.vector + sizes.map, 1)

    def forward(self, features: Features) -> Float[Tensor, " n"]:
        """Predict from the vector and, if there is one, the mean of the map."""
        return self.logit(_vector_and_mean(features))[:, 0]


class ScaleHead(nn.Module):
    """One scale per edge, of a Laplace distribution of the true edge around the predicted one.

    References:
        Kendall and Gal, arXiv:1703.04977, section 2.2 (noise that is learned with the output).
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.scale = nn.Linear(sizes.vector + sizes.map, 4)
        # The inverse of softplus.
        nn.init.constant_(self.scale.bias, math.log(math.expm1(_INITIAL_SCALE)))

    def forward(self, features: Features) -> Float[Tensor, "n 4"]:
        """Predict from the vector and, if there is one, the mean of the map."""
        return functional.softplus(self.scale(_vector_and_mean(features))) + _SMALLEST_SCALE


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
    """The vector and, if there is a map, its mean over the cells."""
    if features.map is None:
        return features.vector
    return torch.cat([features.vector, features.map.mean(dim=(2, 3))], dim=1)
