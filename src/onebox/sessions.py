"""A model file as sessions of ONNX Runtime, with threads and processors as the caller wants them.

A session's threads are fixed when it is made. For one image at a time, all threads share the
work within it. For many images, each thread has an image of its own: then a session of one
thread for each call is faster, since nothing waits for anything.
"""

import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnxruntime

from onebox.errors import ModelError, SettingError, suggest

CPU = "CPUExecutionProvider"

Provider = str | tuple[str, Mapping[str, Any]]
"""What runs a model: ONNX Runtime's name of an execution provider, or that and its options."""

_ERRORS_ONLY = 3
_Identity = tuple[int, int, int, int]


class Sessions:
    """The sessions of one model file.

    Attributes:
        file: The model.
        threads: That share the work within one image.
        single: The session for one image at a time.
    """

    def __init__(self, file: Path, threads: int, providers: Sequence[Provider] = (CPU,)) -> None:
        """Open the file.

        Raises:
            ModelError: If it is missing, or no ONNX file, or a provider does not start.
            SettingError: If a provider is none that this ONNX Runtime has.
        """
        _check_file(file)
        check_providers(providers)
        self.file = file
        self.threads = threads
        self._providers = tuple(providers)
        self._identity = _identity(file)
        self.single = _open(file, threads, self._providers)
        self._stream: onnxruntime.InferenceSession | None = None
        self._making = threading.Lock()

    @property
    def stream(self) -> onnxruntime.InferenceSession:
        """The session for many images at once, made when it is first asked for.

        It is the one for single images where that has one thread, runs on something else than
        the processor, or cannot be made again because the file has gone or changed.
        """
        with self._making:
            if self._stream is None:
                self._stream = self._second() or self.single
            return self._stream

    @property
    def takes_batches(self) -> bool:
        """Whether the model takes several images of one size in one call."""
        [first, *_] = self.single.get_inputs()
        return not isinstance(first.shape[0], int)

    def _second(self) -> onnxruntime.InferenceSession | None:
        is_on_cpu = _names(self._providers) == [CPU]
        if self.threads == 1 or not is_on_cpu or _identity(self.file) != self._identity:
            return None
        return _open(self.file, 1, self._providers)


def check_providers(providers: Sequence[Provider]) -> None:
    """See that ONNX Runtime has the providers asked for.

    Raises:
        SettingError: If it lacks one, or none is asked for; the message names those it has.
        TypeError: If a single name is given in place of a list.
    """
    if isinstance(providers, str):
        raise TypeError(f"providers must be a list of names, as ['{providers}'].")
    available = onnxruntime.get_available_providers()
    unknown = [name for name in _names(providers) if name not in available]
    if unknown or not providers:
        asked = f"provider '{unknown[0]}' is" if unknown else "no provider is given; choose"
        hint = suggest(unknown[0], available) if unknown else ""
        raise SettingError(
            f"{asked} {'none ' if unknown else ''}of those that ONNX Runtime "
            f"{onnxruntime.__version__} has here: {', '.join(available)}.{hint} Install the build "
            "of onnxruntime that brings another."
        )


def _names(providers: Sequence[Provider]) -> list[str]:
    return [each if isinstance(each, str) else each[0] for each in providers]


def _check_file(file: Path) -> None:
    if not file.is_file():
        inside = file / "model.onnx"
        hint = f" Did you mean {inside}?" if inside.is_file() else ""
        what = "is a folder, not a model" if file.is_dir() else "does not exist. Correct the path"
        raise ModelError(f"{file}: {what}.{hint}")


def _identity(file: Path) -> _Identity | None:
    """What tells whether a file is still the one it was; None where it is gone."""
    try:
        facts = file.stat()
    except OSError:
        return None
    return facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns


def _open(
    file: Path, threads: int, providers: tuple[Provider, ...]
) -> onnxruntime.InferenceSession:
    asked = [each if isinstance(each, str) else (each[0], dict(each[1])) for each in providers]
    try:
        # Without the fallback, which prints, and answers by another provider than was asked for.
        session = onnxruntime.InferenceSession(
            os.fspath(file), _options(threads), providers=asked, enable_fallback=False
        )
    except Exception as error:  # ONNX Runtime's own errors share no other parent
        raise ModelError(
            f"{file}: is not an ONNX model that ONNX Runtime {onnxruntime.__version__} can open "
            f"({_first_line(error)})."
        ) from error
    if missing := [name for name in _names(providers) if name not in session.get_providers()]:
        raise ModelError(
            f"{file}: ONNX Runtime could not start {', '.join(missing)}, and would run on "
            f"{', '.join(session.get_providers())}. Install the libraries that it needs, or leave "
            "it out."
        )
    return session


def _options(threads: int) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Within a call, threads that wait keep their cores: it is over in milliseconds. Between calls
    # they would take them from other models, and from whatever else the program does.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return options


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
