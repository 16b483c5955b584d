"""The model that is served, and its replacement."""

import logging
import threading

import numpy as np
import pytest

from onebox.errors import ModelError, SettingError
from onebox.serving.model_api import models
from onebox.serving.model_api.models import NOTHING, ModelHolder, Promised, Reloads

pytestmark = pytest.mark.train

WHITE = np.full((8, 8, 3), 255, np.uint8)


@pytest.fixture
def file(write_bright_model, tmp_path):
    return write_bright_model(tmp_path / "cats.onnx")


@pytest.fixture
def replace(write_bright_model, file):
    """Replace the file as a whole: by a model of these classes, or by bytes."""

    def put(content):
        new = file.with_suffix(".new")
        if isinstance(content, bytes):
            new.write_bytes(content)
        else:
            write_bright_model(new, classes=content)
        new.replace(file)

    return put


def test_the_name_of_a_model_is_that_of_its_file(file):
    assert ModelHolder(file, threads=1).name == "cats"


def test_a_file_that_is_no_model_is_an_error_at_the_start(tmp_path):
    with pytest.raises(ModelError, match="does not exist"):
        ModelHolder(tmp_path / "nothing.onnx", threads=1)


def test_a_promise_that_the_model_cannot_keep_is_an_error_at_the_start(file):
    with pytest.raises(SettingError, match="is not calibrated"):
        ModelHolder(file, threads=1, usual=Promised(coverage=0.9))


def test_a_replaced_file_is_loaded_at_the_next_look(file, replace):
    holder = ModelHolder(file, threads=1)
    before = holder.current()
    replace(("cat", "dog"))
    assert holder.current() is before
    holder.look()
    assert holder.current().card.classes == ("cat", "dog")
    assert before.predict(WHITE).label == "disc"  # requests in work keep their model
    assert holder.reloads == Reloads(succeeded=1)


def test_a_file_that_stays_is_loaded_once(file):
    holder = ModelHolder(file, threads=1)
    before = holder.current()
    holder.look()
    assert holder.current() is before
    holder.reload()
    assert holder.current() is not before


def test_a_replacement_that_is_no_model_changes_nothing(file, replace, caplog):
    holder = ModelHolder(file, threads=1)
    before = holder.current()
    replace(b"no model")
    with caplog.at_level(logging.WARNING):
        holder.look()
        holder.look()  # the same file is not tried again at once
    assert holder.current() is before
    assert (holder.reloads.succeeded, holder.reloads.failed) == (0, 1)
    assert "is not an ONNX model" in holder.reloads.failure
    [record] = caplog.records
    assert str(file) in record.getMessage()
    assert record.getMessage().endswith("; the model before it stays in use.")
    replace(("cat", "dog"))
    holder.look()
    assert holder.reloads == Reloads(succeeded=1, failed=1)


def test_a_replacement_that_could_not_be_read_once_is_tried_again_after_longer_and_longer_pauses(
    file, replace, monkeypatch, caplog
):
    holder = ModelHolder(file, threads=1)
    load, now_s, tries = holder._load, [0.0], []

    def refuse():
        tries.append(now_s[0])
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(models.time, "monotonic", lambda: now_s[0])
    monkeypatch.setattr(holder, "_load", refuse)
    replace(("cat", "dog"))
    for second in range(8):
        now_s[0] = float(second)
        holder.look()
    assert tries == [0, 1, 3, 7]  # pauses of 1, 2 and 4 s
    assert holder.reloads.failed == 1  # a replacement that fails is counted once,
    assert len(caplog.records) == 1  # and noted once
    monkeypatch.setattr(holder, "_load", load)
    now_s[0] = 15.0
    holder.look()
    assert holder.current().card.classes == ("cat", "dog")
    assert holder.reloads == Reloads(succeeded=1, failed=1)


def test_a_replacement_that_cannot_keep_the_usual_promise_changes_nothing(
    write_bright_model, calibrated_file, tmp_path
):
    copy = tmp_path / "model.onnx"
    copy.write_bytes(calibrated_file.read_bytes())
    holder = ModelHolder(copy, threads=1, usual=Promised(coverage=0.9))
    write_bright_model(copy)
    holder.look()
    assert holder.current().card.sigma
    assert "is not calibrated" in holder.reloads.failure


def test_a_file_that_is_gone_changes_nothing(file):
    holder = ModelHolder(file, threads=1)
    before = holder.current()
    file.unlink()
    holder.look()
    assert holder.current() is before
    assert holder.reloads == Reloads()


def test_a_promise_is_prepared_once_for_each_model(calibrated_file):
    holder = ModelHolder(calibrated_file, threads=1)
    promised = Promised(coverage=0.8)
    first = holder.promising(promised)
    assert holder.promising(Promised(coverage=0.8)) is first
    assert holder.promising(Promised(coverage=0.9)) is not first
    assert holder.promising(NOTHING) is holder.current()
    holder.reload()
    assert holder.promising(promised) is not first


def test_the_usual_promise_fills_what_a_request_leaves_open():
    usual = Promised(coverage=0.8, max_risk=0.1)
    assert Promised(coverage=0.9).or_else(usual) == Promised(coverage=0.9, max_risk=0.1)
    assert NOTHING.or_else(usual) == usual


def test_a_watched_file_is_loaded_without_being_asked(file, replace, monkeypatch):
    monkeypatch.setattr(models, "LOOK_SECONDS", 0.01)
    holder = ModelHolder(file, threads=1)
    is_loaded = threading.Event()
    load = holder._load

    def load_and_tell():
        promising = load()
        is_loaded.set()
        return promising

    monkeypatch.setattr(holder, "_load", load_and_tell)
    holder.watch()
    replace(("cat", "dog"))
    assert is_loaded.wait(20)
    holder.close()
    assert holder.current().card.classes == ("cat", "dog")


def test_the_weights_beside_a_model_of_openvino_count_too(tmp_path):
    file, weights = tmp_path / "model.xml", tmp_path / "model.bin"
    file.write_text("xml")
    weights.write_bytes(b"1")
    before = models._identify(file)
    weights.write_bytes(b"22")
    assert models._identify(file) != before
