"""Every model file is loaded by the system that made it; other files are refused."""

import pickle
import shutil

import numpy as np
import pytest

import onebox
from onebox import loading, synthetic, threads
from onebox.classic.hog_localizer import HogLocalizer
from onebox.classic.settings import HogSettings
from onebox.runtime import NetworkLocalizer

pytest.importorskip("skimage")
pytest.importorskip("sklearn")

from onebox.classic import hog_training, model_file

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def windows_file(tmp_path_factory):
    """HOG windows that learned a few discs."""
    discs = synthetic.dataset("synth:blobs", size=32, counts={"train": 6, "val": 1, "test": 0})
    file = tmp_path_factory.mktemp("windows") / "model.npz"
    model_file.save(hog_training.train(discs, HogSettings(window=4, scales=1)), file)
    return file


@pytest.fixture(params=["network", "windows"])
def model(request, model_file, windows_file):
    return loading.load({"network": model_file, "windows": windows_file}[request.param])


def test_the_suffix_tells_hog_windows_from_networks(windows_file, model_file, tmp_path):
    shouted = shutil.copy(windows_file, tmp_path / "DISCS.NPZ")
    renamed = shutil.copy(model_file, tmp_path / "discs")
    assert isinstance(onebox.load(str(windows_file)), HogLocalizer)
    assert isinstance(onebox.load(shouted), HogLocalizer)
    assert isinstance(onebox.load(renamed), NetworkLocalizer)


def test_every_model_is_a_localizer(model):
    assert isinstance(model, onebox.Localizer)
    assert (model.card.classes, model.card.keypoints) == (("disc",), None)
    assert model.name.endswith(("model.npz", "model.onnx"))
    answer = model.predict(np.zeros((40, 60, 3), np.uint8))
    assert 0 <= answer.box[0] <= answer.box[2] <= 60
    assert answer.probabilities == (1.0,)


@pytest.mark.parametrize("count", [None, 2])
def test_every_model_predicts_many_images_in_order(model, count):
    sources = [np.zeros((40, 60, 3), np.uint8), b"no image", np.zeros((60, 40, 3), np.uint8)]
    wide, unread, tall = model.predict_many(sources, threads=count)
    assert (wide.prediction, tall.prediction) == (
        model.predict(sources[0]),
        model.predict(sources[2]),
    )
    assert (unread.prediction, unread.index) == (None, 1)
    with pytest.raises(ValueError, match="threads must be at least 1, got 0"):
        model.predict_many(sources, threads=0)
    with pytest.raises(ValueError, match="batch must be at least 1, got 0"):
        model.predict_many(sources, batch=0)


def test_every_model_can_be_sent_to_another_process(model):
    copy = pickle.loads(pickle.dumps(model))  # noqa: S301 - our own
    image = np.full((40, 60, 3), 200, np.uint8)
    assert (copy.name, copy.card) == (model.name, model.card)
    assert copy.predict(image) == model.predict(image)


def test_hog_windows_use_the_threads_asked_for(windows_file):
    assert loading.load(windows_file, threads=3).threads == 3
    assert loading.load(windows_file).threads == threads.available_threads()


def test_the_error_for_a_folder_names_the_model_in_it(windows_file, model_file):
    for file in (windows_file, model_file):
        with pytest.raises(onebox.ModelError) as caught:
            onebox.load(file.parent)
        assert str(caught.value) == (
            f"{file.parent}: is a folder, not a model. Did you mean {file}?"
        )


WRONG = {
    "none.npz": (None, "does not exist. Correct the path"),
    "none.onnx": (None, "does not exist"),
    "text.npz": (b"hello", r"is no \.npz file"),
    "empty.npz": (b"", r"is no \.npz file"),
    "text.onnx": (b"hello", "is not an ONNX model"),
}


@pytest.mark.parametrize(("name", "content", "said"), [(n, *each) for n, each in WRONG.items()])
def test_the_error_for_what_is_not_a_model_names_it(name, content, said, tmp_path):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(onebox.ModelError, match=said) as caught:
        onebox.load(tmp_path / name)
    assert str(caught.value).startswith(f"{tmp_path / name}: ")


def test_a_file_cut_short_is_refused(windows_file, tmp_path):
    whole = windows_file.read_bytes()
    file = tmp_path / "short.npz"
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(onebox.ModelError, match="short"):
        onebox.load(file)


def test_arrays_of_another_program_are_refused(tmp_path):
    np.savez(tmp_path / "other.npz", images=np.zeros((2, 3)))
    with pytest.raises(onebox.ModelError, match="is no onebox model"):
        onebox.load(tmp_path / "other.npz")


def test_a_model_of_one_kind_under_the_name_of_the_other_is_refused(
    windows_file, model_file, tmp_path
):
    for file, name in ((windows_file, "model.onnx"), (model_file, "model.npz")):
        with pytest.raises(onebox.ModelError, match=r"ONNX|npz"):
            onebox.load(shutil.copy(file, tmp_path / name))


def test_hog_windows_take_no_providers(tmp_path):
    with pytest.raises(onebox.SettingError, match="HOG windows have no providers"):
        onebox.load(tmp_path / "model.npz", providers=["CPUExecutionProvider"])
