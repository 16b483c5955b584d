"""The sections of a recipe: ``[data]``, ``[model]``, ``[loss]``, ``[train]`` and ``[augment]``.

A setting that a recipe leaves out has the default written here. A comment says where a default was
measured; most were measured by the ablations, which are in ``docs/accuracy.md``, "Ablations".
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Fraction = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Width = Annotated[int, Field(ge=1)]
BoxHead = Literal["direct", "marginal", "anchors", "vote", "heatmap", "hull"]
Vectorizer = Literal["gap", "flatten", "pyramid"]
Layout = Literal["xyxy", "xywh", "xyhw", "cxcywh"]
BoxLoss = Literal[
    "mse", "l1", "smooth_l1", "bce", "giou", "diou", "ciou",
    "distribution", "anchors", "votes", "laplace",
]  # fmt: skip
KeypointLoss = Literal["mse", "l1", "smooth_l1", "distribution", "confidence"]

_MAP_HEADS: frozenset[BoxHead] = frozenset({"marginal", "anchors", "vote", "heatmap"})


class Section(BaseModel):
    """A frozen group of settings that refuses unknown names."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class DataSettings(Section):
    """``[data]``: the data set.

    Attributes:
        classes: The allowed class names, in the order of the model's outputs; empty allows any.
    """

    classes: tuple[str, ...] = ()


class AnchorSettings(Section):
    """``[model.anchors]``: the anchor boxes of every cell.

    Attributes:
        scales: Square roots of the anchors' areas, normalized.
        aspects: Width over height; every scale is combined with every aspect.
        clusters: Number of anchor sizes clustered from the training boxes (k-means), in place of
            scales and aspects; 0 for none.
        sizes: Normalized widths and heights; filled in from the clusters.
    """

    # One scale for small, medium and large subjects each, and the usual aspects; not tuned.
    scales: Annotated[tuple[Positive, ...], Field(min_length=1)] = (0.25, 0.5, 0.75)
    aspects: Annotated[tuple[Positive, ...], Field(min_length=1)] = (0.5, 1.0, 2.0)
    clusters: Annotated[int, Field(ge=0)] = 0
    sizes: tuple[tuple[Positive, Positive], ...] = ()


MOST_SEED = 2**32 - 1
"""The largest seed, as in scikit-learn; the seed of a step is about a million times as large."""


class ModelSettings(Section):
    """``[model]``: backbone → neck → vectorizer → shared layers → heads.

    Attributes:
        backbone: Any timm model that provides feature maps, or ``alexnet`` (torchvision's).
        pretrained: Whether to start from pretrained weights rather than from scratch.
        backbone_options: Passed to timm's ``create_model``.
        mean: Subtracted from pixels in [0, 1]; None takes the backbone's own.
        std: Divides the result; None takes the backbone's own.
        size: Width and height of the square that images are stretched to, in pixels.
        neck: Channels of a 3 x 3 convolution of stride 2 after the backbone; 0 for none.
        vectorizer: Input of the heads: a pooled vector, a flattened vector, or a fused map.
        width: Channels of the output of ``pyramid`` or ``flatten``; 0 leaves them unchanged.
        shared: Widths of fully connected layers that all heads read.
        dropout: Fraction of the inputs of the shared layers that is dropped in training.
        box_head: How the box is predicted; ``vote`` and ``heatmap`` ask every cell of a map,
            ``hull`` takes the box around the keypoints.
        hidden: Widths of the hidden layers of the direct head.
        activation: Activation of the four numbers of the direct head.
        layout: Meaning of those four numbers, in normalized coordinates.
        bins_per_cell: Bins of the marginal head per cell of its map.
        refinement: Whether to run a refinement pass on a crop around the first box: ``never``,
            ``always``, or ``auto``, which does if it improves the validation images.
        keypoints: Whether to predict keypoints: by heat maps on a pyramid, else directly.
        finer_maps: Number of finer maps of the backbone that the heat maps of keypoints read, each
            of half the stride: 1 for heat maps at stride 8, 2 at stride 4.
        flip_test: Whether the exported model averages the heat maps with those of the mirrored
            image, which takes twice the time; for the box head ``hull`` on a pyramid.
        anchors: The anchor boxes of the anchor head.
    """

    # Speed: docs/performance.md. Other backbones were not compared as the default.
    backbone: str = "mobilenetv4_conv_small"
    pretrained: bool = True
    backbone_options: dict[str, str | int | float | bool] = {}
    mean: tuple[float, float, float] | None = None
    std: tuple[Positive, Positive, Positive] | None = None
    # Larger is more accurate and slower (96 against 128 px in the ablations); 192 is not tuned.
    size: Annotated[int, Field(ge=32, le=2048)] = 192
    neck: Annotated[int, Field(ge=0)] = 0
    # Pyramid with the marginal head was the best of the heads in the ablations.
    vectorizer: Vectorizer = "pyramid"
    width: Annotated[int, Field(ge=0)] = 96  # not tuned
    shared: tuple[Width, ...] = ()
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    box_head: BoxHead = "marginal"
    hidden: tuple[Width, ...] = (512,)  # as in the recipe resnet50-gap-mse; not tuned
    activation: Literal["sigmoid", "linear"] = "sigmoid"
    layout: Layout = "xyxy"
    bins_per_cell: Width = 8  # two pixels of a stride-16 map; not tuned
    # Measured in the ablations: a gain for small subjects, none for those that fill the image.
    refinement: Literal["auto", "never", "always"] = "auto"
    keypoints: bool = False
    finer_maps: Annotated[int, Field(ge=0, le=3)] = 0
    flip_test: bool = False
    anchors: AnchorSettings = AnchorSettings()

    @model_validator(mode="after")
    def _check_parts(self) -> "ModelSettings":
        if self.box_head in _MAP_HEADS and self.vectorizer != "pyramid":
            raise ValueError(
                f"box_head '{self.box_head}' reads a map, and vectorizer '{self.vectorizer}' makes "
                "a vector; use vectorizer 'pyramid', or box_head 'direct'"
            )
        if self.box_head == "hull" and not self.keypoints:
            raise ValueError("box_head 'hull' needs keypoints; set model.keypoints = true")
        if self.finer_maps and not (self.keypoints and self.vectorizer == "pyramid"):
            raise ValueError(
                "finer_maps are for heat maps of keypoints; set keypoints = true and vectorizer "
                "'pyramid', or finer_maps = 0"
            )
        if self.flip_test and not (self.box_head == "hull" and self.vectorizer == "pyramid"):
            raise ValueError(
                "flip_test averages heat maps of keypoints; set box_head = 'hull' and vectorizer "
                "'pyramid', or flip_test = false"
            )
        if self.vectorizer == "pyramid" and (self.neck or not self.width):
            raise ValueError("vectorizer 'pyramid' takes no neck, and a width of at least 1")
        return self


