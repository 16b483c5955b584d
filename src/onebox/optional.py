"""Packages of the optional extras, imported when they are first needed."""

import importlib
from types import ModuleType

from onebox.errors import OneboxError

# Import name → the name people know it by, where the two differ.
_NAMES = {
    "av": "PyAV",
    "cv2": "OpenCV",
    "openvino": "OpenVINO",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
}


def require(module: str, *, extra: str, purpose: str) -> ModuleType:
    """Import a module of a package that the light install leaves out.

    Args:
        module: The module to import, as ``skimage.feature``.
        extra: The extra of onebox that installs its package.
        purpose: What needs the package, as a plural noun that starts the error message.

    Raises:
        OneboxError: If the module cannot be imported; the message names the extra to install.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        root = module.partition(".")[0]
        raise OneboxError(
            f"{purpose} need {_NAMES.get(root, root)}, which is not installed ({error}). "
            f"Install it with: pip install 'onebox[{extra}]'"
        ) from error
