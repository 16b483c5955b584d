"""Paths that are no model files: each is refused in words, and none is waited for."""

import errno
import os

import pytest

import onebox
from onebox.errors import ModelError
from onebox.model_bytes import read_model_bytes

SUFFIXES = [".onnx", ".xml", ".npz"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_pipe_is_refused_and_not_waited_for(suffix, tmp_path):
    if not hasattr(os, "mkfifo"):
        pytest.skip("this system has no named pipes")
    pipe = tmp_path / f"model{suffix}"
    os.mkfifo(pipe)
    with pytest.raises(ModelError, match="is a device or a pipe, not a model"):
        onebox.load(pipe)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_device_without_end_is_refused(suffix, tmp_path):
    if not os.path.exists("/dev/zero"):  # noqa: PTH110
        pytest.skip("this system has no /dev/zero")
    link = tmp_path / f"model{suffix}"
    link.symlink_to("/dev/zero")
    with pytest.raises(ModelError, match="is a device or a pipe"):
        onebox.load(link)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_links_that_lead_to_each_other_are_refused(suffix, tmp_path):
    one, two = tmp_path / f"model{suffix}", tmp_path / "two"
    one.symlink_to(two)
    two.symlink_to(one)
    with pytest.raises(ModelError, match="cannot be read"):
        onebox.load(one)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("name", ["a" * 5000, "a\0b", "a" * 300])
def test_a_name_that_no_file_can_have_is_refused(suffix, name, tmp_path):
    with pytest.raises(ModelError, match="cannot be read") as caught:
        onebox.load(f"{tmp_path}/{name}{suffix}")
    assert "\0" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_file_that_the_user_may_not_read_is_refused_with_the_reason(tmp_path, monkeypatch):
    def refuse(path, flags):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

    file = tmp_path / "model.onnx"
    file.touch()
    monkeypatch.setattr(os, "open", refuse)  # root may read every file
    with pytest.raises(ModelError) as caught:
        read_model_bytes(file)
    assert str(caught.value) == (
        f"{file}: cannot be read (Permission denied). Name a file that you may read."
    )


def test_a_larger_file_than_allowed_is_not_read(tmp_path):
    file = tmp_path / "model.onnx"
    with file.open("wb") as opened:
        opened.truncate(2**40)  # a hole, which takes no space on the disk
    with pytest.raises(ModelError, match=r"has 1099511627776 bytes, and at most 2147483647"):
        onebox.load(file)


def test_what_is_read_is_what_the_file_holds(tmp_path):
    file = tmp_path / "model.onnx"
    file.write_bytes(b"1234")
    assert read_model_bytes(file, 4) == b"1234"
    with pytest.raises(ModelError, match="has 4 bytes, and at most 3 are read"):
        read_model_bytes(file, 3)
