"""``openvino``: the graph as OpenVINO IR, an ``.xml`` with the weights in a ``.bin`` beside it.

The model is read by OpenVINO's own ONNX front end, not by ``openvino.convert_model``, which does
the same and reports it to its makers. Weights stay fp32. The facts of the model stand in the
``.xml`` as runtime information under the key ``onebox``.
"""

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnxruntime
from numpy import ndarray

from onebox.errors import ModelError
from onebox.model_card import METADATA_KEY, ModelCard
from onebox.runtime import Localizer
from onebox.sessions import Sessions
from onebox.variants.packages import imported
from onebox.variants.source import Source

# Some processors would compute in 16 bits unasked, and answer otherwise.
_SETTINGS = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}


def write(source: Source, file: Path) -> None:
    """Convert a model.

    Args:
        source: The model.
        file: An ``.xml``; is written, and the weights beside it.

    Raises:
        OneboxError: If OpenVINO is not installed.
    """
    openvino = imported("openvino")
    model = openvino.Core().read_model(source.model)
    model.set_rt_info(source.card.as_json(), METADATA_KEY)
    openvino.save_model(model, file, compress_to_fp16=False)


def load(file: Path) -> Localizer:
    """Load what `write` wrote; it answers as any other model.

    Raises:
        ModelError: If the file is no OpenVINO IR, or none of onebox.
        OneboxError: If OpenVINO is not installed.
    """
    core = imported("openvino").Core()
    core.set_property({"ENABLE_MMAP": False})  # a mapped file could not be moved everywhere
    try:
        model = core.read_model(file)
        facts = ModelCard.from_json(model.get_rt_info(METADATA_KEY).astype(str))
    except (RuntimeError, ValueError) as error:  # OpenVINO's own errors are plain ones
        raise ModelError(f"{file}: is no OpenVINO IR that onebox export wrote.") from error
    session = _Session(core.compile_model(model, "CPU", _SETTINGS))
    return Localizer(_Sessions(file, session), facts, str(file))


class _Sessions(Sessions):
    """One compiled model in the place of a file's sessions."""

    def __init__(self, file: Path, session: "_Session") -> None:
        self.file, self.threads, self.single = file, 1, session

    @property
    def stream(self) -> onnxruntime.InferenceSession:
        """The one there is."""
        return self.single

    @property
    def takes_batches(self) -> bool:
        """Always: the graph's first side is free."""
        return True


class _Session(onnxruntime.InferenceSession):  # type: ignore[misc]
    """OpenVINO in the place of ONNX Runtime: `Localizer` asks a session only to run."""

    def __init__(self, compiled: Any) -> None:  # noqa: ANN401 - an openvino.CompiledModel
        self._compiled = compiled
        self._running = threading.Lock()  # a compiled model has one set of buffers

    def run(self, outputs: Sequence[str], inputs: Mapping[str, ndarray]) -> list[ndarray]:
        """The outputs of the names asked for."""
        with self._running:
            found = self._compiled(dict(inputs))
            return [found[name].copy() for name in outputs]
