"""Making variants: none is kept that does not pass its gate."""

import dataclasses
import errno
import json
import os
import shutil
import sys
from pathlib import Path

import onnx
import onnxruntime
import pytest

import onebox
from onebox import synthetic
from onebox.errors import DataError, ModelError, OneboxError, SettingError
from onebox.formats.splitting import hold_out_calibration
from onebox.model_card import write_card
from onebox.variants import int8, pipeline
from onebox.variants.pipeline import CALIBRATION_IMAGES, VARIANTS, default_path, make

pytestmark = pytest.mark.train


@pytest.fixture
def as_other(monkeypatch):
    """A variant that is written with one weight changed."""

    def write(model, card, images, file):
        model = onnx.load(model)
        [bias] = [one for one in model.graph.initializer if one.name.endswith("along_x.bins.bias")]
        values = onnx.numpy_helper.to_array(bias).copy()
        values[0] += 5
        bias.CopyFrom(onnx.numpy_helper.from_array(values, bias.name))
        onnx.save(model, file)

    def use(name):
        changed = dataclasses.replace(VARIANTS[name], write=write)
        monkeypatch.setattr(pipeline, "VARIANTS", {name: changed})

    return use


def test_an_int8_file_is_loaded_and_scores_as_any_other(quantized, val):
    localizer = onebox.load(quantized.file)
    measured = onebox.evaluate(localizer, val).overall
    assert measured.mean_iou == quantized.made.mean_iou
    assert measured.mean_iou > 0.7
    assert quantized.mean_iou_loss <= 0.005
    assert quantized.images == len(val)


def test_the_card_of_int8_differs_from_the_models_in_provenance_metrics_and_calibration(
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
    # Its outputs differ from the model's, so the same images calibrate it anew.
    assert made.calibration.images == given.calibration.images == 12
    assert made.calibration.spreads != given.calibration.spreads
    same = {"provenance": {}, "metrics": {}, "calibration": None}
    assert dataclasses.replace(made, **same) == dataclasses.replace(given, **same)


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
    ("data", "error", "words"),
    [
        (None, SettingError, "no data set is given. Name one by --data"),
        ("test", DataError, "has no validation images"),
    ],
)
def test_int8_without_validation_images_is_refused(data, error, words, model_file, discs, tmp_path):
    given = None if data is None else discs.part(data)
    with pytest.raises(error, match=words):
        make(model_file, "int8", tmp_path / "model.int8.onnx", given)
    assert list(tmp_path.iterdir()) == []


def test_int8_needs_boxes_to_be_measured_on(as_other, model_file, val, tmp_path):
    as_other("int8")
    without = [dataclasses.replace(sample, box=None, label=None) for sample in val]
    data = dataclasses.replace(val, samples=tuple(without))
    with pytest.raises(DataError, match="no validation image has a box"):
        make(model_file, "int8", tmp_path / "model.int8.onnx", data)


def test_a_model_without_names_of_backbone_weights_is_refused(
    model_file, discs, tmp_path, monkeypatch
):
    monkeypatch.setattr(int8, "BACKBONE", "trunk.")
    with pytest.raises(ModelError, match=r"none of its weights is named trunk\."):
        make(model_file, "int8", tmp_path / "model.int8.onnx", discs)
    assert list(tmp_path.iterdir()) == []


def test_without_onnx_the_error_comes_first_and_says_how_to_install_it(
    model_file, discs, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "onnx", None)
    begun = []

    def stage(name):
        begun.append(name)
        return pipeline._silent(name)

    with pytest.raises(OneboxError, match=r"pip install 'onebox\[int8\]'"):
        make(model_file, "int8", tmp_path / "model.int8.onnx", discs, stage=stage)
    assert begun == []
    assert list(tmp_path.iterdir()) == []


def test_fp32_is_a_copy_of_the_file(model_file, tmp_path):
    comparison = make(model_file, "fp32", tmp_path / "copy.onnx")
    assert (tmp_path / "copy.onnx").read_bytes() == model_file.read_bytes()
    assert (comparison.parity_px, comparison.size_ratio) == (0, 1)
    assert (comparison.images, comparison.mean_iou_loss) == (0, None)


def test_with_data_fp32_is_measured_too(model_file, discs, trained_run, tmp_path):
    comparison = make(model_file, "fp32", tmp_path / "copy.onnx", discs)
    assert comparison.fp32.mean_iou == trained_run.metrics["val"]["mean_iou"]
    assert (comparison.images, comparison.mean_iou_loss) == (12, 0)


def test_images_that_training_takes_for_calibration_choose_no_variant(model_file, tmp_path):
    data = synthetic.dataset("synth:blobs", size=64, counts={"val": 20})
    comparison = make(model_file, "fp32", tmp_path / "copy.onnx", data)
    left = hold_out_calibration(data).part("val")
    assert comparison.images == len(left) == 10
    measured = onebox.evaluate(onebox.load(model_file), left).overall
    assert comparison.fp32.mean_iou == measured.mean_iou


