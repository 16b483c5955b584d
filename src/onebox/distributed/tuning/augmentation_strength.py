"""The strength of augmentation: one number that scales the limits in ``[augment]``."""

from typing import Any

from onebox.errors import SettingError
from onebox.recipes.recipe import Recipe

STRENGTH = "augment.strength"
"""Its name in a search space; it is no setting of a recipe."""

UNCHANGED = 1.0

_COLOURS = ("brightness", "contrast", "saturation", "grayscale")
_SMALLEST_CROP = 0.1  # of the image's width and height; a smaller one shows next to nothing
_LARGEST_ROTATION = 180.0


def scaled(recipe: Recipe, strength: int | float) -> dict[str, Any]:
    """Changes that make the augmentation of a recipe weaker (below 1) or stronger (above 1).

    At 0 nothing is cropped, zoomed, rotated or recoloured. What is no matter of degree stays as it
    is: mirroring, the probability of a crop, and how much of a box a crop may cut off.

    Raises:
        SettingError: If the strength is negative.

    Examples:
        >>> scaled(Recipe(), 0.5)["augment.max_scale"], scaled(Recipe(), 0.5)["augment.brightness"]
        (1.25, 0.125)
    """
    if strength < 0:
        raise SettingError(f"{STRENGTH} must be 0 or more, got {strength:g}.")
    given = recipe.augment
    changes = {
        "min_scale": max(1 - strength * (1 - given.min_scale), _SMALLEST_CROP),
        "max_scale": 1 + strength * (given.max_scale - 1),
        "max_aspect_change": 1 + strength * (given.max_aspect_change - 1),
        "rotate": min(strength * given.rotate, _LARGEST_ROTATION),
        **{name: min(strength * getattr(given, name), 1.0) for name in _COLOURS},
    }
    return {f"augment.{name}": round(float(value), 4) for name, value in changes.items()}
