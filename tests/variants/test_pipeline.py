"""Variants of a model: what each is, and that none is kept which answers worse."""

import dataclasses
import importlib.util
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from PIL import Image

import onebox
from onebox import synthetic
from onebox.errors import DataError, ModelError, OneboxError, SettingError
from onebox.variants import gates, int8, openvino_ir, pipeline
from onebox.variants.packages import imported
from onebox.variants.pipeline import CALIBRATION_IMAGES, VARIANTS, make, place_of

needs_openvino = pytest.mark.skipif(
    importlib.util.find_spec("openvino") is None, reason="OpenVINO is not installed"
)


@pytest.fixture(scope="module")
def val(discs):
    return discs.part("val")


@pytest.fixture(scope="module")
def quantized(model_file, discs, tmp_path_factory):
    """The trained model in 8 bits, and what was measured of it."""
    out = tmp_path_factory.mktemp("int8") / "model.int8.onnx"
    return make(model_file, "int8", out, discs)


@pytest.fixture
def as_other(model_file, monkeypatch):
    """A variant that is written with one weight changed."""

    def write(source, file):
        model = onnx.load(model_file)
        [bias] = [one for one in model.graph.initializer if one.name.endswith("along_x.bins.bias")]
        values = onnx.numpy_helper.to_array(bias).copy()
        values[0] += 5
        bias.CopyFrom(onnx.numpy_helper.from_array(values, bias.name))
        onnx.save(model, file)

    def use(name):
        changed = dataclasses.replace(VARIANTS[name], write=write)
        monkeypatch.setattr(pipeline, "VARIANTS", {name: changed})

    return use


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


# --- int8 --------------------------------------------------------------------------------------


def test_the_backbone_is_in_8_bits_but_its_first_layers_and_the_head(quantized):
    kinds = list(kinds_of(quantized.file))
    backbone = [kind for name, kind in kinds if name.startswith("network.backbone.")]
    head = {kind for name, kind in kinds if not name.startswith("network.backbone.")}
    assert backbone[:3] == [np.dtype(np.float32)] * 3
    assert set(backbone[3:]) == {np.dtype(np.int8)}
    assert head == {np.dtype(np.float32)}


def test_weights_stay_within_7_bits_so_that_no_processor_cuts_sums_off(quantized):
    stored = onnx.load(quantized.file).graph.initializer
    weights = [onnx.numpy_helper.to_array(one) for one in stored]
    largest = max(int(np.abs(one.astype(int)).max()) for one in weights if one.dtype == np.int8)
    # Two products at a time are added in 16 bits: 2 * 255 * 64 = 32640 is below 32768
    assert 32 < largest <= 64


def test_an_int8_file_is_loaded_and_scores_as_any_other(quantized, val):
    localizer = onebox.load(quantized.file)
    measured = onebox.evaluate(localizer, val).overall
    assert measured.mean_iou == quantized.made.mean_iou
    assert measured.mean_iou > 0.7
    assert quantized.mean_iou_loss <= 0.005
    assert quantized.images == len(val)


def test_an_int8_file_says_what_it_is_and_scores_and_else_what_the_model_says(
    quantized, model_file, val
):
    made, given = (onebox.load(file).card for file in (quantized.file, model_file))
    assert made.metrics == {
        "val": onebox.evaluate(onebox.load(quantized.file), val).overall.as_json()
    }
    assert made.provenance["variant"] == {
        "name": "int8",
        "onnxruntime": onnxruntime.__version__,
        "calibration_images": len(val),
    }
    assert {**made.provenance, "variant": None} == {**given.provenance, "variant": None}
    same = {"provenance": {}, "metrics": {}}
    assert dataclasses.replace(made, **same) == dataclasses.replace(given, **same)


def test_an_int8_file_is_smaller_and_holds_no_path_of_the_machine(quantized, model_file):
    content = quantized.file.read_bytes()
    assert len(content) < 0.6 * model_file.stat().st_size
    assert quantized.made.size_mb == len(content) / 1e6
    assert quantized.fp32.size_mb == model_file.stat().st_size / 1e6
    for path in (Path.home(), model_file.parent, quantized.file.parent):
        assert str(path).encode() not in content