def test_other_outputs_are_refused_with_the_difference(as_other, model_file, tmp_path):
    as_other("fp32")
    with pytest.raises(ModelError, match=r"differ from the model's by \d+\.\d{3} px, more than"):
        make(model_file, "fp32", tmp_path / "copy.onnx")
    assert list(tmp_path.iterdir()) == []


def test_the_default_path_of_a_variant_is_beside_the_model():
    model = Path("runs/cats/model.onnx")
    paths = {name: str(default_path(model, name)) for name in VARIANTS}
    assert paths == {
        "fp32": str(Path("runs/cats/model.fp32.onnx")),
        "int8": str(Path("runs/cats/model.int8.onnx")),
        "openvino": str(Path("runs/cats/model.openvino.xml")),
    }


def test_the_error_for_an_unknown_variant_lists_the_variants(model_file, tmp_path):
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


@pytest.mark.parametrize("reader", ["read_bytes", "the engine"])
def test_an_earlier_variant_that_cannot_be_read_is_not_called_another_file(
    reader, model_file, quantized, tmp_path, monkeypatch
):
    out = tmp_path / "out.onnx"
    shutil.copy(quantized.file, out)
    broken = OSError(errno.EIO, os.strerror(errno.EIO))  # of a read: it names no file
    if reader == "read_bytes":
        read = Path.read_bytes

        def fail(path):
            if path == out:
                raise broken
            return read(path)

        monkeypatch.setattr(Path, "read_bytes", fail)
    else:
        load = pipeline.load

        def refuse(path):
            if path == out:
                raise ModelError(f"{path}: cannot be read (Input/output error).") from broken
            return load(path)

        monkeypatch.setattr(pipeline, "load", refuse)
    with pytest.raises(OneboxError, match=r"out\.onnx: cannot be read \(Input/output error\)"):
        make(model_file, "fp32", out)
    monkeypatch.undo()
    assert out.read_bytes() == quantized.file.read_bytes()


def test_a_folder_of_temporary_files_that_could_not_be_removed_does_not_matter(
    model_file, tmp_path, monkeypatch
):
    def write(model, card, images, file):
        shutil.copyfile(model, file)
        (file.parent / "tmp1").mkdir()

    changed = dataclasses.replace(VARIANTS["fp32"], write=write)
    monkeypatch.setattr(pipeline, "VARIANTS", {"fp32": changed})
    comparison = make(model_file, "fp32", tmp_path / "out.onnx")
    assert comparison.made.size_mb == comparison.fp32.size_mb
    assert [path.name for path in tmp_path.iterdir()] == ["out.onnx"]


def retrained(model_file, folder):
    """The bytes of another model that was trained."""
    shutil.copy(model_file, folder / "again.onnx")
    card = dataclasses.replace(onebox.load(model_file).card, classes=("owl",))
    write_card(folder / "again.onnx", card)
    return (folder / "again.onnx").read_bytes()


def test_hog_windows_have_no_variants(monkeypatch, tmp_path):
    monkeypatch.setattr(pipeline, "load", lambda path: "windows")
    with pytest.raises(ModelError, match="holds HOG windows"):
        make(tmp_path / "model.npz", "fp32", tmp_path / "copy.onnx")


def test_a_missing_folder_is_an_error_with_its_reason(model_file, tmp_path):
    with pytest.raises(OneboxError, match="No such file or directory"):
        make(model_file, "fp32", tmp_path / "nowhere/copy.onnx")


def test_calibration_takes_at_most_so_many_images_evenly_spread(model_file, tmp_path, monkeypatch):
    seen = []

    def write(model, card, images, file):
        seen.append(len(list(images)))
        shutil.copy(model, file)

    variant = dataclasses.replace(VARIANTS["int8"], write=write)
    monkeypatch.setattr(pipeline, "VARIANTS", {"int8": variant})
    monkeypatch.setattr(pipeline, "CALIBRATION_IMAGES", 5)
    many = synthetic.dataset("synth:blobs", size=32, counts={"val": 12})
    comparison = make(model_file, "int8", tmp_path / "model.int8.onnx", many)
    card = onebox.load(comparison.file).card
    assert (seen, comparison.images) == ([5], 12)
    assert card.provenance["variant"]["calibration_images"] == 5
    assert CALIBRATION_IMAGES >= 100


def test_a_comparison_is_json(quantized):
    printed = json.loads(json.dumps(quantized.as_json()))
    assert printed["made"]["mean_iou"] == quantized.made.mean_iou
    assert printed["mean_iou_loss"] == quantized.fp32.mean_iou - quantized.made.mean_iou
    assert printed["latency_ratio"] == quantized.made.latency_ms / quantized.fp32.latency_ms
