"""``openvino``: the graph as OpenVINO IR, an ``.xml`` with the weights in a ``.bin`` beside it.

OpenVINO's own ONNX front end reads the model. ``openvino.convert_model`` does the same, and reports
its use to OpenVINO's makers. Weights stay in fp32.
"""

from collections.abc import Iterable
from pathlib import Path

from onebox.errors import OneboxError, first_line
from onebox.model_bytes import read_model_bytes
from onebox.model_card import METADATA_KEY, ModelCard
from onebox.optional import require
from onebox.variants.inputs import Pixels


def write(model: Path, card: ModelCard, _: Iterable[Pixels], file: Path) -> None:
    """Convert a model; the weights lie beside the ``.xml``.

    Raises:
        ModelError: If the model cannot be read.
        OneboxError: If OpenVINO is not installed, or the file cannot be written.
    """
    openvino = require("openvino", extra="openvino")
    # From its bytes: where it cannot read a file, it raises an error of its own without a reason.
    graph = openvino.Core().read_model(read_model_bytes(model))
    graph.set_rt_info(card.as_json(), METADATA_KEY)
    try:
        openvino.save_model(graph, file, compress_to_fp16=False)
    except RuntimeError as error:  # what its streams make of a full disk
        raise OneboxError(
            f"{file}: cannot be written ({first_line(error)}). Free space on the disk, or choose "
            "another folder."
        ) from error
