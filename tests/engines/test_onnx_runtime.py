"""ONNX Runtime: threads, execution providers, and the second engine for many images at once."""

import shutil

import numpy as np
import onnxruntime
import pytest

import onebox
from onebox import threads
from onebox.engines.engine import Engine
from onebox.engines.onnx_runtime import CPU, OnnxRuntimeEngine
from onebox.errors import ModelError, SettingError


def threads_of(engine):
    return engine.session.get_session_options().intra_op_num_threads


def test_a_session_has_the_threads_asked_for_and_frees_the_cores_between_calls(bright_file):
    engine = OnnxRuntimeEngine(bright_file, 3)
    options = engine.session.get_session_options()
    assert options.intra_op_num_threads == 3
    assert options.get_session_config_entry("session.force_spinning_stop") == "1"


def test_an_engine_describes_its_file(bright_file, write_bright_model, tmp_path):
    engine = OnnxRuntimeEngine(bright_file, 1)
    assert isinstance(engine, Engine)
    assert engine.output_names == ("box", "probability", "score")
    assert '"classes": ["disc"]' in engine.metadata
    assert engine.takes_batches
    single = OnnxRuntimeEngine(write_bright_model(tmp_path / "model.onnx", images=1), 1)
    assert not single.takes_batches


def test_only_the_outputs_asked_for_are_computed_in_that_order(bright_file):
    white = np.full((2, 8, 6, 3), 255, np.uint8)
    score, box = OnnxRuntimeEngine(bright_file, 1).run(white, ("score", "box"))
    assert score.tolist() == [1, 1]
    assert box.tolist() == [[0, 0, 3, 4]] * 2  # a quarter of the image


def test_by_default_the_threads_are_all_that_the_process_may_use(bright_file):
    assert onebox.load(bright_file).engine.threads == threads.available_threads()
    assert onebox.load(bright_file, threads=2).engine.threads == 2


def test_many_images_share_a_second_engine_of_one_thread(bright_file):
    engine = OnnxRuntimeEngine(bright_file, 2)
    assert threads_of(engine.per_thread()) == 1
    assert engine.per_thread() is engine.per_thread()
    assert engine.per_thread() is not engine


def test_an_engine_of_one_thread_needs_no_second_one(bright_file):
    engine = OnnxRuntimeEngine(bright_file, 1)
    assert engine.per_thread() is engine


@pytest.mark.parametrize("fate", ["removed", "changed"])
def test_a_file_that_was_removed_or_changed_is_not_opened_again(fate, bright_file, tmp_path):
    file = shutil.copy(bright_file, tmp_path / "model.onnx")
    engine = OnnxRuntimeEngine(file, 2)
    file.unlink()
    if fate == "changed":
        file.write_bytes(b"another")
    assert engine.per_thread() is engine


def test_a_provider_may_have_options(bright_file):
    image = np.full((8, 8, 3), 51, np.uint8)
    for providers in ([CPU], ((CPU, {"use_arena": "0"}),)):
        localizer = onebox.load(bright_file, providers=providers)
        assert localizer.predict(image).score == pytest.approx(0.2)  # 51 / 255


def test_the_error_for_an_unknown_provider_lists_those_available(bright_file):
    with pytest.raises(SettingError) as caught:
        onebox.load(bright_file, providers=["CPUExecutionProvidre"])
    message = str(caught.value)
    assert message.startswith("provider 'CPUExecutionProvidre' is not one of those that ONNX")
    assert all(name in message for name in onnxruntime.get_available_providers())
    assert "Did you mean CPUExecutionProvider?" in message


def test_providers_are_a_list_of_at_least_one(bright_file):
    with pytest.raises(SettingError, match="no provider is given"):
        onebox.load(bright_file, providers=[])
    with pytest.raises(TypeError, match="a list of names, as"):
        onebox.load(bright_file, providers=CPU)


def test_a_provider_that_does_not_start_is_an_error_and_not_replaced(bright_file, monkeypatch):
    available = [CPU, "CUDAExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: available)
    started = onnxruntime.InferenceSession

    def on_cpu(file, options, *, providers, **more):
        return started(file, options, providers=[CPU])

    monkeypatch.setattr(onnxruntime, "InferenceSession", on_cpu)
    with pytest.raises(ModelError, match=r"could not start CUDAExecutionProvider.*run on CPU"):
        onebox.load(bright_file, providers=["CUDAExecutionProvider", CPU])


def test_less_than_one_thread_is_a_wrong_call(bright_file):
    with pytest.raises(ValueError, match="threads must be at least 1, got 0"):
        onebox.load(bright_file, threads=0)
