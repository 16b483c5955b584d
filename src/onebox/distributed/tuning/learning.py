"""The part of a search that needs PyTorch, imported when it is first needed."""

import importlib
from typing import Any

from onebox.errors import OneboxError


def import_trial() -> Any:  # noqa: ANN401 - a module that this layer may not import
    """Import `onebox.learning.network_runs.trial`.

    Raises:
        OneboxError: If PyTorch or another package of the extra is not installed.
    """
    try:
        return importlib.import_module("onebox.learning.network_runs.trial")
    except ModuleNotFoundError as error:
        raise OneboxError(
            f"onebox tune needs the package '{error.name}', which the light install leaves out. "
            "Install it with: pip install 'onebox[ray,train]'"
        ) from error
