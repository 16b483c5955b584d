"""Model files: a localizer saved and loaded, and files that are refused."""

import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from onebox.classic import model_file
from onebox.confidence.records import Calibration, IouModel, SideScores
from onebox.errors import ModelError

pytest.importorskip("skimage")
pytest.importorskip("sklearn")
pytestmark = pytest.mark.train


@pytest.fixture
def file(localizer, tmp_path):
    path = tmp_path / "model.npz"
    model_file.save(localizer, path)
    return path


def test_a_loaded_localizer_predicts_as_the_saved_one(localizer, two_classes, file):
    loaded = model_file.load(file)
    assert loaded.name == str(file)
    assert loaded.card == localizer.card
    for sample in two_classes.part("test"):
        assert loaded.predict(sample.image) == localizer.predict(sample.image)


def test_metrics_are_stored_in_the_file(localizer, tmp_path):
    path = tmp_path / "model.npz"
    card = replace(localizer.card, metrics={"test": {"mean_iou": 0.5}})
    model_file.save(localizer.with_card(card), path)
    assert model_file.load(path).card.metrics == {"test": {"mean_iou": 0.5}}
    assert localizer.card.metrics == {}


def test_a_calibration_is_stored_in_the_file(localizer, tmp_path):
    calibration = Calibration(1, 2.0, IouModel(-1.5, 1.0, 0.25), SideScores((0.5,), (0.1 + 0.2,)))
    card = replace(localizer.card, calibration=calibration)
    model_file.save(localizer.with_card(card), tmp_path / "model.npz")
    assert model_file.load(tmp_path / "model.npz").card == card


def test_a_file_of_an_older_onebox_has_a_sigma_all_the_same(localizer, two_classes, file):
    def without_sigma(text):
        return text | {"card": {k: v for k, v in text["card"].items() if k != "sigma"}}

    loaded = model_file.load(rewritten(file, without_sigma))
    assert loaded.card == localizer.card
    assert loaded.predict(two_classes.samples[0].image).sigma is not None


def test_the_file_holds_only_arrays_and_no_temporary_file_is_left(file):
    with zipfile.ZipFile(file) as archive:
        assert all(name.endswith(".npy") for name in archive.namelist())
    assert [path.name for path in file.parent.iterdir()] == ["model.npz"]


class Trap:
    """Pickled code that would show that it ran."""

    sprung = False

    def __reduce__(self):
        return (setattr, (Trap, "sprung", True))


def test_a_pickled_file_is_refused_and_not_run(tmp_path):
    path = tmp_path / "trap.npz"
    np.savez(path, onebox=np.array([Trap()], dtype=object))
    with pytest.raises(ModelError, match="pickle"):
        model_file.load(path)
    np.savez(path, onebox=np.array("{}"), other=np.array([Trap()], dtype=object))
    with pytest.raises(ModelError, match="pickle"):
        model_file.load(path)
    assert not Trap.sprung


def test_a_path_that_is_not_a_model_is_refused_with_the_reason(tmp_path):
    with pytest.raises(ModelError, match=r"does not exist\. Correct the path"):
        model_file.load(tmp_path / "none.npz")
    with pytest.raises(ModelError, match="is a folder"):
        model_file.load(tmp_path)
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(ModelError, match=r"is no \.npz file"):
        model_file.load(tmp_path / "text.npz")
    np.savez(tmp_path / "other.npz", numbers=np.arange(3))
    with pytest.raises(ModelError, match="no array 'onebox'"):
        model_file.load(tmp_path / "other.npz")


def test_a_truncated_or_damaged_file_is_refused(file):
    whole = file.read_bytes()
    for length in (0, 10, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:length])
        with pytest.raises(ModelError, match="npz"):
            model_file.load(file)
    index = len(whole) * 3 // 4  # inside the regression weights, whose checksum zip files keep
    file.write_bytes(whole[:index] + bytes([whole[index] ^ 1]) + whole[index + 1 :])
    with pytest.raises(ModelError, match="cannot be read"):
        model_file.load(file)


def rewritten(file, change_text=lambda text: text, change_arrays=lambda arrays: arrays):
    with np.load(file) as archive:
        arrays = {name: archive[name] for name in archive.files}
    text = json.loads(str(arrays.pop("onebox")))
    changed = np.array(json.dumps(change_text(text)))
    np.savez(file, onebox=changed, **change_arrays(arrays))
    return file


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text | {"kind": "tree"}, "its kind is 'tree'"),
        (lambda text: text | {"schema_version": 99}, "its schema is 99"),
        (
            lambda text: {k: v for k, v in text.items() if k != "level_lengths"},
            "lacks 'level_lengths'",
        ),
        (lambda text: text | {"settings": text["settings"] | {"window": 1}}, "window"),
        (lambda text: text | {"banks": []}, "classes"),
        (lambda text: text | {"card": {"classes": ["a"]}}, "has no schema_version"),
        (lambda text: text | {"level_lengths": []}, "at least 1 item"),
        (
            lambda text: text | {"level_lengths": [7, *text["level_lengths"][1:]]},
            "its finest level has 7",
        ),
        (lambda text: text | {"calibration": {"slope": None}}, "slope"),
        (lambda text: [text], "is not a localizer"),
    ],
)
def test_text_that_does_not_fit_is_refused(file, change, message):
    with pytest.raises(ModelError, match=message):
        model_file.load(rewritten(file, change))


def shortened(arrays):
    return arrays | {name: arrays[name][:-1] for name in ("weights_0", "regression_weights_0")}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda arrays: {k: v for k, v in arrays.items() if k != "bias_0"}, "lacks 'bias_0'"),
        (shortened, "wrong shapes"),
        (lambda arrays: arrays | {"bias_0": arrays["bias_0"] * np.float32(np.nan)}, "not finite"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(file, change, message):
    with pytest.raises(ModelError, match=message):
        model_file.load(rewritten(file, change_arrays=change))
