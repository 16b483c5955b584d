"""A recipe: every setting of a training run, checked as a whole."""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError, model_serializer, model_validator

from onebox.classic.settings import HogSettings
from onebox.errors import SettingError, shorten
from onebox.recipes.changing import change
from onebox.recipes.problems import describe_problem
from onebox.recipes.sections import (
    AugmentSettings,
    BoxHead,
    BoxLoss,
    DataSettings,
    LossSettings,
    ModelSettings,
    Section,
    TrainSettings,
)

# The box heads that provide what a loss compares.
_HEADS_OF_LOSS: dict[BoxLoss, tuple[BoxHead, ...]] = {
    "distribution": ("marginal", "heatmap"),
    "anchors": ("anchors",),
    "votes": ("vote",),
    "laplace": ("direct", "marginal", "vote", "heatmap"),
}
_NETWORK_SECTIONS = ("model", "loss", "train", "augment")


class Recipe(Section):
    """Every setting of a training run, for a network or for HOG windows.

    Attributes:
        source: One sentence: what the recipe is, and where it comes from.
        data: The data set.
        model: The network.
        loss: The losses of the network.
        train: The training of the network.
        augment: The augmentation of training images for the network.
        hog: HOG windows and linear SVMs in place of a network. The other sections but ``data``
            are then neither read nor written.
    """

    source: str = ""
    data: DataSettings = DataSettings()
    model: ModelSettings = ModelSettings()
    loss: LossSettings = LossSettings()
    train: TrainSettings = TrainSettings()
    augment: AugmentSettings = AugmentSettings()
    hog: HogSettings | None = None

    def changed(self, changes: Mapping[str, Any]) -> "Recipe":
        """Return a recipe with some settings changed, checked as a whole.

        Args:
            changes: New values by dotted name, such as ``{"train.epochs": 4}``.

        Raises:
            SettingError: If the changed recipe is not valid; the message names the setting.
        """
        settings = self.model_dump(exclude_unset=True)
        for name, value in changes.items():
            change(settings, name, value, Recipe)
        return check_recipe(settings, place="recipe")

    @property
    def decoded_side(self) -> int:
        """Width and height of the decoded training images, in pixels."""
        return round(self.model.size * self.augment.oversize)

    def with_seed(self, seed: int) -> "Recipe":
        """Return the recipe with another seed."""
        return self.changed({"train.seed" if self.hog is None else "hog.seed": seed})

    @model_validator(mode="after")
    def _check_system(self) -> "Recipe":
        if self.hog is None:
            return self
        sections = [name for name in _NETWORK_SECTIONS if name in self.model_fields_set]
        given = [
            f"{section}.{name}"
            for section in sections
            for name in sorted(getattr(self, section).model_fields_set)
        ]
        if sections:
            raise ValueError(
                "a recipe with a [hog] section trains no network, and does not read "
                f"{shorten(given or sections)}; leave it out"
            )
        return self

    @model_serializer(mode="wrap")
    def _serialize(self, dump: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        left_out = ("hog",) if self.hog is None else _NETWORK_SECTIONS
        return {name: value for name, value in dump(self).items() if name not in left_out}

    @model_validator(mode="after")
    def _check_parts(self) -> "Recipe":
        if self.model.vectorizer == "flatten" and self.train.initial_scale < 1:
            raise ValueError(
                "vectorizer 'flatten' needs images of one size, and train.initial_scale = "
                f"{self.train.initial_scale:g} starts with smaller ones; set it to 1"
            )
        head = self.model.box_head
        if self.augment.rotate and head != "hull":
            raise ValueError(
                f"augment.rotate needs box_head 'hull', got '{head}': a rotated box is no longer "
                "tight, and the hull of rotated keypoints is; set augment.rotate = 0"
            )
        if head != "hull" and not any(self.loss.box.values()):
            raise ValueError("loss.box has no loss with a weight; set one, such as loss.box.l1=1")
        for loss, heads in _HEADS_OF_LOSS.items():
            if self.loss.box.get(loss) and head not in heads:
                wanted = " or ".join(f"'{each}'" for each in heads)
                raise ValueError(
                    f"loss.box.{loss} needs box_head {wanted}, got '{head}'; remove the loss "
                    "(--set loss.box='{...}') or change the head"
                )
        return self


def check_recipe(settings: Mapping[str, Any], *, place: str) -> Recipe:
    """Make a recipe from its sections as nested mappings.

    Each line of an error message begins with ``place``, where they come from.

    Raises:
        SettingError: If settings are unknown, wrong, or do not fit together.
    """
    try:
        return Recipe.model_validate(settings)
    except ValidationError as error:
        problems = [describe_problem(dict(item), Recipe) for item in error.errors()]
        raise SettingError("\n".join(f"{place}: {problem}" for problem in problems)) from error
