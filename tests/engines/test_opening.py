"""Which engine opens a file, and the files and settings that none takes."""

import pytest

from onebox.engines.onnx_runtime import CPU, OnnxRuntimeEngine
from onebox.engines.opening import open_engine
from onebox.errors import ModelError, SettingError


def test_a_file_of_any_name_but_xml_is_opened_by_onnx_runtime(bright_file, tmp_path):
    file = tmp_path / "model.bin"
    file.write_bytes(bright_file.read_bytes())
    engine = open_engine(file, 2)
    assert isinstance(engine, OnnxRuntimeEngine)
    assert (engine.file, engine.threads, engine.providers) == (file, 2, (CPU,))


@pytest.mark.parametrize("name", ["none.onnx", "none.xml"])
def test_the_error_for_a_missing_file_names_it(name, tmp_path):
    with pytest.raises(ModelError, match=r"none\.\w+: does not exist\. Correct the path\."):
        open_engine(tmp_path / name, 1)


def test_the_error_for_a_folder_names_the_model_in_it(bright_file, tmp_path):
    with pytest.raises(ModelError, match=r"is a folder, not a model\. Name the file in it\.$"):
        open_engine(tmp_path, 1)
    with pytest.raises(ModelError, match=r"is a folder, not a model. Did you mean .*model\.onnx\?"):
        open_engine(bright_file.parent, 1)


def test_openvino_takes_no_providers(tmp_path):
    file = tmp_path / "model.xml"
    file.touch()
    with pytest.raises(SettingError, match="OpenVINO has no providers to choose from"):
        open_engine(file, 1, [CPU])
