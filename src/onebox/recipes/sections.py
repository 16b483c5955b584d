"""The sections of a recipe: ``[data]``, ``[model]``, ``[loss]``, ``[train]`` and ``[augment]``.

A setting that a recipe leaves out has the default written here.
"""

from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    model_validator,
)

Share = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
BoxHead = Literal["direct", "marginal", "anchors", "vote", "heatmap", "hull"]
Vectorizer = Literal["gap", "flatten", "pyramid"]
Layout = Literal["xyxy", "xywh", "xyhw", "cxcywh"]
BoxLoss = Literal[
    "mse", "l1", "smooth_l1", "bce", "giou", "diou", "ciou",
    "distribution", "anchors", "votes", "laplace",
]  # fmt: skip
KeypointLoss = Literal["mse", "l1", "smooth_l1", "distribution", "confidence"]
Width = Annotated[int, Field(ge=1)]

_READ_A_MAP: frozenset[BoxHead] = frozenset({"marginal", "anchors", "vote", "heatmap"})


class Section(BaseModel):
    """A frozen group of settings that refuses unknown names."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class DataSettings(Section):
    """``[data]``: what is read. ``classes`` declares the names that labels may have."""

    classes: tuple[str, ...] = ()


class AnchorSettings(Section):
    """``[model.anchors]``: the boxes that a cell's offsets start from.

    Attributes:
        scales: Square roots of the anchors' areas, as shares of the image's side.
        aspects: Widths over heights; every scale takes every aspect.
        clusters: Take so many sizes from the training boxes (k-means) instead; 0 for none.
        sizes: Widths and heights as shares of the sides; filled in from the clusters.
    """

    scales: tuple[Positive, ...] = (0.25, 0.5, 0.75)
    aspects: tuple[Positive, ...] = (0.5, 1.0, 2.0)
    clusters: Annotated[int, Field(ge=0)] = 0
    sizes: tuple[tuple[float, float], ...] = ()


class ModelSettings(Section):
    """``[model]``: backbone → vectorizer → heads.

    Attributes:
        backbone: Any name of timm, or ``alexnet`` (torchvision's).
        pretrained: Start from weights, or from none.
        backbone_options: Passed to timm's ``create_model``.
        mean: Subtracted from pixels in [0, 1]; the backbone's own where absent.
        std: Divides them then; the backbone's own where absent.
        size: Side of the square that images are stretched to, in pixels.
        neck: Channels of a 3 x 3 convolution of stride 2 after the backbone; 0 for none.
        vectorizer: What the heads read: a pooled vector, a flattened one, or a fused map.
        width: Channels of the vectorizer's output, where it has a say; 0 leaves them as they are.
        shared: Widths of fully connected layers that all heads read.
        dropout: Share of their values that is dropped in training.
        box_head: How the box is found in that; ``vote`` and ``heatmap`` ask every cell of a map,
            ``hull`` takes the keypoints' own.
        hidden: Widths of the direct head's hidden layers.
        activation: What the direct head's four numbers go through.
        layout: What the four numbers are, in shares of the image's sides.
        bins_per_cell: Bins of the marginal head in a cell of its map.
        refinement: Whether the part around the first answer is looked at again: ``never``,
            ``always``, or ``auto``, where that is better on the validation images.
        keypoints: Whether keypoints are found too: by heat maps on a pyramid, else directly.
        anchors: Of the anchor head.
    """

    backbone: str = "mobilenetv4_conv_small"
    pretrained: bool = True
    backbone_options: dict[str, str | int | float | bool] = {}
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None
    size: Annotated[int, Field(ge=32, le=2048)] = 192
    neck: Annotated[int, Field(ge=0)] = 0
    vectorizer: Vectorizer = "pyramid"
    width: Annotated[int, Field(ge=0)] = 96
    shared: tuple[Width, ...] = ()
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    box_head: BoxHead = "marginal"
    hidden: tuple[Width, ...] = (512,)
    activation: Literal["sigmoid", "linear"] = "sigmoid"
    layout: Layout = "xyxy"
    bins_per_cell: Width = 8
    refinement: Literal["auto", "never", "always"] = "auto"
    keypoints: bool = False
    anchors: AnchorSettings = AnchorSettings()

    @model_validator(mode="after")
    def _parts_fit(self) -> "ModelSettings":
        if self.box_head in _READ_A_MAP and self.vectorizer != "pyramid":
            raise ValueError(
                f"box_head '{self.box_head}' reads a map, and vectorizer '{self.vectorizer}' makes "
                "a vector; use vectorizer 'pyramid', or box_head 'direct'"
            )
        if self.box_head == "hull" and not self.keypoints:
            raise ValueError("box_head 'hull' needs keypoints; set model.keypoints = true")
        if self.vectorizer == "pyramid" and (self.neck or not self.width):
            raise ValueError("vectorizer 'pyramid' takes no neck, and a width of at least 1")
        return self


class LossSettings(Section):
    """``[loss]``: what is made small. Each weight multiplies one loss; the total is their sum.

    Attributes:
        box: Losses of the box by name, with their weights.
        label: Weight of the cross-entropy of the class.
        label_smoothing: Share of the class target that is spread over all classes.
        iou: Weight of the estimate of the box's own overlap with the truth; 0 for none.
        keypoints: Losses of the keypoints by name, with their weights.
        presence: Weight of the estimate whether the subject is there, where training images
            lack it; 0 for none.
    """

    box: dict[BoxLoss, Weight] = {"l1": 5.0, "giou": 2.0, "distribution": 0.5}
    label: Weight = 1.0
    label_smoothing: Share = 0.05
    iou: Weight = 0.5
    keypoints: dict[KeypointLoss, Weight] = {"l1": 10.0, "distribution": 0.5, "confidence": 0.2}
    presence: Weight = 1.0


class TrainSettings(Section):
    """``[train]``: how long, how fast, and from which seed.

    Attributes:
        epochs: Passes over the training images; planned from their number where absent.
        minutes: From the start of training to the measured model; epochs, none more than above,
            and the size are then planned by what a step is found to cost.
        batch_size: Images a step.
        initial_scale: Side of the images in the first half of the steps, as a share of the model's
            size; it grows to the whole over the next steps (1 for the whole from the start).
        optimizer: ``adamw`` or ``adam``.
        schedule: ``one_cycle``, or ``exponential``: times ``decay_rate`` every ``decay_steps``.
        decay_rate: Of the exponential schedule.
        decay_steps: Of the exponential schedule.
        learning_rate: Highest rate of the heads.
        backbone_lr_scale: The backbone's rate as a share of that; where absent a half from weights,
            and 1 from none.
        layer_decay: The backbone's rate falls by this factor from each stage to the one before it.
        freeze_backbone_fraction: Share of the steps in which the backbone rests: neither its weights nor its
            batch statistics move; its schedule begins after them. Where absent 0.3 from weights
            with 60 images or fewer, and otherwise none.
        feature_cache_views: In those steps, so many ways to show each image, at the first size; the
            backbone looks at each once. 0 for a new one each step, as where there are more than
            1200 in all, or as many as passes.
        frozen_stages: So many of a pretrained backbone's first stages, its stem the first of them,
            never learn: neither their weights nor their batch statistics move. From no weights,
            all learn.
        weight_decay: AdamW's, for weights of two dimensions and more.
        warmup_fraction: Share of the steps in which the rate rises.
        ema_decay: Of the moving average of the weights that is validated and kept; 0 for none.
        patience: Epochs without a better validation figure before training ends; 0 for no end.
        validate_every: Passes from one validation and its checkpoint to the next, as far as that
            divides the epochs; where absent one, or as many as make 20 steps.
        checkpoint: Whose weights are kept: of the ``best`` epoch on the validation images, of the
            ``last``, or ``auto``: of the best where enough images (50) tell which that is.
        max_grad_norm: Longest gradient.
        save_every_epoch: Whether each epoch's checkpoint stays on disk.
        seed: Everything random follows from it.
    """

    epochs: Annotated[int, Field(ge=1)] | None = None
    minutes: Positive | None = None
    batch_size: Annotated[int, Field(ge=1)] = 32
    initial_scale: Annotated[float, Field(gt=0, le=1)] = 1.0
    optimizer: Literal["adamw", "adam"] = "adamw"
    schedule: Literal["one_cycle", "exponential"] = "one_cycle"
    decay_rate: Share = 0.8
    decay_steps: Annotated[int, Field(ge=1)] = 3600
    learning_rate: Positive = 2e-3
    backbone_lr_scale: Weight | None = None
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    freeze_backbone_fraction: Annotated[float, Field(ge=0, lt=1)] | None = None
    feature_cache_views: Annotated[int, Field(ge=0)] = 20
    frozen_stages: Annotated[int, Field(ge=0)] = 0
    weight_decay: Weight = 0.05
    warmup_fraction: Share = 0.1
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0.98
    patience: Annotated[int, Field(ge=0)] = 0
    validate_every: Annotated[int, Field(ge=1)] | None = None
    checkpoint: Literal["auto", "best", "last"] = "auto"
    max_grad_norm: Positive = 5.0
    save_every_epoch: bool = False
    seed: Annotated[int, Field(ge=0)] = 0


class AugmentSettings(Section):
    """``[augment]``: how training images are varied, with their boxes.

    Attributes:
        geometric_probability: Share of the images that are cropped or zoomed out.
        min_scale: The smallest crop, as a share of each side.
        max_scale: The largest window, as a share of each side; above 1 the image is zoomed out.
        max_aspect_change: Largest change of width against height, as a factor.
        max_truncation: Largest share of each of the box's sides that a crop may leave out.
        rotate: Largest angle by which an image is turned, in degrees; for keypoints alone, since a box
            that is turned is no longer tight.
        flip: Share mirrored left to right.
        brightness: Largest change, as a share of white.
        contrast: Largest change, as a share.
        saturation: Largest change, as a share.
        grayscale: Share turned grey.
    """

    geometric_probability: Share = 0.9
    min_scale: Annotated[float, Field(gt=0, le=1)] = 0.4
    max_scale: Annotated[float, Field(ge=1)] = 1.5
    max_aspect_change: Annotated[float, Field(ge=1)] = 1.25
    max_truncation: Annotated[float, Field(ge=0, lt=0.5)] = 0.1
    rotate: Annotated[float, Field(ge=0, le=180)] = 0.0
    flip: Share = 0.5
    brightness: Share = 0.25
    contrast: Share = 0.3
    saturation: Share = 0.3
    grayscale: Share = 0.05