def test_the_model_itself_is_left_as_it_was_and_nothing_else_is_beside(quantized):
    assert [file.name for file in quantized.file.parent.iterdir()] == ["model.int8.onnx"]


@pytest.mark.parametrize("before", [None, "an earlier variant"])
def test_too_large_a_loss_is_refused_with_its_number_and_nothing_is_written(
    before, as_other, model_file, quantized, discs, tmp_path
):
    out = tmp_path / "model.int8.onnx"
    if before is not None:
        shutil.copy(quantized.file, out)
    as_other("int8")
    with pytest.raises(ModelError) as refused:
        make(model_file, "int8", out, discs)
    message = str(refused.value)
    assert message.startswith(f"{out}: its mean IoU on 12 validation images is 0.")
    assert "more than the 0.005 allowed; nothing was written" in message
    assert refused.value.exit_code == 4
    left = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert left == ({} if before is None else {out.name: quantized.file.read_bytes()})


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (None, "no data set is given. Name one by --data"),
        ("test", "has no validation images"),
    ],
)
def test_int8_without_validation_images_is_refused(data, said, model_file, discs, tmp_path):
    given = None if data is None else discs.part(data)
    with pytest.raises(DataError, match=said):
        make(model_file, "int8", tmp_path / "model.int8.onnx", given)
    assert list(tmp_path.iterdir()) == []


def test_int8_needs_boxes_to_be_judged_by(as_other, model_file, val, tmp_path):
    as_other("int8")
    without = [dataclasses.replace(sample, box=None, label=None) for sample in val]
    data = dataclasses.replace(val, samples=tuple(without))
    with pytest.raises(DataError, match="no validation image has a box"):
        make(model_file, "int8", tmp_path / "model.int8.onnx", data)


def test_a_model_whose_backbone_cannot_be_told_is_refused(model_file, discs, tmp_path, monkeypatch):
    monkeypatch.setattr(int8, "BACKBONE", "trunk.")
    with pytest.raises(ModelError, match=r"none of its weights is named trunk\."):
        make(model_file, "int8", tmp_path / "model.int8.onnx", discs)
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


def test_without_onnx_the_error_says_how_to_get_it_before_the_work(
    model_file, discs, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "onnx", None)
    begun = []

    def stage(name):
        begun.append(name)
        return pipeline._unseen(name)

    with pytest.raises(OneboxError, match=r"pip install 'onebox\[int8\]'"):
        make(model_file, "int8", tmp_path / "model.int8.onnx", discs, stage=stage)
    assert begun == []
    assert list(tmp_path.iterdir()) == []


# --- fp32 and the gate of parity ---------------------------------------------------------------


def test_fp32_is_the_file_itself(model_file, tmp_path):
    comparison = make(model_file, "fp32", tmp_path / "copy.onnx")
    assert (tmp_path / "copy.onnx").read_bytes() == model_file.read_bytes()
    assert (comparison.parity_px, comparison.size_ratio) == (0, 1)
    assert (comparison.images, comparison.mean_iou_loss) == (0, None)


def test_with_data_fp32_is_measured_too(model_file, discs, trained_run, tmp_path):
    comparison = make(model_file, "fp32", tmp_path / "copy.onnx", discs)
    assert comparison.fp32.mean_iou == trained_run.metrics["val"]["mean_iou"]
    assert (comparison.images, comparison.mean_iou_loss) == (12, 0)


def test_another_answer_is_refused_with_the_difference(as_other, model_file, tmp_path):
    as_other("fp32")
    with pytest.raises(ModelError, match=r"differ from the model's by \d+\.\d{3} px, more than"):
        make(model_file, "fp32", tmp_path / "copy.onnx")
    assert list(tmp_path.iterdir()) == []


# --- openvino ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def converted(model_file, discs, tmp_path_factory):
    """The trained model as OpenVINO IR."""
    out = tmp_path_factory.mktemp("openvino") / "model.openvino.xml"
    return make(model_file, "openvino", out, discs)