class LossSettings(Section):
    """``[loss]``: a weight for each loss; the total loss is the weighted sum.

    Attributes:
        box: Weights of the box losses by name.
        label: Weight of the cross-entropy of the class.
        label_smoothing: Fraction of the class target that is spread over all classes.
        iou: Weight of the loss of the IoU head, which estimates the IoU of the predicted box with
            the truth; 0 for no such head.
        keypoints: Weights of the keypoint losses by name.
        presence: Weight of the loss of the presence head, which a model has if training images
            lack the subject; 0 for no such head.
    """

    # L1 and GIoU 5 : 2 as in DETR (arXiv:2005.12872). The ablations compare with and without GIoU
    # and the distribution, whose weight is not tuned.
    box: dict[BoxLoss, Weight] = {"l1": 5.0, "giou": 2.0, "distribution": 0.5}
    label: Weight = 1.0  # not tuned
    label_smoothing: Fraction = 0.05  # not tuned
    iou: Weight = 0.5  # costs the box nothing in the ablations; the weight is not tuned
    keypoints: dict[KeypointLoss, Weight] = {"l1": 10.0, "distribution": 0.5, "confidence": 0.2}
    presence: Weight = 1.0  # not tuned, nor are the weights of the keypoint losses


class TrainSettings(Section):
    """``[train]``: optimizer, schedules, time budget and seed.

    Attributes:
        epochs: Passes over the training images at most; None derives them from their number.
        minutes: Time budget, from the start of training to the evaluated model. The larger of two
            fractions, steps done and time used, drives the learning rates, the image size and
            freezing; None for no budget.
        batch_size: Images per step, at most 32 for each training image.
        initial_scale: Image size in the first half of training, as a fraction of ``model.size``;
            it then grows to the full size. 1 trains at the full size throughout.
        optimizer: ``adamw`` or ``adam``.
        schedule: ``one_cycle``, or ``exponential``: times ``decay_rate`` every ``decay_steps``.
        decay_rate: Factor of the exponential schedule.
        decay_steps: Steps between two factors of the exponential schedule.
        learning_rate: Highest learning rate of the heads.
        scale_learning_rate: How ``learning_rate``, which is for 32 images per step, follows another
            ``batch_size``: ``none``, ``linear``, or with its square root (``sqrt``).
        backbone_lr_scale: Learning rate of the backbone as a multiple of the heads'; None takes
            0.5 from pretrained weights, and 1 from scratch.
        layer_decay: Factor from the learning rate of each backbone stage to the one before it.
        freeze_backbone_fraction: Fraction of training in which the backbone is frozen, its batch
            statistics included; its schedule begins afterwards. None takes 0.3 from pretrained
            weights with 60 images or fewer, and otherwise 0.
        feature_cache_views: Augmented views per image while the backbone is frozen: their features
            are computed once and cached. 0 for no cache, which is also the case with more than
            1200 views in all, or no more passes than views.
        frozen_stages: Number of first stages of a pretrained backbone, the stem included, that
            never learn, their batch statistics included; from scratch, all stages learn.
        weight_decay: AdamW's, for weights of two or more dimensions.
        warmup_fraction: Fraction of the steps in which the learning rate rises.
        ema_decay: Decay of the moving average of the weights, which is validated and saved; 0 for
            no average.
        patience: Epochs without a better validation metric before training stops; 0 never stops.
        validate_every: Passes between validations, each with a checkpoint, rounded to a divisor of
            the epochs; None takes one pass, or as many as make 20 steps.
        checkpoint: The weights that are exported: those of the ``best`` epoch on the validation
            images, of the ``last``, or ``auto``: the best if at least 50 validation images have a
            box, else the last.
        max_grad_norm: Maximum gradient norm.
        save_every_epoch: Whether to keep the checkpoint of every epoch.
        seed: Seed of everything random.
    """

    epochs: Annotated[int, Field(ge=1)] | None = None
    minutes: Positive | None = None
    batch_size: Annotated[int, Field(ge=1)] = 32  # not tuned
    initial_scale: Annotated[float, Field(gt=0, le=1)] = 1.0  # 0.67 in the recipe default
    optimizer: Literal["adamw", "adam"] = "adamw"
    schedule: Literal["one_cycle", "exponential"] = "one_cycle"
    decay_rate: Fraction = 0.8  # with its steps as in the source of resnet50-gap-mse
    decay_steps: Annotated[int, Field(ge=1)] = 3600
    learning_rate: Positive = 2e-3  # not tuned
    scale_learning_rate: Literal["none", "linear", "sqrt"] = "none"
    backbone_lr_scale: Weight | None = None
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 1.0  # 0.8 gains nothing in the ablations
    freeze_backbone_fraction: Annotated[float, Field(ge=0, lt=1)] | None = None
    feature_cache_views: Annotated[int, Field(ge=0)] = 20  # decision 13 in docs/decisions
    frozen_stages: Annotated[int, Field(ge=0)] = 0  # 3 in the recipe default: ablations
    weight_decay: Weight = 0.05  # not tuned
    warmup_fraction: Fraction = 0.1  # not tuned
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0.98  # no gain, no loss in the ablations
    patience: Annotated[int, Field(ge=0)] = 0
    validate_every: Annotated[int, Field(ge=1)] | None = None
    checkpoint: Literal["auto", "best", "last"] = "auto"  # decision 9 in docs/decisions
    max_grad_norm: Positive = 5.0  # not tuned
    save_every_epoch: bool = False
    seed: Annotated[int, Field(ge=0, le=MOST_SEED)] = 0


