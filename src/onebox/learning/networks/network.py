"""Backbone → vectorizer → shared layers → heads."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from jaxtyping import Float
from torch import Tensor, nn

from onebox.learning.networks.backbones import Backbone
from onebox.learning.networks.head_outputs import Outputs
from onebox.learning.networks.heads import (
    BOX_HEADS,
    KEYPOINT_HEADS,
    ClassHead,
    IouHead,
    PresenceHead,
    ScaleHead,
)
from onebox.learning.networks.keypoint_heads import hull
from onebox.learning.networks.vectorizers import VECTORIZERS, Sizes
from onebox.recipes.recipe import Recipe
from onebox.recipes.sections import ModelSettings


class Network(nn.Module):
    """A localizer: from images to boxes, classes, keypoints and presence."""

    def __init__(
        self,
        recipe: Recipe,
        *,
        classes: int,
        keypoints: int = 0,
        presence: bool = False,
        weights: Path | None = None,
    ) -> None:
        """Make the network of a recipe's ``[model]`` and ``[loss]``, for so many outputs.

        ``weights`` is a safetensors file for the backbone; None initializes it at random.
        """
        super().__init__()
        model = recipe.model
        self.backbone_name = model.backbone
        self.flip_test = model.flip_test
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
        # Initialized after all other parts, so that they are the same with it and without.
        self.presence_head = PresenceHead(sizes) if presence else None
        # Last for the same reason. It serves the Laplace loss, and tells how sure the box is.
        self.scale_head = ScaleHead(sizes) if recipe.loss.box.get("laplace") else None

    def forward(self, images: Float[Tensor, "n 3 height width"], white: float = 1.0) -> Outputs:
        """Localize the subjects of images whose pixels go from 0 to ``white``.

        Raises:
            ValueError: If the box is the keypoints' hull, and the data has no keypoints.
        """
        return self.forward_heads(self.backbone(images, white))

    def forward_heads(self, maps: Sequence[Tensor]) -> Outputs:
        """Run everything but the backbone, on its feature maps.

        Raises:
            ValueError: If the box is the keypoints' hull, and the data has no keypoints.
        """
        found = self.vectorizer(maps)
        features = found._replace(vector=self.shared(found.vector))
        keypoints = None if self.keypoint_head is None else self.keypoint_head(features)
        iou = None if self.iou_head is None else self.iou_head(features)
        presence = None if self.presence_head is None else self.presence_head(features)
        if self.box_head is not None:
            box = self.box_head(features)
        elif keypoints is not None:
            box = hull(keypoints)
        else:
            raise ValueError("a box that is the keypoints' hull needs keypoints.")
        if self.scale_head is not None:
            box = box._replace(scales=self.scale_head(features))
        return Outputs(box, self.class_head(features), iou, keypoints, presence)


def _shared(sizes: Sizes, settings: ModelSettings) -> tuple[nn.Sequential, Sizes]:
    """Fully connected layers in front of all heads, and the sizes of what the heads then read."""
    layers: list[nn.Module] = []
    channels = sizes.vector
    for width in settings.shared:
        layers += [nn.Dropout(settings.dropout), nn.Linear(channels, width), nn.ReLU(inplace=True)]
        channels = width
    return nn.Sequential(*layers), replace(sizes, vector=channels)
