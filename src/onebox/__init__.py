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

if TYPE_CHECKING:
    from onebox.evaluation import Report, evaluate
    from onebox.formats import write
    from onebox.loading import load
    from onebox.localizer import Localizer
    from onebox.reading import read
    from onebox.recipes.loading import read_recipe
    from onebox.recipes.recipe import Recipe
    from onebox.runs.results import Run
    from onebox.runs.train import train
    from onebox.structures import Dataset, Prediction, Sample

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

# Imported when they are first used: `import onebox` then takes no time, and the command line can
# end quietly if Ctrl-C comes during the imports.
_MODULE_OF = {
    "Dataset": "onebox.structures",
    "Localizer": "onebox.localizer",
    "Prediction": "onebox.structures",
    "Recipe": "onebox.recipes.recipe",
    "Report": "onebox.evaluation",
    "Run": "onebox.runs.results",
    "Sample": "onebox.structures",
    "evaluate": "onebox.evaluation",
    "load": "onebox.loading",
    "read": "onebox.reading",
    "read_recipe": "onebox.recipes.loading",
    "train": "onebox.runs.train",
    "write": "onebox.formats",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'onebox' has no attribute '{name}'")
    return getattr(importlib.import_module(_MODULE_OF[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
