"""The packages that variants are made with, imported when they are first needed."""

from types import ModuleType

from onebox.optional import require

_EXTRAS = {"onnx": "int8", "onnxruntime": "int8"}  # import name → extra; openvino for the rest


def imported(module: str) -> ModuleType:
    """Import a module of a package that the light install leaves out.

    Args:
        module: A module of ``onnx``, ``onnxruntime.quantization`` (which needs onnx) or
            ``openvino``.

    Raises:
        OneboxError: If it is not installed; the message says how to get it.
    """
    extra = _EXTRAS.get(module.partition(".")[0], "openvino")
    return require(module, extra=extra, purpose=f"variants of the kind '{extra}'")
