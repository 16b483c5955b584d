"""Why an engine cannot open a file, in one sentence and a repair."""

from onebox.engines import engine
from onebox.engines.engine import refusal

KIND = "a model that OpenVINO 2026.4"


def test_the_places_in_the_sources_of_openvino_are_left_out(tmp_path):
    file = tmp_path / "model.xml"
    file.touch()
    error = RuntimeError("Exception from src/core.cpp:84:\nException from a.cpp:1:\nno weights\n")
    assert refusal(file, KIND, error) == (
        f"{file}: is not a model that OpenVINO 2026.4 can open (no weights). If it was cut short "
        "or damaged, copy or export it anew."
    )


def test_a_number_of_the_system_becomes_its_words(tmp_path):
    file = tmp_path / "model.onnx"
    file.touch()
    error = RuntimeError(f"Load model from {file} failed:system error number 5")
    assert "can open (Input/output error)." in refusal(file, KIND, error)


def test_a_file_that_the_system_refuses_to_read_is_no_wrong_model(tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "unreadable_because", lambda file: "Permission denied")
    file = tmp_path / "model.onnx"
    assert refusal(file, KIND, RuntimeError("INVALID_PROTOBUF")) == (
        f"{file}: cannot be read (Permission denied). Check its permissions and the disk."
    )
