"""A model file → the engine that runs it."""

from collections.abc import Sequence
from pathlib import Path

from onebox.engines.engine import Engine, Provider
from onebox.engines.onnx_runtime import CPU, OnnxRuntimeEngine
from onebox.engines.openvino import OpenVinoEngine
from onebox.errors import ModelError, SettingError
from onebox.files import is_file

_OPENVINO_SUFFIX = ".xml"


def open_engine(file: Path, threads: int, providers: Sequence[Provider] | None = None) -> Engine:
    """Open a model file: an ``.xml`` in OpenVINO, any other in ONNX Runtime.

    The other arguments are those of `onebox.load`.

    Raises:
        ModelError: If the file is missing or cannot be opened, or a provider does not start.
        OneboxError: If the file needs OpenVINO, which is not installed.
        SettingError: If a provider is not available, or OpenVINO is given one.
    """
    _check_file(file)
    if file.suffix.lower() != _OPENVINO_SUFFIX:
        return OnnxRuntimeEngine(file, threads, (CPU,) if providers is None else providers)
    if providers is not None:
        raise SettingError(f"{file}: OpenVINO has no providers to choose from. Leave them out.")
    return OpenVinoEngine(file, threads)


def _check_file(file: Path) -> None:
    inside = file / "model.onnx"
    if is_file(inside):
        raise ModelError(f"{file}: is a folder, not a model. Did you mean {inside}?")
