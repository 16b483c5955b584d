"""Checkpoints come back as they went in, and nothing in them is executed."""

import contextlib
import pickle
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import nn

from onebox.errors import ModelError, OneboxError
from onebox.learning.fitting import checkpoint_io
from onebox.learning.fitting.checkpoint_io import (
    SafetensorsCheckpoints,
    load_checkpoint,
    save_checkpoint,
    save_weights,
)

pytestmark = pytest.mark.train

leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.tuples(st.integers(), st.text())
)
keys = st.text() | st.integers() | st.tuples(st.integers(), st.text())
nests = st.recursive(
    leaves,
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(keys, inner),
    max_leaves=6,
)


class Malice:
    """A pickle that leaves a file behind when it is loaded."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return (Path.touch, (self.trace,))


@pytest.fixture
def file(tmp_path):
    return tmp_path / "last.safetensors"


@pytest.fixture(scope="module")
def shared_file(tmp_path_factory):
    return tmp_path_factory.mktemp("nests") / "nest.safetensors"


@given(st.dictionaries(st.text(), nests, max_size=5))
def test_any_nest_of_plain_values_comes_back_equal_in_value_and_kind(shared_file, nest):
    save_checkpoint(nest, shared_file)
    loaded = load_checkpoint(shared_file)
    assert loaded == nest
    assert repr(loaded) == repr(nest)


def test_tensors_come_back_with_their_values_kinds_and_places(file):
    whole = torch.arange(6.0).reshape(2, 3)
    checkpoint = {
        "state": {"weight": whole, "transposed": whole.T, "again": whole},
        "steps": [torch.tensor(3), torch.tensor([True]), torch.zeros(0, dtype=torch.float16)],
        3: (torch.tensor([1], dtype=torch.int64),),
    }
    save_checkpoint(checkpoint, file)
    loaded = load_checkpoint(file)
    assert loaded.keys() == {"state", "steps", 3}
    for name, tensor in checkpoint["state"].items():
        assert torch.equal(loaded["state"][name], tensor)
    for saved, tensor in zip(loaded["steps"], checkpoint["steps"], strict=True):
        assert torch.equal(saved, tensor)
        assert saved.dtype == tensor.dtype
    assert torch.equal(loaded[3][0], torch.tensor([1]))


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_a_tensor_comes_back_with_its_layout_in_memory(file, layout):
    tensor = torch.rand(2, 3, 4, 5).to(memory_format=layout)
    save_checkpoint({"weight": tensor}, file)
    loaded = load_checkpoint(file)["weight"]
    assert torch.equal(loaded, tensor)
    assert loaded.stride() == tensor.stride()


@pytest.mark.parametrize("leaf", [object(), {1, 2}, b"bytes", nn.Linear])
def test_what_is_neither_tensor_nor_plain_is_refused_and_what_was_there_stays(file, leaf):
    save_checkpoint({"epoch": 1}, file)
    with pytest.raises(TypeError, match=f"a checkpoint cannot hold a {type(leaf).__name__}"):
        save_checkpoint({"epoch": 2, "extra": [leaf]}, file)
    assert load_checkpoint(file) == {"epoch": 1}
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize("save", [save_checkpoint, lambda new, path: save_weights(new, path, {})])
def test_a_save_that_breaks_off_leaves_what_was_there(file, monkeypatch, save):
    def break_off(tensors, path, metadata):
        path.write_bytes(b"half of it")
        raise OSError("no space left on device")

    save_checkpoint({"epoch": 1}, file)
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint_io, "save_file", break_off)
        with pytest.raises(OneboxError, match=r"last\.safetensors: cannot be written \(no space"):
            save({"weight": torch.zeros(3)}, file)
    assert load_checkpoint(file) == {"epoch": 1}
    assert list(file.parent.iterdir()) == [file]


def test_a_pickle_in_the_place_of_a_checkpoint_is_refused_and_not_executed(file, tmp_path):
    trace = tmp_path / "executed"
    file.write_bytes(pickle.dumps(Malice(trace)))
    with pytest.raises(ModelError, match=r"last\.safetensors: is no checkpoint of onebox"):
        load_checkpoint(file)
    torch.save({"state_dict": Malice(trace)}, file)
    with pytest.raises(ModelError, match=r"last\.safetensors: is no checkpoint of onebox"):
        load_checkpoint(file)
    assert not trace.exists()


@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "weights only", "text"])
def test_a_damaged_file_is_refused_by_name(file, damage):
    save_checkpoint({"weight": torch.rand(100)}, file)
    whole = file.read_bytes()
    if damage == "missing":
        file.unlink()
    elif damage == "weights only":
        save_file({"weight": torch.rand(3)}, file)
    else:
        file.write_bytes({"empty": b"", "cut": whole[:-50], "text": b"{}" * 40}[damage])
    with pytest.raises(ModelError, match=r"last\.safetensors: is no checkpoint of onebox"):
        load_checkpoint(file)


def test_a_checkpoint_that_the_system_refuses_has_the_reason_and_a_repair(file):
    file.mkdir(parents=True)
    with pytest.raises(ModelError) as caught:
        load_checkpoint(file)
    assert str(caught.value) == (
        f"{file}: is no checkpoint of onebox that can be read (Is a directory). Check the disk and "
        "its permissions, and resume again; if the file is damaged, train anew."
    )


@given(st.data())
def test_a_file_with_one_wrong_byte_is_read_or_refused_and_nothing_else(shared_file, data):
    save_checkpoint({"weight": torch.rand(4), "steps": [1, (2.5, "a")]}, shared_file)
    whole = bytearray(shared_file.read_bytes())
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] = data.draw(st.integers(0, 255))
    shared_file.write_bytes(whole)
    with contextlib.suppress(ModelError):
        load_checkpoint(shared_file)


def test_the_trainers_door_saves_loads_and_removes(file):
    door = SafetensorsCheckpoints()
    door.save_checkpoint({"epoch": 3, "folder": Path("runs")}, file)
    assert door.load_checkpoint(file) == {"epoch": 3, "folder": "runs"}
    door.remove_checkpoint(file)
    door.remove_checkpoint(file)
    assert not file.exists()


def test_saved_weights_are_plain_safetensors_with_their_facts(file):
    network = nn.Conv2d(2, 3, 3).to(memory_format=torch.channels_last)
    save_weights(network.state_dict(), file, {"onebox_recipe": "{}"})
    loaded = load_file(file)
    assert loaded.keys() == {"weight", "bias"}
    assert torch.equal(loaded["weight"], network.weight)
