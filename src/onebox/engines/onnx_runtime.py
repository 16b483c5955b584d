"""ONNX Runtime as an engine, with the threads and execution providers that the caller asks for.

A session's threads are fixed when it is made. For one image at a time, all threads share the work
of one call. For many images, each thread makes its own calls: there, a session of one thread is
faster, since no thread waits for another.
"""

import threading
from collections.abc import Sequence
from pathlib import Path

import onnxruntime
from numpy import ndarray

from onebox.engines.engine import Engine, Provider, refusal
from onebox.engines.memory_limit import bound_memory
from onebox.engines.onnx_file import check_onnx
from onebox.errors import ModelError, SettingError, first_line, format_count, suggest
from onebox.model_bytes import read_model_bytes
from onebox.model_card import METADATA_KEY
from onebox.outputs import INPUT

CPU = "CPUExecutionProvider"

_NOTHING = 4  # every error is raised, and said once


class OnnxRuntimeEngine:
    """A session of ONNX Runtime; see `Engine` for the other attributes.

    Attributes:
        session: The session itself.
    """

    def __init__(self, file: Path, threads: int, providers: Sequence[Provider] = (CPU,)) -> None:
        """Open the file.

        Raises:
            ModelError: If it holds what a model of onebox has not, ONNX Runtime cannot open it, or
                a provider does not start.
            SettingError: If this ONNX Runtime lacks a provider.
        """
        check_providers(providers)
        self.file = file
        self.threads = threads
        self.providers: tuple[Provider, ...] | None = tuple(providers)
        self._identity = _identify(file)
        self.session = _open_session(file, threads, providers)
        try:
            stored = self.session.get_modelmeta().custom_metadata_map
            self.metadata: str | None = stored.get(METADATA_KEY)
            self.output_names = tuple(output.name for output in self.session.get_outputs())
            self.takes_batches = not isinstance(_first_axis(self.session), int)
        except UnicodeDecodeError as error:
            raise ModelError(
                f"{file}: has metadata or names that are not UTF-8. Name a file that onebox wrote."
            ) from error
        self._second: Engine | None = None
        self._is_second_tried = False
        self._opening = threading.Lock()

    def per_thread(self) -> Engine:
        """An engine of one thread, opened at the first use.

        It is this engine if that has one thread or does not run on the CPU, or if the file was
        removed or changed and so cannot be opened again.
        """
        with self._opening:
            if not self._is_second_tried:
                self._is_second_tried = True
                self._second = self._open_second()
        return self._second or self

    def run(self, images: ndarray, outputs: Sequence[str]) -> list[ndarray]:
        """Run the network; see `Engine.run`.

        Raises:
            ModelError: If ONNX Runtime cannot run it.
        """
        try:
            return self.session.run(outputs, {INPUT: images})
        except Exception as error:  # ONNX Runtime's own errors share no other parent
            raise ModelError(
                f"{self.file}: ONNX Runtime could not run it on {_size_text(images)} "
                f"({first_line(error)}). Take smaller images or batches, or export the model anew."
            ) from error

    def _open_second(self) -> Engine | None:
        providers = self.providers or ()
        is_on_cpu = _names(providers) == [CPU]
        if self.threads == 1 or not is_on_cpu or _identify(self.file) != self._identity:
            return None
        return OnnxRuntimeEngine(self.file, 1, providers)


def check_providers(providers: Sequence[Provider]) -> None:
    """Check that this ONNX Runtime has the providers asked for.

    Raises:
        SettingError: If it lacks one, or none is asked for; the message lists those it has.
        TypeError: If a single name is given instead of a list.
    """
    if isinstance(providers, str):
        raise TypeError(f"providers must be a list of names, as ['{providers}'].")
    available = onnxruntime.get_available_providers()
    unknown = [name for name in _names(providers) if name not in available]
    if providers and not unknown:
        return
    problem, hint = "no provider is given. Choose one", ""
    if unknown:
        problem, hint = f"provider '{unknown[0]}' is not one", suggest(unknown[0], available)
    raise SettingError(
        f"{problem} of those that ONNX Runtime {onnxruntime.__version__} has here: "
        f"{', '.join(available)}.{hint} Other builds of onnxruntime bring others."
    )


def _names(providers: Sequence[Provider]) -> list[str]:
    return [each if isinstance(each, str) else each[0] for each in providers]


def _first_axis(session: onnxruntime.InferenceSession) -> object:
    """The number of images that the network takes, or the name of that number."""
    shapes = [each.shape for each in session.get_inputs()]
    return shapes[0][0] if shapes and shapes[0] else None


def _size_text(images: ndarray) -> str:
    count, height, width = images.shape[:3]
    return f"{format_count(count, 'image', 'images')} of {width} x {height} pixels"


def _identify(file: Path) -> tuple[int, ...] | None:
    """What differs once a file has been replaced or changed; None if it is gone."""
    try:
        status = file.stat()
    except (OSError, ValueError):  # ValueError: a name that no file can have
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _open_session(
    file: Path, threads: int, providers: Sequence[Provider]
) -> onnxruntime.InferenceSession:
    asked = [each if isinstance(each, str) else (each[0], dict(each[1])) for each in providers]
    content = read_model_bytes(file)
    check_onnx(content, file)
    try:
        # The fallback would print, and run on another provider than the caller asked for.
        session = onnxruntime.InferenceSession(
            content, _options(threads), providers=asked, enable_fallback=False
        )
        session._model_bytes = None  # noqa: SLF001 - it would keep the file in memory for good
    except Exception as error:  # ONNX Runtime's own errors share no other parent
        raise ModelError(
            refusal(file, f"an ONNX model that ONNX Runtime {onnxruntime.__version__}", error)
        ) from error
    if missing := [name for name in _names(providers) if name not in session.get_providers()]:
        raise ModelError(
            f"{file}: ONNX Runtime could not start {', '.join(missing)} and would run on "
            f"{', '.join(session.get_providers())}. Install the libraries that the provider "
            "needs, or leave it out."
        )
    return session


def _options(threads: int) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _NOTHING
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Waiting threads spin within a call, which is over in milliseconds. Between calls, spinning
    # would take the cores from other models and from the rest of the program.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    options.add_session_config_entry("session.load_model_format", "ONNX")
    bound_memory(options)
    return options
