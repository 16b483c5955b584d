"""A recipe: every setting of a training run, read from TOML and checked once.

The recipes that come with the package lie in ``recipes/``, one file each. A recipe of one's own is
a file with the same sections; what it leaves out takes the value written here.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from onebox.errors import SettingError, suggest

Share = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
BoxHead = Literal["direct", "marginal"]
Vectorizer = Literal["gap", "flatten", "pyramid"]
BoxLoss = Literal["mse", "l1", "smooth_l1", "bce", "giou", "diou", "ciou", "distribution"]

_READS_A_MAP: frozenset[Vectorizer] = frozenset({"pyramid"})


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class DataSettings(_Section):
    """``[data]``: what is read. ``classes`` declares the names that labels may have."""

    classes: tuple[str, ...] = ()


class ModelSettings(_Section):
    """``[model]``: backbone → vectorizer → heads.

    Attributes:
        backbone: Any name of timm.
        pretrained: Start from weights, or from none.
        backbone_options: Passed to timm's ``create_model``.
        mean: Subtracted from pixels in [0, 1]; the backbone's own where absent.
        std: Divides them then; the backbone's own where absent.
        size: Side of the square that pictures are stretched to, in pixels.
        vectorizer: What the heads read: a pooled vector, a flattened one, or a fused map.
        width: Channels of the vectorizer's output, where it has a say.
        box_head: How the box is found in that.
        hidden: Widths of the direct head's hidden layers.
        bins_per_cell: Bins of the marginal head in a cell of its map.
    """

    backbone: str = "mobilenetv4_conv_small"
    pretrained: bool = True
    backbone_options: dict[str, str | int | float | bool] = {}
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None
    size: Annotated[int, Field(ge=32, le=2048)] = 192
    vectorizer: Vectorizer = "pyramid"
    width: Annotated[int, Field(ge=1)] = 96
    box_head: BoxHead = "marginal"
    hidden: tuple[Annotated[int, Field(ge=1)], ...] = (512,)
    bins_per_cell: Annotated[int, Field(ge=1)] = 8

    @model_validator(mode="after")
    def _head_can_read_vectorizer(self) -> "ModelSettings":
        if self.box_head == "marginal" and self.vectorizer not in _READS_A_MAP:
            raise ValueError(
                f"box_head 'marginal' reads a map, and vectorizer '{self.vectorizer}' makes a "
                "vector; use vectorizer 'pyramid', or box_head 'direct'"
            )
        return self


class LossSettings(_Section):
    """``[loss]``: what is made small. Each weight multiplies one loss; the total is their sum.

    Attributes:
        box: Losses of the box by name, with their weights.
        label: Weight of the cross-entropy of the class.
        label_smoothing: Share of the class target that is spread over all classes.
        overlap: Weight of the estimate of the box's own overlap with the truth; 0 for none.
    """

    box: dict[BoxLoss, Weight] = {"l1": 5.0, "giou": 2.0, "distribution": 0.5}
    label: Weight = 1.0
    label_smoothing: Share = 0.05
    overlap: Weight = 0.5


class TrainSettings(_Section):
    """``[train]``: how long, how fast, and from which seed.

    Attributes:
        epochs: Passes over the training pictures; planned from their number where absent.
        batch_size: Pictures a step.
        first_size: Side of the pictures in the first half of the steps, as a share of the model's
            size; it grows to the whole over the next steps (1 for the whole from the start).
        learning_rate: Highest rate of the heads (AdamW, one cycle).
        backbone_rate: The backbone's rate as a share of that.
        weight_decay: AdamW's, for weights of two dimensions and more.
        warmup: Share of the steps in which the rate rises.
        ema_decay: Of the moving average of the weights that is validated and kept; 0 for none.
        patience: Epochs without a better validation figure before training ends; 0 for no end.
        clip_norm: Longest gradient.
        seed: Everything random follows from it.
    """

    epochs: Annotated[int, Field(ge=1)] | None = None
    batch_size: Annotated[int, Field(ge=1)] = 32
    first_size: Annotated[float, Field(gt=0, le=1)] = 1.0
    learning_rate: Positive = 2e-3
    backbone_rate: Weight = 0.5
    weight_decay: Weight = 0.05
    warmup: Share = 0.1
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0.98
    patience: Annotated[int, Field(ge=0)] = 0
    clip_norm: Positive = 5.0
    seed: Annotated[int, Field(ge=0)] = 0


class AugmentSettings(_Section):
    """``[augment]``: how training pictures are varied, with their boxes.

    Attributes:
        geometry: Share of the pictures that are cropped or zoomed out.
        smallest: The smallest crop, as a share of each side.
        largest: The largest window, as a share of each side; above 1 the picture is zoomed out.
        aspect: Largest change of width against height, as a factor.
        cut: Largest share of each of the box's sides that a crop may leave out.
        flip: Share mirrored left to right.
        brightness: Largest change, as a share of white.
        contrast: Largest change, as a share.
        saturation: Largest change, as a share.
        grey: Share turned grey.
    """

    geometry: Share = 0.9
    smallest: Annotated[float, Field(gt=0, le=1)] = 0.4
    largest: Annotated[float, Field(ge=1)] = 1.5
    aspect: Annotated[float, Field(ge=1)] = 1.25
    cut: Annotated[float, Field(ge=0, lt=0.5)] = 0.1
    flip: Share = 0.5
    brightness: Share = 0.25
    contrast: Share = 0.3
    saturation: Share = 0.3
    grey: Share = 0.05


class Recipe(_Section):
    """Every setting of a training run.

    Attributes:
        source: A sentence: what it is, and where it comes from.
    """

    source: str = ""
    data: DataSettings = DataSettings()
    model: ModelSettings = ModelSettings()
    loss: LossSettings = LossSettings()
    train: TrainSettings = TrainSettings()
    augment: AugmentSettings = AugmentSettings()

    @model_validator(mode="after")
    def _parts_fit(self) -> "Recipe":
        if self.model.vectorizer == "flatten" and self.train.first_size < 1:
            raise ValueError(
                "vectorizer 'flatten' reads pictures of one size, and train.first_size "
                f"{self.train.first_size:g} lets it grow; set train.first_size = 1"
            )
        if not any(self.loss.box.values()):
            raise ValueError("loss.box names no loss with a weight; set one, as loss.box.l1=1")
        if self.loss.box.get("distribution") and self.model.box_head != "marginal":
            raise ValueError(
                "loss.box.distribution needs the bins of box_head 'marginal', got "
                f"'{self.model.box_head}'; remove the loss or change the head"
            )
        return self


def recipe_names() -> list[str]:
    """The recipes that come with the package."""
    files = resources.files("onebox.learning").joinpath("recipes").iterdir()
    return sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml"))


def recipe_text(name: str) -> str:
    """The TOML of a recipe that comes with the package.

    Raises:
        SettingError: If there is none of that name.
    """
    names = recipe_names()
    if name not in names:
        hint = suggest(name, names)
        raise SettingError(f"recipe '{name}' is not one of {', '.join(names)}.{hint}")
    return resources.files("onebox.learning").joinpath("recipes", f"{name}.toml").read_text("utf-8")


def read_recipe(name_or_file: str | Path, changes: Sequence[str] = ()) -> Recipe:
    """Read a recipe by name or from a file, with single settings changed.

    Args:
        name_or_file: A name of `recipe_names`, or a TOML file.
        changes: Each as ``train.epochs=20``; the value is TOML, a bare word is taken as text.

    Returns:
        The checked recipe.

    Raises:
        SettingError: If the recipe is not there, is no TOML, or a setting is unknown or wrong.
    """
    path = Path(name_or_file)
    is_file = path.suffix == ".toml" or path.is_file()
    try:
        text = path.read_text("utf-8") if is_file else recipe_text(str(name_or_file))
        settings = tomllib.loads(text)
    except OSError as error:
        raise SettingError(f"{path}: cannot be read ({error.strerror}). Correct it.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingError(f"{path}: is not TOML: {error}. Correct it there.") from error
    for change in changes:
        _change(settings, change)
    return check_recipe(settings, place=str(name_or_file))


def check_recipe(settings: Mapping[str, Any], *, place: str) -> Recipe:
    """Make a recipe of plain values.

    Raises:
        SettingError: If a setting is unknown or wrong; the message starts with ``place``.
    """
    try:
        return Recipe.model_validate(settings)
    except ValidationError as error:
        problems = [_problem(dict(item)) for item in error.errors()]
        raise SettingError("\n".join(f"{place}: {problem}" for problem in problems)) from error


def _change(settings: dict[str, Any], change: str) -> None:
    """Set one dotted key of nested tables.

    Raises:
        SettingError: If the change is not ``section.key=value``.
    """
    key, sign, value = change.partition("=")
    if not sign or not key.strip():
        raise SettingError(f"--set '{change}' is not of the form key=value, as train.epochs=20.")
    *sections, last = key.strip().split(".")
    table = settings
    for section in sections:
        table = table.setdefault(section, {})
        if not isinstance(table, dict):
            raise SettingError(f"--set '{change}': {section} is a value, not a section.")
    table[last] = _value(value.strip())


def _value(text: str) -> object:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _problem(details: Mapping[str, Any]) -> str:
    """One sentence about one setting, with the name that was probably meant."""
    kind, message = details["type"], details["msg"]
    *sections, last = [str(part) for part in details["loc"] if part != "[key]"] or ["recipe"]
    if kind == "extra_forbidden":
        where = f"[{'.'.join(sections)}]" if sections else "the recipe"
        return f"{where} has no setting '{last}'.{suggest(last, _settings_of(sections))}"
    if kind == "value_error":
        return f"{message.removeprefix('Value error, ')}."
    hint = suggest(str(details["input"]), re.findall(r"'(\w+)'", message))
    return f"{'.'.join([*sections, last])}: {message}, got {details['input']!r}.{hint}"


def _settings_of(sections: Sequence[str]) -> list[str]:
    model: type[BaseModel] = Recipe
    for section in sections:
        annotation = model.model_fields[section].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        model = annotation
    return list(model.model_fields)
