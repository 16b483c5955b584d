"""Resolve a recipe: fill in what it leaves to the data and to the initial weights."""

from onebox.errors import SettingError, format_count
from onebox.learning.networks.anchors import cluster_sizes
from onebox.mean_box import normalized_boxes
from onebox.recipes.recipe import Recipe
from onebox.structures import Dataset

# With so few training images, the backbone is frozen in this fraction of the steps:
# docs/accuracy.md, "raccoon, 30 images", and docs/decisions/0013.
_FEWEST_OF_HULL = 2  # keypoints: the hull of one has no area
_FEW_IMAGES, _FROZEN_FRACTION = 60, 0.3
# Times that a step may have the same image: each costs memory. The default of 32 images per step
# must do with one training image.
_MOST_REPEATS = 32


def learns_presence(recipe: Recipe, data: Dataset) -> bool:
    """Whether the network learns presence: some training images lack the subject.

    It follows from the recipe and the training images alone, which a resumed run cannot change.
    """
    is_asked = recipe.loss.presence > 0
    return is_asked and not all(sample.has_subject for sample in data.part("train"))


def resolve(recipe: Recipe, data: Dataset) -> Recipe:
    """Check a recipe against the data, and fill in anchor sizes from the training boxes.

    Raises:
        SettingError: If it asks for what the data does not have, for losses that its keypoint
            head cannot have, or for far more images per step than there are.
    """
    _check_batch_size(recipe, data)
    _check_keypoints(recipe, data)
    model = recipe.model
    clusters = model.anchors.clusters
    if model.box_head != "anchors" or not clusters or model.anchors.sizes:
        return recipe
    sizes = cluster_sizes(normalized_boxes(data.part("train")), clusters, recipe.train.seed)
    return recipe.changed({"model.anchors.sizes": sizes})


def resolve_freezing(recipe: Recipe, images: int) -> Recipe:
    """Fill in the fraction of the steps in which the backbone is frozen.

    With few training images, the heads first learn alone from cached features: as accurate as
    learning together, in two thirds of the time. With more, small subjects lose accuracy.
    """
    if recipe.train.freeze_backbone_fraction is not None:
        return recipe
    fraction = _FROZEN_FRACTION if images <= _FEW_IMAGES else 0.0
    return recipe.changed({"train.freeze_backbone_fraction": fraction})


def _check_batch_size(recipe: Recipe, data: Dataset) -> None:
    images = len(data.part("train"))
    most, size = images * _MOST_REPEATS, recipe.train.batch_size
    if size > most:
        raise SettingError(
            f"train.batch_size must be at most {most} with "
            f"{format_count(images, 'training image', 'training images')}, which a step repeats up "
            f"to {_MOST_REPEATS} times; got {size}. Use --set train.batch_size={_MOST_REPEATS}."
        )


def _check_labelled(data: Dataset) -> None:
    train = data.part("train")
    if not any(visibility for sample in train for _, _, visibility in sample.keypoints or ()):
        raise SettingError(
            "model.keypoints asks for keypoints, and no training image of "
            f"{data.name or 'the data'} has a labelled one. Label some, or use a recipe without "
            "keypoints."
        )


def _check_keypoints(recipe: Recipe, data: Dataset) -> None:
    model, losses = recipe.model, recipe.loss.keypoints
    if not model.keypoints:
        return
    if data.keypoints is None:
        raise SettingError(
            f"model.keypoints asks for keypoints, and {data.name or 'the data set'} has none. Use "
            "labels with keypoints (COCO or YOLO), or a recipe without keypoints."
        )
    _check_labelled(data)
    if model.box_head == "hull" and len(data.keypoints.names) < _FEWEST_OF_HULL:
        raise SettingError(
            f"model.box_head 'hull' is the box around the keypoints, and {data.name or 'the data'} "
            "names one. Use a recipe with another box head, as --recipe default --set "
            "model.keypoints=true."
        )
    if losses.get("distribution") and model.vectorizer != "pyramid":
        raise SettingError(
            f"loss.keypoints.distribution needs vectorizer 'pyramid', got '{model.vectorizer}'; "
            "remove the loss (--set 'loss.keypoints={ l1 = 10.0, confidence = 0.2 }'), or change "
            "the vectorizer."
        )
    if not any(weight for name, weight in losses.items() if name != "confidence"):
        raise SettingError(
            "loss.keypoints names no loss of their coordinates with a weight; set one, as "
            "--set loss.keypoints.l1=10."
        )
