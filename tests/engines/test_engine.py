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