@needs_openvino
def test_openvino_answers_as_onnx_runtime_does(converted, val, trained_run):
    assert 0 < converted.parity_px < 0.01
    assert converted.made.mean_iou == pytest.approx(
        trained_run.metrics["val"]["mean_iou"], abs=1e-4
    )
    ours, theirs = openvino_ir.load(converted.file), onebox.load(trained_run.model)
    for sample in val:
        image = np.asarray(sample.image)
        assert ours.predict(image).box == pytest.approx(theirs.predict(image).box, abs=0.01)
        assert ours.predict(image).label == theirs.predict(image).label


@needs_openvino
def test_an_ir_is_two_files_and_says_what_it_is(converted, model_file):
    files = sorted(converted.file.parent.iterdir())
    assert [file.name for file in files] == ["model.openvino.bin", "model.openvino.xml"]
    assert converted.made.size_mb == sum(file.stat().st_size for file in files) / 1e6
    facts = openvino_ir.load(converted.file).card
    assert facts.provenance["variant"].keys() == {"name", "openvino"}
    assert facts.metrics == onebox.load(model_file).card.metrics
    assert str(model_file.parent).encode() not in converted.file.read_bytes()


@needs_openvino
def test_an_ir_is_made_anew_over_an_earlier_one_but_over_no_others_weights(
    converted, model_file, tmp_path
):
    out = tmp_path / "model.xml"
    (tmp_path / "model.bin").write_bytes(b"firmware")
    with pytest.raises(SettingError, match=r"model\.bin: exists already"):
        make(model_file, "openvino", out)
    shutil.copy(converted.file, out)
    shutil.copy(converted.file.with_suffix(".bin"), tmp_path / "model.bin")
    make(model_file, "openvino", out)
    out.write_text("<annotation></annotation>")
    with pytest.raises(SettingError, match=r"model\.xml: exists already"):
        make(model_file, "openvino", out)


@needs_openvino
def test_the_program_in_the_document_gives_the_box_of_predict(
    converted, model_file, val, tmp_path, monkeypatch
):
    text = (Path(__file__).parents[2] / "docs/export.md").read_text("utf-8")
    [program] = re.findall(r"<!-- openvino -->\n```python\n(.*?)```", text, re.DOTALL)
    for file in converted.file.parent.iterdir():
        shutil.copy(file, tmp_path)
    image = Image.fromarray(np.asarray(val.samples[0].image)).resize((200, 150))
    image.save(tmp_path / "cat.jpg", "PNG")
    monkeypatch.chdir(tmp_path)
    imported("openvino")  # here, so that the program's own import reports nothing
    names = {}
    exec(program, names)  # noqa: S102 - our own document
    assert names["blocks"] == [3, 2]  # 200 // 64 and 150 // 64
    found = [float(edge) for edge in names["found"]["box"][0] * [3, 2, 3, 2]]
    assert found == pytest.approx(onebox.load(model_file).predict("cat.jpg").box, abs=0.01)


_OFFLINE = """
import socket, sys

def refuse(*words):
    raise SystemExit("something opened a connection")

socket.socket.connect = socket.getaddrinfo = refuse
from onebox.variants.packages import imported

openvino = imported("openvino")
assert openvino.Core().available_devices
print(*(name for name in sys.modules if name.startswith("openvino_telemetry")))
"""


@needs_openvino
def test_openvino_is_imported_without_what_reports_its_use():
    ended = subprocess.run(
        [sys.executable, "-c", _OFFLINE], capture_output=True, text=True, check=True
    )
    assert (ended.stdout.strip(), ended.stderr) == ("", "")


_REPORTS = """
try:
    import openvino_telemetry
    reports = True
except ImportError:
    reports = False
"""


def test_what_reports_is_hidden_from_an_import_and_given_back(tmp_path, monkeypatch):
    (tmp_path / "openvino_telemetry.py").write_text("")
    (tmp_path / "imported_here.py").write_text(_REPORTS)
    monkeypatch.syspath_prepend(tmp_path)
    kept = object()
    monkeypatch.setitem(sys.modules, "openvino_telemetry", kept)
    try:
        assert imported("imported_here").reports is False
    finally:
        del sys.modules["imported_here"]
    assert sys.modules["openvino_telemetry"] is kept


