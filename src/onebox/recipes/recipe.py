"""A recipe: every setting of a training run, checked as a whole."""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError, model_serializer, model_validator

from onebox.classic.settings import HogSettings
from onebox.errors import SettingError, shorten
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

# A loss that compares what only some heads make → those heads.
_HEADS_OF_LOSS: dict[BoxLoss, tuple[BoxHead, ...]] = {
    "distribution": ("marginal", "heatmap"),
    "anchors": ("anchors",),
    "votes": ("vote",),
    "laplace": ("direct", "marginal", "vote", "heatmap"),
}
_OF_NETWORKS = ("model", "loss", "train", "augment")


class Recipe(Section):
    """Every setting of a training run, of a network or of HOG windows.

    Attributes:
        source: A sentence: what it is, and where it comes from.
        hog: HOG windows and linear machines in place of a network; what is of networks (``model``,
            ``loss``, ``train``, ``augment``) is then neither read nor written.
    """

    source: str = ""
    data: DataSettings = DataSettings()
    model: ModelSettings = ModelSettings()
    loss: LossSettings = LossSettings()
    train: TrainSettings = TrainSettings()
    augment: AugmentSettings = AugmentSettings()
    hog: HogSettings | None = None

    def changed(self, changes: Mapping[str, Any]) -> "Recipe":
        """The same recipe with some settings changed, checked again as a whole.

        Args:
            changes: New values by dotted name, such as ``{"train.epochs": 4}``.

        Raises:
            SettingError: If the changed recipe is not valid; the message names the setting.
        """
        settings = self.model_dump(exclude_unset=True)
        for name, value in changes.items():
            *sections, last = name.split(".")
            table = settings
            for section in sections:
                table = table.setdefault(section, {})
            table[last] = value
        return check_recipe(settings, place="recipe")

    def with_seed(self, seed: int) -> "Recipe":
        """The same recipe with another seed."""
        return self.changed({"train.seed" if self.hog is None else "hog.seed": seed})

    @model_validator(mode="after")
    def _one_system(self) -> "Recipe":
        if self.hog is None:
            return self
        sections = [name for name in _OF_NETWORKS if name in self.model_fields_set]
        given = [
            f"{section}.{name}"
            for section in sections
            for name in sorted(getattr(self, section).model_fields_set)
        ]
        if sections:
            raise ValueError(
                "a recipe with a [hog] table trains no network, and does not read "
                f"{shorten(given or sections)}; leave it out"
            )
        return self

    @model_serializer(mode="wrap")
    def _of_one_system(self, dump: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        unread = ("hog",) if self.hog is None else _OF_NETWORKS
        return {name: value for name, value in dump(self).items() if name not in unread}

    @model_validator(mode="after")
    def _parts_fit(self) -> "Recipe":
        if self.model.vectorizer == "flatten" and self.train.initial_scale < 1:
            raise ValueError(
                "vectorizer 'flatten' reads images of one size, and train.initial_scale "
                f"{self.train.initial_scale:g} lets it grow; set train.initial_scale = 1"
            )
        head = self.model.box_head
        if self.augment.rotate and head != "hull":
            raise ValueError(
                f"augment.rotate needs box_head 'hull', got '{head}': a box that is turned is no "
                "longer tight, and the keypoints' hull is; set augment.rotate = 0"
            )
        if head != "hull" and not any(self.loss.box.values()):
            raise ValueError("loss.box names no loss with a weight; set one, as loss.box.l1=1")
        for loss, heads in _HEADS_OF_LOSS.items():
            if self.loss.box.get(loss) and head not in heads:
                wanted = " or ".join(f"'{each}'" for each in heads)
                raise ValueError(
                    f"loss.box.{loss} needs box_head {wanted}, got '{head}'; remove the loss "
                    "(--set loss.box='{...}') or change the head"
                )
        return self


def check_recipe(settings: Mapping[str, Any], *, place: str) -> Recipe:
    """Make a recipe of plain values.

    Raises:
        SettingError: If a setting is unknown or wrong; the message starts with ``place``.
    """
    try:
        return Recipe.model_validate(settings)
    except ValidationError as error:
        problems = [describe_problem(dict(item), Recipe) for item in error.errors()]
        raise SettingError("\n".join(f"{place}: {problem}" for problem in problems)) from error