class AugmentSettings(Section):
    """``[augment]``: augmentation of training images with their boxes and keypoints.

    Attributes:
        oversize: Width and height of the decoded images over ``model.size``; a crop of half an
            image has all the detail that the network can see from 2 on.
        geometric_probability: Probability that an image is cropped or zoomed out.
        min_scale: Width and height of the smallest crop, as a fraction of the image's.
        max_scale: Width and height of the largest window, as a fraction of the image's; above 1
            the image is zoomed out.
        max_aspect_change: Largest random change of width against height, as a factor. A tight crop
            around a wide or tall box changes it further, towards the shape of the box.
        max_truncation: Largest fraction of the box's width or height that a crop may cut off at
            each edge.
        square_crops: Whether crops are squares of pixels around the box, filled with grey beyond
            the image, so that nothing is stretched beyond `max_aspect_change`; the refinement
            pass then cuts such squares.
        rotate: Largest rotation in degrees; for the box head ``hull`` alone, since a rotated box
            is no longer tight.
        flip: Probability of mirroring left to right.
        brightness: Largest change, as a fraction of white.
        contrast: Largest relative change.
        saturation: Largest relative change.
        grayscale: Probability of conversion to grayscale.
    """

    # The ablations turn off crops and zooms (a loss of 0.03 on small subjects), mirroring (0.02)
    # and colours (no difference). The single limits and probabilities are not tuned.
    oversize: Annotated[float, Field(ge=1, le=4)] = 1.25
    geometric_probability: Fraction = 0.9
    min_scale: Annotated[float, Field(gt=0, le=1)] = 0.4
    max_scale: Annotated[float, Field(ge=1)] = 1.5
    max_aspect_change: Annotated[float, Field(ge=1)] = 1.25
    max_truncation: Annotated[float, Field(ge=0, lt=0.5)] = 0.1
    square_crops: bool = False
    rotate: Annotated[float, Field(ge=0, le=180)] = 0.0
    flip: Fraction = 0.5
    brightness: Fraction = 0.25
    contrast: Fraction = 0.3
    saturation: Fraction = 0.3
    grayscale: Fraction = 0.05
