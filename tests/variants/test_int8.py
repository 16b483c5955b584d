"""``int8``: which layers are quantized, and to how many bits."""

from pathlib import Path

import numpy as np
import onnx
import pytest

import onebox
from onebox.errors import OneboxError
from onebox.variants import int8


def kinds_of(file):
    """The name and the type of the numbers that each operator with weights reads, in order."""
    graph = onnx.load(file).graph
    made_by = {output: node for node in graph.node for output in node.output}
    stored = {one.name: onnx.numpy_helper.to_array(one) for one in graph.initializer}
    for node in graph.node:
        if node.op_type in {"Conv", "Gemm"}:
            name = node.input[1]
            while name in made_by:  # through the node that makes floats of it
                name = made_by[name].input[0]
            yield name, stored[name].dtype


@pytest.mark.train
def test_the_backbone_is_in_8_bits_but_its_first_layers_and_the_head(quantized):
    kinds = list(kinds_of(quantized.file))
    backbone = [kind for name, kind in kinds if name.startswith("network.backbone.")]
    head = {kind for name, kind in kinds if not name.startswith("network.backbone.")}
    assert backbone[:3] == [np.dtype(np.float32)] * 3
    assert set(backbone[3:]) == {np.dtype(np.int8)}
    assert head == {np.dtype(np.float32)}


@pytest.mark.train
def test_weights_stay_within_7_bits_so_that_no_processor_cuts_sums_off(quantized):
    stored = onnx.load(quantized.file).graph.initializer
    weights = [onnx.numpy_helper.to_array(one) for one in stored]
    largest = max(int(np.abs(one.astype(int)).max()) for one in weights if one.dtype == np.int8)
    # Two products at a time are added in 16 bits: 2 * 255 * 64 = 32640 is below 32768
    assert 32 < largest <= 64


@pytest.mark.train
def test_an_int8_file_is_smaller_and_holds_no_path_of_the_machine(quantized, model_file):
    content = quantized.file.read_bytes()
    assert len(content) < 0.6 * model_file.stat().st_size
    assert quantized.made.size_mb == len(content) / 1e6
    assert quantized.fp32.size_mb == model_file.stat().st_size / 1e6
    for path in (Path.home(), model_file.parent, quantized.file.parent):
        assert str(path).encode() not in content


def test_a_quantizer_that_fails_is_named_with_its_reason(bright_file, tmp_path, monkeypatch):
    def fail(*args, **options):
        raise RuntimeError("Unable to open proto file: a.onnx")

    monkeypatch.setattr("onnxruntime.quantization.quant_pre_process", fail)
    with pytest.raises(OneboxError) as caught:
        int8.write(bright_file, onebox.load(bright_file).card, [], tmp_path / "new.onnx")
    assert str(caught.value) == (
        f"{tmp_path / 'new.onnx'}: ONNX Runtime could not quantize the model (Unable to open proto "
        "file: a.onnx). Check the disk of temporary files, and export it again."
    )
    assert list(tmp_path.iterdir()) == []


def test_what_is_quantised_begins_with_the_backbones_fourth_layer_and_ends_with_the_head():
    def node(kind, name, *inputs):
        return onnx.helper.make_node(kind, [*inputs], [name], name=name)

    nodes = [
        node("Div", "normalise", "image", "network.backbone.std"),
        node("Conv", "stem", "normalise", "network.backbone.stem.weight"),
        node("Relu", "bent", "stem"),
        node("Conv", "second", "bent", "network.backbone.second.weight"),
        node("Conv", "third", "second", "network.backbone.third.weight"),
        node("Relu", "bent again", "third"),
        node("Conv", "fourth", "bent again", "network.backbone.fourth.weight"),
        node("Add", "sum", "fourth", "bent"),
        node("ReduceMean", "pooled", "sum"),
        node("Gemm", "label", "pooled", "network.class_head.weight"),
        node("Conv", "fine", "bent", "network.vectorizer.fine.weight"),
        node("Add", "fused", "fine", "sum"),
        node("Relu", "out", "fused"),
    ]
    weights = [
        onnx.numpy_helper.from_array(np.zeros(1, np.float32), name)
        for each in nodes
        for name in each.input
        if name.startswith("network.")
    ]
    graph = onnx.helper.make_graph(nodes, "g", [], [], weights)
    assert int8.backbone_nodes(graph) == ["fourth", "sum"]


def test_a_graph_that_could_not_be_optimized_is_not_quantized_without_a_word(
    bright_file, tmp_path, monkeypatch, caplog
):
    def fail(*words, **named):
        raise RuntimeError("Load model failed: Input/output error")

    card, out = onebox.load(bright_file).card, tmp_path / "new.onnx"
    monkeypatch.setattr("onnxruntime.InferenceSession", fail)
    message = r"new\.onnx: ONNX Runtime could not quantize the model \(.*Input/output error\)"
    with pytest.raises(OneboxError, match=message):
        int8.write(bright_file, card, [], out)
    assert list(tmp_path.iterdir()) == []
    assert caplog.text == ""
