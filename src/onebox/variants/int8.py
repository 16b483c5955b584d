"""``int8``: the backbone's weights and activations in 8 bits, the head unchanged.

Static quantization in ONNX's own form (QDQ: a pair of quantize and dequantize nodes around each
operator), so the file still runs wherever ONNX Runtime does. Validation images give the ranges of
the activations. The head is little of the arithmetic and turns feature maps into a box of subpixel
accuracy: it stays in floating point. So do the backbone's first layers: their few, dissimilar
channels cause most of the loss, and quantizing them saves no time.
"""

import logging
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from onebox.calibration.onnx_nodes import add_calibration, remove_calibration
from onebox.errors import ModelError, OneboxError, first_line
from onebox.files import write_atomically
from onebox.model_card import ModelCard, load_onnx, put_card
from onebox.optional import require
from onebox.outputs import INPUT
from onebox.variants.inputs import Pixels

BACKBONE = "network.backbone."
"""Prefix of the names of the backbone's weights in the file."""

FIRST_IN_FP32 = 3
"""Number of the backbone's first layers with weights that stay in floating point; what they cost
otherwise is in docs/decisions/0011-export-variants.md."""

_PREPROCESSING = "onnxruntime.quantization.shape_inference"  # the logger of `quant_pre_process`
_WEIGHTED = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
_QUANTIZED = _WEIGHTED | {"Add", "AveragePool", "Clip", "Concat", "MaxPool", "Relu"}


def write(model: Path, card: ModelCard, images: Iterable[Pixels], file: Path) -> None:
    """Quantize a model's backbone; images give the ranges of the activations.

    Raises:
        ModelError: If no weight has a name that says it is the backbone's.
        OneboxError: If onnx is not installed, or ONNX Runtime cannot quantize the model.
        ImageError: If an image cannot be read.
    """
    onnx = require("onnx", extra="int8")
    quantization = require("onnxruntime.quantization", extra="int8")
    with tempfile.TemporaryDirectory(dir=file.parent, ignore_cleanup_errors=True) as folder:
        prepared, uncalibrated = Path(folder) / "prepared.onnx", Path(folder) / "model.onnx"
        _write_uncalibrated(model, uncalibrated)
        # Shapes are known from the resizing on; symbolic shapes need sympy and add nothing.
        with _in_words(file), _logged_errors_raised():
            quantization.quant_pre_process(uncalibrated, prepared, skip_symbolic_shape=True)
            names = backbone_nodes(onnx.load(prepared).graph)
        if not names:
            raise ModelError(
                f"{model}: none of its weights is named {BACKBONE}..., so its backbone cannot be "
                "told from its head. Export it anew with onebox train."
            )
        inputs = ({INPUT: pixels[None]} for pixels in images)
        with _in_words(file):
            quantization.quantize_static(
                prepared,
                file,
                SimpleNamespace(get_next=partial(next, inputs, None)),  # all that it asks for
                quant_format=quantization.QuantFormat.QDQ,
                per_channel=True,
                # Unsigned times signed is what x86 multiplies fastest. Processors before VNNI add
                # up in 16 bits: with weights of 7 bits no sum overflows, and the file gives the
                # same outputs on every processor.
                activation_type=quantization.QuantType.QUInt8,
                reduce_range=True,
                weight_type=quantization.QuantType.QInt8,
                nodes_to_quantize=names,
            )
    _write_calibrated(file, card)


@contextmanager
def _in_words(file: Path) -> Iterator[None]:
    """Say in words that the quantizer failed, as at a temporary file that it cannot read.

    Raises:
        OneboxError: In place of an error of its own; the message names ``file`` and the reason.
        OSError: As it is: the caller names it.
        MemoryError: As it is.
    """
    try:
        yield
    except (OneboxError, OSError, MemoryError):
        raise
    except Exception as error:  # ONNX Runtime's own errors share no other parent
        raise OneboxError(
            f"{file}: ONNX Runtime could not quantize the model ({first_line(error)}). Check the "
            "disk of temporary files, and export it again."
        ) from error


@contextmanager
def _logged_errors_raised() -> Iterator[None]:
    """Raise what the preprocessing logs as an error: it goes on without optimizing the graph.

    Raises:
        RuntimeError: If it logged one; with its last line, which names the reason.
    """
    logger, records = logging.getLogger(_PREPROCESSING), list[str]()
    handler = logging.Handler(logging.ERROR)
    handler.emit = lambda record: records.append(record.getMessage())  # type: ignore[method-assign]
    propagates, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagates
    if records:
        raise RuntimeError(records[-1].strip().splitlines()[-1])


def _write_uncalibrated(model: Path, file: Path) -> None:
    """Without the nodes of the calibration, since quantization renames nodes."""
    content = load_onnx(model)
    remove_calibration(content)
    file.write_bytes(content.SerializeToString())


def _write_calibrated(file: Path, card: ModelCard) -> None:
    content = load_onnx(file)
    if card.calibration is not None:
        add_calibration(content, card.calibration, card.refined_calibration)
    put_card(content, card)
    write_atomically(file, content.SerializeToString())


def backbone_nodes(graph: Any) -> list[str]:  # noqa: ANN401 - an onnx.GraphProto
    """Names of the nodes to quantize: from the backbone's fourth layer up to the head's first.

    Nodes before the backbone (resizing, normalization) read no weights, and nodes after a weight
    of another part belong to that part: neither is quantized.
    """
    weights = {each.name for each in graph.initializer}
    of_backbone: set[str] = set()
    of_head: set[str] = set()
    chosen, layers = [], 0
    for node in graph.node:
        read = [name for name in node.input if name in weights and node.op_type in _WEIGHTED]
        is_ours = any(name.startswith(BACKBONE) for name in read)
        layers += is_ours
        if is_ours or not of_backbone.isdisjoint(node.input):
            of_backbone.update(node.output)
            if layers > FIRST_IN_FP32 and node.op_type in _QUANTIZED:
                chosen.append(node)
        if (read and not is_ours) or not of_head.isdisjoint(node.input):
            of_head.update(node.output)
    return [node.name for node in chosen if of_head.isdisjoint(node.output)]
