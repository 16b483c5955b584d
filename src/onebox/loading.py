"""A model file → the `Localizer` that predicts with it, whichever system made it."""

import os
from collections.abc import Sequence
from pathlib import Path

from onebox import runtime
from onebox.classic import model_file
from onebox.engines.engine import Provider
from onebox.errors import ModelError, SettingError
from onebox.files import is_file
from onebox.localizer import Localizer
from onebox.threads import resolve_threads

_HOG_SUFFIX = ".npz"


def load(
    path: str | os.PathLike[str],
    *,
    threads: int | None = None,
    providers: Sequence[Provider] | None = None,
) -> Localizer:
    """Load a model file that `onebox train` or `onebox export` wrote.

    Args:
        path: The file: ``model.onnx``, its OpenVINO variant ``.xml``, or ``model.npz`` of HOG
            windows.
        threads: For one image, threads that share the work within the network; for many, images
            in progress at once. By default all cores that the process may use: CPU affinity and
            the quota of a container count.
        providers: ONNX Runtime's execution providers for a network, in order of preference:
            ``["CUDAExecutionProvider"]``, or each with its options as
            ``("CUDAExecutionProvider", {"device_id": 1})``. By default the CPU.

    Raises:
        ModelError: If the file is missing or is not a model of onebox, or a provider does not
            start.
        OneboxError: If the file needs OpenVINO, which is not installed.
        SettingError: If a provider is not available, or HOG windows or OpenVINO are given one.
        ValueError: If ``threads`` is less than 1.
    """
    file = Path(path)
    if is_file(inside := file / f"model{_HOG_SUFFIX}"):
        raise ModelError(f"{file}: is a folder, not a model. Did you mean {inside}?")
    if file.suffix.lower() != _HOG_SUFFIX:
        return runtime.load(file, threads=threads, providers=providers)
    if providers is not None:
        raise SettingError(f"{file}: HOG windows have no providers to choose from. Leave them out.")
    return model_file.load(file).with_threads(resolve_threads(threads))
