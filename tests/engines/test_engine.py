"""Why an engine cannot open a file, in one sentence and a repair."""

from onebox.engines.engine import refusal

KIND = "a model that OpenVINO 2026.4"


def test_the_places_in_the_sources_of_openvino_are_left_out(tmp_path):
    file = tmp_path / "model.xml"
    error = RuntimeError("Exception from src/core.cpp:84:\nException from a.cpp:1:\nno weights\n")
    assert refusal(file, KIND, error) == (
        f"{file}: is not a model that OpenVINO 2026.4 can open (no weights). If it was cut short "
        "or damaged, copy or export it anew."
    )


def test_a_file_that_the_memory_does_not_suffice_for_is_not_called_damaged(tmp_path):
    file = tmp_path / "model.onnx"
    error = RuntimeError("[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : std::bad_alloc")
    assert refusal(file, "an ONNX model that ONNX Runtime 1.31", error) == (
        f"{file}: the memory does not suffice to open it ([ONNXRuntimeError] : 6 : "
        "RUNTIME_EXCEPTION : std::bad_alloc). Close other programs, or raise the limit of this "
        "process. If the file may be damaged, copy or export it anew."
    )
