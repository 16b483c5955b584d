"""The packages of ``onebox[classic]``, imported when they are first needed."""

import importlib
from types import ModuleType

from onebox.errors import OneboxError

_DISTRIBUTIONS = {"cv2": "OpenCV", "skimage": "scikit-image", "sklearn": "scikit-learn"}


def imported(module: str) -> ModuleType:
    """Import a module of a package that the light install leaves out.

    Args:
        module: Of ``cv2``, ``skimage`` or ``sklearn``, as ``skimage.feature``.

    Raises:
        OneboxError: If it is not installed; the message says how to get it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        name = _DISTRIBUTIONS[module.partition(".")[0]]
        raise OneboxError(
            f"the classic systems need {name}, which is not installed ({error}). Install it with: "
            "pip install 'onebox[classic]'"
        ) from error
