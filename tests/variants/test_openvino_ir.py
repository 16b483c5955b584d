"""``openvino``: two files that predict as the model does."""

import importlib.util
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import onebox
from onebox.errors import ModelError, OneboxError, SettingError
from onebox.optional import require
from onebox.variants import openvino_ir, pipeline
from onebox.variants.pipeline import make

pytestmark = pytest.mark.train
needs_openvino = pytest.mark.skipif(
    importlib.util.find_spec("openvino") is None, reason="OpenVINO is not installed"
)


@pytest.fixture(scope="module")
def converted(model_file, discs, tmp_path_factory):
    """The trained model as OpenVINO IR."""
    out = tmp_path_factory.mktemp("openvino") / "model.openvino.xml"
    return make(model_file, "openvino", out, discs)


@needs_openvino
def test_openvino_predicts_as_onnx_runtime_does(converted, val, trained_run):
    assert 0 < converted.parity_px < 0.01
    assert converted.made.mean_iou == pytest.approx(
        trained_run.metrics["val"]["mean_iou"], abs=1e-4
    )
    ours, theirs = onebox.load(converted.file), onebox.load(trained_run.model)
    for sample in val:
        image = np.asarray(sample.image)
        assert ours.predict(image).box == pytest.approx(theirs.predict(image).box, abs=0.01)
        assert ours.predict(image).label == theirs.predict(image).label


@needs_openvino
def test_an_ir_is_two_files_and_has_a_card(converted, model_file):
    files = sorted(converted.file.parent.iterdir())
    assert [file.name for file in files] == ["model.openvino.bin", "model.openvino.xml"]
    assert converted.made.size_mb == sum(file.stat().st_size for file in files) / 1e6
    card = onebox.load(converted.file).card
    assert card.provenance["variant"].keys() == {"name", "openvino"}
    assert card.metrics == onebox.load(model_file).card.metrics
    assert str(model_file.parent).encode() not in converted.file.read_bytes()


@needs_openvino
def test_a_model_that_cannot_be_read_is_named_with_the_reason(model_file, tmp_path, monkeypatch):
    def fail(file):
        raise ModelError(f"{file}: cannot be read (Input/output error).")

    monkeypatch.setattr(openvino_ir, "read_model_bytes", fail)
    with pytest.raises(ModelError, match=r"model\.onnx: cannot be read \(Input/output error\)"):
        make(model_file, "openvino", tmp_path / "m.xml")
    assert list(tmp_path.iterdir()) == []


@needs_openvino
def test_what_openvino_cannot_write_is_named(model_file, tmp_path, monkeypatch):
    def fill_up(*words, **names):
        raise RuntimeError("basic_ios::clear: iostream error")

    monkeypatch.setattr(require("openvino", extra="openvino"), "save_model", fill_up)
    with pytest.raises(OneboxError, match=r"m\.xml: cannot be written \(basic_ios::clear"):
        make(model_file, "openvino", tmp_path / "m.xml")
    assert list(tmp_path.iterdir()) == []


def test_weights_of_a_new_ir_do_not_stay_beside_an_earlier_ir(tmp_path, monkeypatch):
    made = tmp_path / "made"
    made.mkdir()
    for name in ("m.bin", "m.xml"):
        (tmp_path / name).write_text("earlier")
        (made / name).write_text("new")
    replace = Path.replace

    def refuse(self, target):
        if self == made / "m.xml":
            raise OSError(5, "Input/output error")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OSError, match="Input/output error"):
        pipeline._move_all([made / "m.bin", made / "m.xml"], tmp_path)
    assert [(tmp_path / name).read_text() for name in ("m.bin", "m.xml")] == ["earlier"] * 2


def test_weights_of_a_new_ir_are_removed_if_its_xml_cannot_be_moved(tmp_path):
    made = tmp_path / "made"
    made.mkdir()
    (made / "m.bin").write_text("new")
    with pytest.raises(FileNotFoundError):
        pipeline._move_all([made / "m.bin", made / "m.xml"], tmp_path)
    assert not (tmp_path / "m.bin").exists()


@needs_openvino
def test_an_earlier_ir_is_replaced_and_weights_of_others_are_not(converted, model_file, tmp_path):
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
def test_the_program_in_the_documentation_gives_the_box_of_predict(
    converted, model_file, val, tmp_path, monkeypatch
):
    text = (Path(__file__).parents[2] / "docs/export.md").read_text("utf-8")
    [program] = re.findall(r"<!-- openvino -->\n```python\n(.*?)```", text, re.DOTALL)
    for file in converted.file.parent.iterdir():
        shutil.copy(file, tmp_path)
    image = Image.fromarray(np.asarray(val.samples[0].image)).resize((200, 150))
    image.save(tmp_path / "cat.jpg", "PNG")
    monkeypatch.chdir(tmp_path)
    require("openvino", extra="openvino")  # here, so that the program's own import reports nothing
    names = {}
    exec(program, names)  # noqa: S102 - our own document
    assert names["blocks"] == [3, 2]  # 200 // 64 and 150 // 64
    found = [float(edge) for edge in names["found"]["box"][0] * [3, 2, 3, 2]]
    assert found == pytest.approx(onebox.load(model_file).predict("cat.jpg").box, abs=0.01)


def test_without_openvino_the_error_says_how_to_install_it(model_file, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(OneboxError, match=r"pip install 'onebox\[openvino\]'"):
        make(model_file, "openvino", tmp_path / "model.xml")
    assert list(tmp_path.iterdir()) == []
