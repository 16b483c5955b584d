"""OpenVINO as an engine: an ``.xml`` with its weights in a ``.bin`` beside it."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from numpy import ndarray

from onebox.engines.engine import Engine, Provider, refusal
from onebox.engines.openvino_file import MOST_GRAPH_BYTES, check_openvino
from onebox.errors import ModelError, first_line
from onebox.model_bytes import read_model_bytes
from onebox.model_card import METADATA_KEY
from onebox.optional import require
from onebox.outputs import INPUT

_DEVICE = "CPU"
# Without the precision hint, some processors compute in 16 bits, and boxes move.
_SETTINGS = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}


class OpenVinoEngine:
    """A model compiled by OpenVINO; see `Engine` for the attributes."""

    providers: tuple[Provider, ...] | None = None
    takes_batches = True  # `onebox export` leaves the first axis free

    def __init__(self, file: Path, threads: int) -> None:
        """Read and compile the file.

        Raises:
            ModelError: If it holds what a model of onebox has not, or OpenVINO cannot open it.
            OneboxError: If OpenVINO is not installed.
        """
        openvino = require("openvino", extra="openvino")
        core = openvino.Core()
        graph = read_model_bytes(file, MOST_GRAPH_BYTES)
        needed = check_openvino(graph, file)
        weights = read_model_bytes(file.with_suffix(".bin"))
        needed.check(len(weights), file)
        settings = {**_SETTINGS, "INFERENCE_NUM_THREADS": threads}
        try:
            model = core.read_model(graph, weights)
            self._compiled = core.compile_model(model, _DEVICE, settings)
        except RuntimeError as error:  # OpenVINO has no class of its own for errors
            raise ModelError(
                refusal(file, f"a model that OpenVINO {openvino.__version__}", error)
            ) from error
        self.file = file
        self.threads = threads
        self.metadata = _read_metadata(model)
        self.output_names = tuple(output.any_name for output in model.outputs)
        self._running = threading.Lock()  # a compiled model has one set of buffers

    def per_thread(self) -> Engine:
        """This engine: calls from several threads wait for each other."""
        return self

    def run(self, images: ndarray, outputs: Sequence[str]) -> list[ndarray]:
        """Run the network; see `Engine.run`.

        Raises:
            ModelError: If OpenVINO cannot run it.
        """
        try:
            with self._running:
                found = self._compiled({INPUT: images})
                return [found[name].copy() for name in outputs]
        except (KeyError, RuntimeError) as error:
            raise ModelError(
                f"{self.file}: OpenVINO could not run it ({first_line(error)}). Take smaller "
                "images, or export the model anew."
            ) from error


def _read_metadata(model: Any) -> str | None:  # noqa: ANN401 - an openvino.Model
    try:
        return str(model.get_rt_info(METADATA_KEY).astype(str))
    except RuntimeError:  # the model has no such entry
        return None
