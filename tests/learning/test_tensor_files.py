"""What the system refuses when a safetensors file is opened keeps its reason."""

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from onebox.learning import tensor_files
from onebox.learning.tensor_files import open_tensors

pytestmark = pytest.mark.train


@pytest.fixture
def file(tmp_path):
    save_file({"weight": torch.arange(3.0)}, tmp_path / "a.safetensors", {"made": "here"})
    return tmp_path / "a.safetensors"


def test_tensors_and_metadata_are_read(file):
    with open_tensors(file) as opened:
        assert opened.get_tensor("weight").tolist() == [0.0, 1.0, 2.0]
        assert opened.metadata() == {"made": "here"}


def test_a_missing_file_and_one_of_another_kind_have_their_own_errors(tmp_path):
    with pytest.raises(FileNotFoundError), open_tensors(tmp_path / "none"):
        pass
    (tmp_path / "text").write_text("text")
    with pytest.raises(SafetensorError), open_tensors(tmp_path / "text"):
        pass


def refusing(words):
    def open_file(path, framework):
        raise RuntimeError(words)

    return open_file


def test_what_pytorch_cannot_map_is_an_error_of_the_system(file, monkeypatch):
    words = "unable to mmap 12 bytes from file <a.safetensors>: Permission denied (13)"
    monkeypatch.setattr(tensor_files, "safe_open", refusing(words))
    with pytest.raises(OSError, match="Permission denied"), open_tensors(file):
        pass


def test_a_shortage_of_memory_stays_one(file, monkeypatch):
    words = "DefaultCPUAllocator: can't allocate memory: 12 bytes"
    monkeypatch.setattr(tensor_files, "safe_open", refusing(words))
    with pytest.raises(RuntimeError, match="allocate memory"), open_tensors(file):
        pass
