"""One door to every model: its file → what predicts, whichever system made it."""

import os
from collections.abc import Sequence
from pathlib import Path

from onebox import runtime
from onebox.classic import model_file
from onebox.classic.hog_localizer import HogLocalizer
from onebox.errors import ModelError, SettingError
from onebox.runtime import Localizer
from onebox.sessions import CPU, Provider
from onebox.threads import resolve_threads

Model = Localizer | HogLocalizer
"""A network or HOG windows.

Both have ``facts``, ``classes``, ``keypoints``, ``name``, ``predict`` and ``predict_many``.
"""

_WINDOWS = ".npz"


def load(
    path: str | os.PathLike[str],
    *,
    threads: int | None = None,
    providers: Sequence[Provider] | None = None,
) -> Model:
    """Load a model file that `onebox train` made: ``model.onnx``, or ``model.npz`` of HOG windows.

    Args:
        path: The file.
        threads: For one image, those that share the work within the network; for many, how many
            images are under way at once. By default all cores that the process may use:
            affinity and the quota of a container count.
        providers: What runs a network, in order of preference, by ONNX Runtime's names:
            ``["CUDAExecutionProvider"]``, or each with its options as
            ``("CUDAExecutionProvider", {"device_id": 1})``. By default the processor.

    Raises:
        ModelError: If the file is missing, or is no onebox model, or a provider does not start.
        SettingError: If this ONNX Runtime lacks a provider, or HOG windows are given one.
        ValueError: If ``threads`` is less than 1.
    """
    file = Path(path)
    if (inside := file / f"model{_WINDOWS}").is_file():
        raise ModelError(f"{file}: is a folder, not a model. Did you mean {inside}?")
    if file.suffix.lower() != _WINDOWS:
        chosen = (CPU,) if providers is None else providers
        return runtime.load(file, threads=threads, providers=chosen)
    if providers is not None:
        raise SettingError(f"{file}: HOG windows have no providers to choose from. Leave them out.")
    return model_file.load(file).with_threads(resolve_threads(threads))
