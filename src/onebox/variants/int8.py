"""``int8``: the backbone's weights and activations in 8 bits, the head as it was.

Static quantisation in ONNX's own form (QDQ: a pair of quantise and dequantise nodes around each
operator), so that the file still runs wherever ONNX Runtime does. The ranges of the activations
are what the validation images show. The head, little of the arithmetic, turns feature maps into
a box of subpixel exactness, and stays in floating point. So do the backbone's first layers: their
few and unlike channels cost most of what is lost, and gain no time.
"""

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from numpy import ndarray

from onebox.errors import ModelError
from onebox.model_card import METADATA_KEY, ModelCard
from onebox.outputs import INPUT
from onebox.variants.packages import imported
from onebox.variants.source import Source

BACKBONE = "network.backbone."
"""How the names of the backbone's weights begin in the file."""

FIRST_IN_FP32 = 3
"""How many of the backbone's first layers with weights stay as they are."""

_WEIGHTED = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
_QUANTIZED = _WEIGHTED | {"Add", "AveragePool", "Clip", "Concat", "MaxPool", "Relu"}


def write(source: Source, file: Path) -> None:
    """Quantise a model's backbone.

    Args:
        source: The model; its images are shown to it, to see the ranges of the activations.
        file: Is written, with the source's facts.

    Raises:
        ModelError: If the file does not say which of its weights are the backbone's.
        OneboxError: If onnx is not installed.
        ImageError: If an image cannot be read.
    """
    onnx, quantization = imported("onnx"), imported("onnxruntime.quantization")
    with tempfile.TemporaryDirectory(dir=file.parent) as folder:
        prepared = Path(folder) / "prepared.onnx"
        # The graph's sizes are known from the resizing on: symbols, which need sympy, tell no more.
        quantization.quant_pre_process(source.model, prepared, skip_symbolic_shape=True)
        names = backbone_nodes(onnx.load(prepared).graph)
        if not names:
            raise ModelError(
                f"{source.model}: none of its weights is named {BACKBONE}..., so that its backbone "
                "cannot be told from its head. Export it anew with onebox train."
            )
        quantization.quantize_static(
            prepared,
            file,
            _Reader({INPUT: pixels[None]} for pixels in source.images()),
            quant_format=quantization.QuantFormat.QDQ,
            per_channel=True,
            # Unsigned times signed is what x86 multiplies fastest. Where it adds up in 16 bits
            # (before VNNI), weights of 7 bits keep sums from being cut off: the file answers alike
            # on every processor.
            activation_type=quantization.QuantType.QUInt8,
            reduce_range=True,
            weight_type=quantization.QuantType.QInt8,
            nodes_to_quantize=names,
        )
    sign(file, source.card)


def sign(file: Path, facts: ModelCard) -> None:
    """Put facts into an ONNX file's metadata, in place of everything that stood there."""
    onnx = imported("onnx")
    model = onnx.load(file)
    onnx.helper.set_model_props(model, {METADATA_KEY: facts.as_json()})
    onnx.save(model, file)


def backbone_nodes(graph: Any) -> list[str]:  # noqa: ANN401 - an onnx.GraphProto
    """The names of the nodes to quantise: from the backbone's fourth layer to the head's first.

    What comes before the backbone (resizing, normalising) reads no weights, and what follows a
    weight of another part belongs to that part; both stay as they are.

    Args:
        graph: An ``onnx.GraphProto``, its nodes in an order in which they can run.
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


class _Reader:
    """Hands images over in the way that ONNX Runtime asks for them."""

    def __init__(self, inputs: Iterator[Mapping[str, ndarray]]) -> None:
        self._inputs = inputs

    def get_next(self) -> Mapping[str, ndarray] | None:
        """The next inputs of the graph; None after the last."""
        return next(self._inputs, None)
