"""What runs a model: threads, providers, and the second session for many images at once."""

import shutil

import numpy as np
import onnxruntime
import pytest

import onebox
from onebox import runtime, threads
from onebox.errors import ModelError, SettingError
from onebox.sessions import CPU, Sessions


def threads_of(session):
    return session.get_session_options().intra_op_num_threads


def test_a_session_has_the_threads_asked_for_and_lets_go_of_cores_between_calls(bright_file):
    sessions = Sessions(bright_file, 3)
    options = sessions.single.get_session_options()
    assert options.intra_op_num_threads == 3
    assert options.get_session_config_entry("session.force_spinning_stop") == "1"


def test_without_a_number_the_threads_are_those_that_are_allowed(bright_file, monkeypatch):
    monkeypatch.setattr(threads, "allowed", lambda: 5)
    assert runtime.load(bright_file)._sessions.threads == 5
    assert runtime.load(bright_file, threads=2)._sessions.threads == 2


def test_many_images_share_a_second_session_of_one_thread(bright_file):
    sessions = Sessions(bright_file, 2)
    assert threads_of(sessions.stream) == 1
    assert sessions.stream is sessions.stream
    assert sessions.stream is not sessions.single


def test_one_session_is_enough_where_it_has_one_thread(bright_file):
    sessions = Sessions(bright_file, 1)
    assert sessions.stream is sessions.single


@pytest.mark.parametrize("fate", ["gone", "changed"])
def test_a_file_that_is_no_longer_the_same_is_not_opened_again(fate, bright_file, tmp_path):
    file = shutil.copy(bright_file, tmp_path / "model.onnx")
    sessions = Sessions(file, 2)
    file.unlink()
    if fate == "changed":
        file.write_bytes(b"another")
    assert sessions.stream is sessions.single


def test_a_provider_may_be_named_with_options_or_without(bright_file):
    image = np.full((8, 8, 3), 51, np.uint8)
    for providers in ([CPU], ((CPU, {"use_arena": "0"}),)):
        localizer = onebox.load(bright_file, providers=providers)
        assert localizer.predict(image).score == pytest.approx(0.2)  # 51 / 255


def test_an_unknown_provider_is_answered_with_those_there_are(bright_file):
    with pytest.raises(SettingError) as caught:
        onebox.load(bright_file, providers=["CPUExecutionProvidre"])
    said = str(caught.value)
    assert said.startswith("provider 'CPUExecutionProvidre' is none of those that ONNX Runtime")
    assert all(name in said for name in onnxruntime.get_available_providers())
    assert "Did you mean CPUExecutionProvider?" in said
    with pytest.raises(SettingError, match="no provider is given"):
        onebox.load(bright_file, providers=[])
    with pytest.raises(TypeError, match="a list of names, as"):
        onebox.load(bright_file, providers=CPU)


def test_a_provider_that_does_not_start_is_not_replaced_in_silence(bright_file, monkeypatch):
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


def test_windows_have_threads_and_no_providers(tmp_path):
    with pytest.raises(SettingError, match="HOG windows have no providers"):
        onebox.load(tmp_path / "model.npz", providers=[CPU])
