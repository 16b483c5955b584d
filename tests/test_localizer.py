"""Every model is a `Localizer`, and can be sent to another process."""

import pickle
import shutil
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

import onebox
from onebox.engines.onnx_runtime import CPU

WHITE_LEFT = np.zeros((40, 60, 3), np.uint8)
WHITE_LEFT[:, :30] = 255


def sent(localizer):
    """The localizer as another process gets it."""
    return pickle.loads(pickle.dumps(localizer))  # noqa: S301 - our own


@pytest.mark.train
def test_a_model_sent_to_another_process_predicts_the_same(bright_file):
    localizer = onebox.load(bright_file, threads=1)
    with get_context("spawn").Pool(1) as pool:
        assert pool.map(localizer.predict, [WHITE_LEFT]) == [localizer.predict(WHITE_LEFT)]


def test_an_unpickled_model_has_the_same_threads_providers_and_card(bright_file):
    localizer = onebox.load(bright_file, threads=3, providers=[(CPU, {"use_arena": "0"})])
    copy = sent(localizer)
    assert (copy.name, copy.card) == (localizer.name, localizer.card)
    assert copy.engine.threads == 3
    assert copy.engine.providers == ((CPU, {"use_arena": "0"}),)


def test_an_unpickled_model_has_the_same_refinement(write_bright_model, tmp_path):
    once = onebox.load(write_bright_model(tmp_path / "model.onnx"), threads=1)
    twice = once.with_refinement(1.0)
    # The first box is the left upper quarter; so is that of the crop, which is all white.
    assert sent(twice).predict(WHITE_LEFT) == twice.predict(WHITE_LEFT)
    assert sent(twice).predict(WHITE_LEFT).box == (0, 0, 15, 10)
    assert sent(twice.with_refinement(None)).predict(WHITE_LEFT).box == (0, 0, 30, 20)


def test_a_relative_path_is_found_from_another_folder(bright_file, tmp_path, monkeypatch):
    monkeypatch.chdir(bright_file.parent)
    content = pickle.dumps(onebox.load(bright_file.name, threads=1))
    monkeypatch.chdir(tmp_path)
    copy = pickle.loads(content)  # noqa: S301 - our own
    assert Path(copy.name) == bright_file


def test_a_model_whose_file_is_gone_cannot_be_unpickled_and_says_so(bright_file, tmp_path):
    file = Path(shutil.copy(bright_file, tmp_path / "model.onnx"))
    content = pickle.dumps(onebox.load(file, threads=1))
    assert len(content) < 1000  # the path, not the network
    file.unlink()
    with pytest.raises(onebox.ModelError, match=r"model\.onnx: does not exist\. Correct the path"):
        pickle.loads(content)  # noqa: S301 - our own
