"""Packages of the optional extras: imported when they are first needed, and kept from reporting.

``import openvino`` reports itself to its makers' statistics service, unless the user has opted out.
onebox opens no connection that the user did not ask for, so every package is imported as if
OpenVINO's reporting package were not installed; OpenVINO has a stand-in for it that does nothing.
"""

import importlib
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from onebox.errors import OneboxError

# Import name → the name people know it by, if the two differ.
_NAMES = {
    "av": "PyAV",
    "cv2": "OpenCV",
    "openvino": "OpenVINO",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
}
_REPORTING = "openvino_telemetry"
_IMPORTING = threading.RLock()  # `sys.modules` is the process's, and threads import at once


def require(module: str, *, extra: str, purpose: str | None = None) -> ModuleType:
    """Import a module of a package that the light install leaves out.

    Args:
        module: The module to import, as ``skimage.feature``.
        extra: The extra of onebox that installs its package.
        purpose: What needs the package, as the plural noun that starts the error message; the
            features of the extra by default.

    Raises:
        OneboxError: If the module cannot be imported; the message names the extra to install.
    """
    try:
        with _IMPORTING, _without(_REPORTING):
            return importlib.import_module(module)
    except ImportError as error:
        root = module.partition(".")[0]
        raise OneboxError(
            f"{purpose or f'the features of onebox[{extra}]'} need {_NAMES.get(root, root)}, which "
            f"is not installed ({error}). Install it with: pip install 'onebox[{extra}]'"
        ) from error


@contextmanager
def _without(package: str) -> Iterator[None]:
    """Make imports of a package fail as if it were not installed; restore it afterwards."""
    names = [name for name in sys.modules if f"{name}.".startswith(f"{package}.")]
    loaded = {name: sys.modules.pop(name) for name in names}
    sys.modules[package] = None  # type: ignore[assignment]  # Python reads None as "not there"
    try:
        yield
    finally:
        del sys.modules[package]
        sys.modules.update(loaded)
