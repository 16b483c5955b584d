"""One door to every model: its file → what predicts, whichever system made it."""

import os
from pathlib import Path

from onebox import runtime
from onebox.classic import storage
from onebox.classic.localizer import HogLocalizer
from onebox.errors import ModelError
from onebox.runtime import Localizer

Model = Localizer | HogLocalizer
"""A network or HOG windows: both have ``facts``, ``classes``, ``joints``, ``name``, ``predict``."""

_WINDOWS = ".npz"


def load(path: str | os.PathLike[str]) -> Model:
    """Load a model file that `onebox train` made: ``model.onnx``, or ``model.npz`` of HOG windows.

    Raises:
        ModelError: If the file is missing, or is no onebox model.
    """
    file = Path(path)
    if (inside := file / f"model{_WINDOWS}").is_file():
        raise ModelError(f"{file}: is a folder, not a model. Did you mean {inside}?")
    return storage.load(file) if file.suffix.lower() == _WINDOWS else runtime.load(file)
