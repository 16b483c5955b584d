"""OpenVINO: its outputs are those of ONNX Runtime."""

import importlib.util
import pickle
import subprocess
import sys

import numpy as np
import pytest

import onebox
from onebox.engines.engine import Engine
from onebox.engines.openvino import OpenVinoEngine
from onebox.errors import ModelError, OneboxError
from onebox.model_card import ModelCard
from onebox.optional import require

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("openvino") is None, reason="OpenVINO is not installed"
)

GREY = np.full((30, 40, 3), 51, np.uint8)


def test_an_engine_describes_its_file(bright_ir):
    engine = OpenVinoEngine(bright_ir, 1)
    assert isinstance(engine, Engine)
    assert sorted(engine.output_names) == ["box", "probability", "score"]
    assert ModelCard.from_json(engine.metadata) == ModelCard(("disc",), 32)
    assert engine.per_thread() is engine


def test_an_xml_is_loaded_as_any_model_and_predicts_as_its_onnx_file(bright_ir, bright_file):
    localizer = onebox.load(bright_ir, threads=2)
    assert localizer.engine.threads == 2
    found, expected = localizer.predict(GREY), onebox.load(bright_file).predict(GREY)
    assert (found.label, found.box) == (expected.label, expected.box)
    assert found.score == pytest.approx(expected.score)
    for answer in localizer.predict_many([GREY] * 5, batch=2):
        assert answer.unwrap() == localizer.predict(GREY)


def test_arrays_of_one_call_are_not_those_of_the_next(bright_ir):
    engine = OpenVinoEngine(bright_ir, 1)
    [first] = engine.run(GREY[None], ["score"])
    engine.run(np.full_like(GREY, 255)[None], ["score"])
    assert first.tolist() == pytest.approx([0.2])


def test_a_pickled_model_is_opened_in_openvino_again(bright_ir):
    copy = pickle.loads(pickle.dumps(onebox.load(bright_ir, threads=1)))  # noqa: S301 - our own
    assert isinstance(copy.engine, OpenVinoEngine)
    assert copy.predict(GREY) == onebox.load(bright_ir).predict(GREY)


def test_an_ir_of_someone_else_is_not_a_model_of_onebox(bright_file, tmp_path):
    openvino = require("openvino", extra="openvino")

    graph = openvino.Core().read_model(bright_file)
    openvino.save_model(graph, tmp_path / "other.xml")
    with pytest.raises(ModelError, match=r"other\.xml: is a model, but not of onebox"):
        onebox.load(tmp_path / "other.xml")


def test_what_openvino_cannot_open_is_refused(tmp_path):
    text = '<net name="a"><layers><layer name="a" type="None" version="opset1"/></layers></net>'
    (tmp_path / "model.xml").write_text(text)
    (tmp_path / "model.bin").touch()
    with pytest.raises(ModelError, match=r"model\.xml: is not a model that OpenVINO 20\d\d.* can"):
        onebox.load(tmp_path / "model.xml")


def test_without_openvino_the_error_says_how_to_install_it(bright_ir, monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(OneboxError, match=r"pip install 'onebox\[openvino\]'"):
        onebox.load(bright_ir)


_OFFLINE = """
import socket, sys

def refuse(*words):
    raise SystemExit("something opened a connection")

socket.socket.connect = socket.getaddrinfo = refuse
from onebox.optional import require

openvino = require("openvino", extra="openvino")
assert openvino.Core().available_devices
print(*(name for name in sys.modules if name.startswith("openvino_telemetry")))
"""


@pytest.mark.train
def test_openvino_is_imported_without_the_package_that_reports_its_use():
    ended = subprocess.run(
        [sys.executable, "-c", _OFFLINE], capture_output=True, text=True, check=True
    )
    assert (ended.stdout.strip(), ended.stderr) == ("", "")