def test_without_openvino_the_error_says_how_to_get_it(model_file, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(OneboxError, match=r"pip install 'onebox\[openvino\]'"):
        make(model_file, "openvino", tmp_path / "model.xml")
    assert list(tmp_path.iterdir()) == []


# --- what is asked for -------------------------------------------------------------------------


def test_a_variants_place_is_beside_the_model():
    model = Path("runs/cats/model.onnx")
    places = {name: str(place_of(model, name)) for name in VARIANTS}
    assert places == {
        "fp32": str(Path("runs/cats/model.fp32.onnx")),
        "int8": str(Path("runs/cats/model.int8.onnx")),
        "openvino": str(Path("runs/cats/model.openvino.xml")),
    }


def test_an_unknown_variant_is_named_with_those_there_are(model_file, tmp_path):
    with pytest.raises(SettingError, match=r"'int4' is not one of fp32, int8, openvino\. Did you"):
        make(model_file, "int4", tmp_path / "model.onnx")


def test_no_trained_model_is_replaced_and_no_file_of_another_kind(model_file, quantized, tmp_path):
    model, other = tmp_path / "model.onnx", tmp_path / "other.onnx"
    shutil.copy(model_file, model)
    with pytest.raises(SettingError, match="is the model itself"):
        make(model, "fp32", model)
    with pytest.raises(SettingError, match=r"does not end in \.onnx"):
        make(model, "fp32", tmp_path / "model.txt")
    for content in (b"notes", retrained(model_file, tmp_path)):
        other.write_bytes(content)
        with pytest.raises(SettingError, match="exists already and is no earlier variant"):
            make(model, "fp32", other)
        assert other.read_bytes() == content
    shutil.copy(quantized.file, other)
    make(model, "fp32", other)
    assert other.read_bytes() == model.read_bytes()


def retrained(model_file, folder):
    """The bytes of another model that was trained."""
    shutil.copy(model_file, folder / "again.onnx")
    facts = onebox.load(model_file).card
    int8.sign(folder / "again.onnx", dataclasses.replace(facts, classes=("owl",)))
    return (folder / "again.onnx").read_bytes()


def test_hog_windows_have_no_variants(monkeypatch, tmp_path):
    monkeypatch.setattr(pipeline, "load", lambda path: "windows")
    with pytest.raises(ModelError, match="holds HOG windows"):
        make(tmp_path / "model.npz", "fp32", tmp_path / "copy.onnx")


def test_a_folder_that_is_not_there_is_an_error_with_its_reason(model_file, tmp_path):
    with pytest.raises(OneboxError, match="No such file or directory"):
        make(model_file, "fp32", tmp_path / "nowhere/copy.onnx")


def test_more_images_than_calibration_takes_are_thinned(model_file, tmp_path, monkeypatch):
    seen = []

    def write(source, file):
        seen.append(len(list(source.images())))
        shutil.copy(model_file, file)

    variant = dataclasses.replace(VARIANTS["int8"], write=write)
    monkeypatch.setattr(pipeline, "VARIANTS", {"int8": variant})
    monkeypatch.setattr(pipeline, "CALIBRATION_IMAGES", 5)
    many = synthetic.dataset("synth:blobs", size=32, counts={"val": 12})
    comparison = make(model_file, "int8", tmp_path / "model.int8.onnx", many)
    facts = onebox.load(comparison.file).card
    assert (seen, comparison.images) == ([5], 12)
    assert facts.provenance["variant"]["calibration_images"] == 5
    assert CALIBRATION_IMAGES >= 100


def test_the_limits_are_those_that_are_promised():
    assert (gates.PARITY_PX, gates.MOST_LOSS, pipeline.PARITY_IMAGES) == (0.1, 0.005, 32)


def test_what_is_compared_is_json(quantized):
    told = json.loads(json.dumps(quantized.as_json()))
    assert told["made"]["mean_iou"] == quantized.made.mean_iou
    assert told["mean_iou_loss"] == quantized.fp32.mean_iou - quantized.made.mean_iou
    assert told["latency_ratio"] == quantized.made.latency_ms / quantized.fp32.latency_ms
