"""`onebox export`: the file of a variant, and its comparison with the model."""

import json
import shutil
from pathlib import Path

import pytest

import onebox
from onebox import formats, synthetic
from onebox.cli import export
from onebox.variants import gates
from onebox.variants.comparison import Comparison, Form

pytestmark = pytest.mark.train

COUNTS = {"train": 2, "val": 4, "test": 3}
TABLE = """\
model.int8.onnx
          size_mb  latency_ms  mean_iou  class_accuracy
  model      8.00       2.000    0.8000          1.0000
  int8       2.00       1.000    0.7975          0.9800
  change    0.25x       0.50x   -0.0025
"""


@pytest.fixture
def workshop(model_file, tmp_path, monkeypatch):
    """A working folder with model.onnx and discs/labels.csv."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(model_file, "model.onnx")
    samples = synthetic.dataset("synth:blobs", size=64, seed=1, counts=COUNTS)
    saved = synthetic.save(samples, tmp_path / "discs", sum(COUNTS.values()))
    formats.write(onebox.Dataset(saved, samples.classes), tmp_path / "discs/labels.csv", "csv")
    return tmp_path


def compared(latency_ms=1.0, mean_iou=0.7975):
    forms = Form(8.0, 2.0, 0.8, 1.0), Form(2.0, latency_ms, mean_iou, 0.98)
    return Comparison("int8", Path("model.int8.onnx"), 40, 1.5, *forms)


def test_int8_is_written_beside_the_model_and_predicts(run, workshop):
    code, out, err = run("export", "model.onnx", "--to", "int8", "--data", "discs", "--json")
    result = json.loads(out)
    assert (code, result["variant"], result["images"]) == (0, "int8", COUNTS["val"])
    assert result["file"] == "model.int8.onnx"
    assert result["made"]["size_mb"] == (workshop / "model.int8.onnx").stat().st_size / 1e6
    assert sorted(result) == sorted(compared().as_json())
    assert "error" not in err
    evaluated = ["evaluate", result["file"], "discs", "--split", "val", "--json"]
    assert json.loads(run(*evaluated)[1])["mean_iou"] == result["made"]["mean_iou"]
    assert sorted(path.name for path in workshop.iterdir()) == [
        *("discs", "model.int8.onnx", "model.onnx"),
    ]


def test_the_table_compares_the_variant_with_the_model(run, workshop, monkeypatch):
    monkeypatch.setattr(export, "make", lambda *words, **named: compared())
    code, out, err = run("export", "model.onnx", "--to", "int8", "--data", "discs")
    assert (code, out, err) == (0, TABLE, "")


def test_an_unknown_metric_is_a_dash(run, workshop):
    code, out, _ = run("export", "model.onnx", "--to", "fp32", "--out", "new/copy.onnx")
    title, _, given, made, change = out.splitlines()
    assert (code, title) == (0, "new/copy.onnx")
    for line in (given, made):
        assert line.split()[3:] == ["-", "-"]
    assert (change.split()[:2], change.split()[-1]) == (["change", "1.00x"], "-")
    assert Path("new/copy.onnx").read_bytes() == Path("model.onnx").read_bytes()


@pytest.mark.parametrize(
    ("latency_ms", "message"),
    [
        (3.0, "note: int8 is no faster on this machine: it takes 1.50 times as long.\n"),
        (1.9, ""),
    ],
)
def test_a_slower_variant_has_a_note(latency_ms, message, run, workshop, monkeypatch):
    monkeypatch.setattr(export, "make", lambda *words, **named: compared(latency_ms))
    assert run("export", "model.onnx", "--to", "int8")[2] == message


def test_too_large_a_loss_ends_with_4_and_is_printed(run, workshop, monkeypatch):
    monkeypatch.setattr(gates, "MAX_LOSS", -1.0)
    words = ["export", "model.onnx", "--to", "int8", "--data", "discs", "--out", "small.onnx"]
    code, out, err = run(*words)
    assert (code, out) == (4, "")
    assert "error: small.onnx: its mean IoU on 4 validation images is 0." in err
    assert not Path("small.onnx").exists()


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (
            ["model.onnx", "--to", "int4"],
            2,
            "is not one of fp32, int8, openvino. Did you mean int8",
        ),
        (["model.onnx"], 2, "--to"),
        (["model.onnx", "--to", "int8"], 2, "no data set is given. Name one by --data."),
        (["model.onnx", "--to", "fp32", "--out", "model.onnx"], 2, "is the model itself"),
        (["model.onnx", "--to", "fp32", "--out", "discs/labels.csv"], 2, "does not end in .onnx"),
        (["nowhere.onnx", "--to", "fp32"], 4, "nowhere.onnx: does not exist"),
        (["model.onnx", "--to", "fp32", "--data", "nowhere.csv"], 3, "there is no such file"),
    ],
)
def test_an_error_has_a_message_and_writes_nothing(words, code, message, run, workshop):
    before = sorted(workshop.rglob("*"))
    ended, out, err = run("export", *words)
    assert (ended, out) == (code, "")
    assert message in err
    assert "Traceback" not in err
    assert sorted(workshop.rglob("*")) == before


def test_data_without_validation_images_ends_with_3(run, workshop):
    labels = workshop / "discs/labels.csv"
    labels.write_text(labels.read_text().replace(",val\n", ",test\n"))
    code, _, err = run("export", "model.onnx", "--to", "int8", "--data", labels)
    assert code == 3
    assert "has no validation images, and 'int8' is measured on them" in err
