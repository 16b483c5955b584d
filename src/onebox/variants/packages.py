"""The packages that variants are made with: imported when first needed, and kept from sending.

``import openvino`` reports itself to its makers' statistics service, unless the user has opted
out. Nothing here may use the network that the user did not ask for, so it is imported as if its
reporting package were not installed; it has a stand-in for that case, which does nothing.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from onebox.optional import require

_EXTRAS = {"onnx": "int8", "onnxruntime": "int8"}  # import name → extra; openvino for the rest
_REPORTING = "openvino_telemetry"


def imported(module: str) -> ModuleType:
    """Import a module of a package that the light install leaves out.

    Args:
        module: Of ``onnx``, ``onnxruntime.quantization`` (which needs onnx) or ``openvino``.

    Raises:
        OneboxError: If it is not installed; the message says how to get it.
    """
    extra = _EXTRAS.get(module.partition(".")[0], "openvino")
    with _without(_REPORTING):
        return require(module, extra=extra, purpose=f"variants of the kind '{extra}'")


@contextmanager
def _without(package: str) -> Iterator[None]:
    """Have imports of a package fail, as where it is not installed; loaded ones come back."""
    loaded = {name: sys.modules.pop(name) for name in [*sys.modules] if _is_within(name, package)}
    sys.modules[package] = None  # type: ignore[assignment]  # what Python reads as "not there"
    try:
        yield
    finally:
        del sys.modules[package]
        sys.modules.update(loaded)


def _is_within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")
