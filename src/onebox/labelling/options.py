"""What a labelling session is asked to do."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from onebox.errors import SettingError

Order = Literal["mixed", "random"]
"""``mixed`` brings the most useful images first; ``random`` is there to compare it with."""


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """How models are trained in the background.

    Attributes:
        recipe: Name of a recipe, or a TOML file.
        changes: Changes of the recipe, such as ``model.size=96``.
        weights: Initial weights of the first round, as in `onebox.train`.
        minutes: Time budget of a round; None for a short schedule that the number of labels
            decides.
        first_at: Number of labels at which the first round starts; not tuned.
        every: Number of further labels after which the next one starts; not tuned.
    """

    recipe: str | Path = "default"
    changes: tuple[str, ...] = ()
    weights: Path | None = None
    minutes: float | None = None
    first_at: int = 20
    every: int = 20

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            SettingError: If one is not positive.
        """
        for name, least in (("first_at", 1), ("every", 1)):
            if getattr(self, name) < least:
                raise SettingError(f"{name} must be at least {least}, got {getattr(self, name)}.")
        if self.minutes is not None and self.minutes <= 0:
            raise SettingError(f"minutes must be more than 0, got {self.minutes:g}.")


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """What `Session.open` opens.

    Attributes:
        folder: The folder of the images; folders in it count.
        labels: The label file; None for that in the folder, else a new ``labels.csv`` there.
        format: Format of the label file; None to find it out.
        classes: Class names besides those of the label file.
        model: A model that proposes from the start.
        suspects: An ``audit.csv``.
        training: None to train no model.
        target: Mean IoU that is good enough, in (0, 1]; None without one.
        seed: Seed of the order of the images and of the accuracy sample.
        order: The order of the images.
    """

    folder: Path
    labels: Path | None = None
    format: str | None = None
    classes: tuple[str, ...] = ()
    model: Path | None = None
    suspects: Path | None = None
    training: TrainingOptions | None = None
    target: float | None = None
    seed: int = 0
    order: Order = "mixed"

    def __post_init__(self) -> None:
        """Check the target.

        Raises:
            SettingError: If it is no IoU.
        """
        if self.target is not None and not 0 < self.target <= 1:
            raise SettingError(f"target must be above 0 and at most 1, got {self.target:g}.")
