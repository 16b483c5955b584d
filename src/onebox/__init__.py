"""Object localization: one image, one subject - what it is, where it is, and how sure.

>>> import onebox
>>> data = onebox.read("synth:blobs")
>>> data.classes
('disc',)

``data = onebox.read("labels.csv")``, ``run = onebox.train(data)``, ``onebox.load(run.model)`` and
``localizer.predict("cat.jpg")`` are the whole way. Only `train` needs PyTorch.
"""

import importlib
from typing import TYPE_CHECKING, Any

from onebox.errors import DataError, ImageError, ModelError, OneboxError, SettingError
from onebox.evaluation import Report, evaluate
from onebox.formats import write
from onebox.loading import load
from onebox.reading import read
from onebox.runtime import Localizer
from onebox.structures import Dataset, Prediction, Sample

if TYPE_CHECKING:
    from onebox.recipes.loading import read_recipe
    from onebox.recipes.recipe import Recipe
    from onebox.runs.results import Run
    from onebox.runs.train import train

__version__ = "0.1.0"

__all__ = [
    "DataError",
    "Dataset",
    "ImageError",
    "Localizer",
    "ModelError",
    "OneboxError",
    "Prediction",
    "Recipe",
    "Report",
    "Run",
    "Sample",
    "SettingError",
    "evaluate",
    "load",
    "read",
    "read_recipe",
    "train",
    "write",
]

# What needs PyTorch, or settings that only training needs, is imported when it is first asked for.
_LATER = {
    "Recipe": "onebox.recipes.recipe",
    "Run": "onebox.runs.results",
    "read_recipe": "onebox.recipes.loading",
    "train": "onebox.runs.train",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401
    if name not in _LATER:
        raise AttributeError(f"module 'onebox' has no attribute '{name}'")
    try:
        return getattr(importlib.import_module(_LATER[name]), name)
    except ModuleNotFoundError as error:
        raise OneboxError(
            f"onebox.{name} needs the package '{error.name}', which the light install leaves out. "
            "Install it with: pip install 'onebox[train]'"
        ) from error
