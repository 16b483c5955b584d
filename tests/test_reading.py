"""Any data set, read by its path or name."""

from pathlib import Path

import pytest
from PIL import Image

import onebox
from onebox.errors import DataError, SettingError
from onebox.formats import splitting
from onebox.structures import SPLITS
from onebox.synthetic import NAMES


@pytest.fixture
def labels(tmp_path):
    """A label file of two images, one of which has two boxes."""
    for name in ("a.png", "b.png"):
        Image.new("RGB", (100, 80)).save(tmp_path / name)
    path = tmp_path / "labels.csv"
    path.write_text(
        "image,label,x_min,y_min,x_max,y_max\n"
        "a.png,cat,10,10,20,20\nb.png,dog,10,10,20,20\nb.png,dog,10,10,60,60\n"
    )
    return path


def test_an_image_that_a_failing_disk_does_not_give_back_is_a_problem_of_the_data(
    labels, monkeypatch
):
    def fail(image):
        raise OSError(5, "Input/output error", str(image))

    monkeypatch.setattr(splitting, "_content", fail)
    with pytest.raises(DataError, match=r"[ab]\.png: cannot be read \(Input/output error\)"):
        onebox.read(labels, on_multiple="largest")


@pytest.mark.parametrize("name", NAMES)
def test_generated_data_sets_are_read_by_name_without_a_file(name):
    data = onebox.read(name)
    assert data.name == name
    assert all(data.part(split).samples for split in SPLITS)


def test_an_unknown_generated_data_set_is_refused_with_a_suggestion():
    with pytest.raises(SettingError, match=r"Did you mean synth:blobs\?"):
        onebox.read("synth:blob")


@pytest.mark.parametrize("kind", [str, Path])
def test_a_path_may_be_text_or_a_path(kind, labels):
    data = onebox.read(kind(labels), on_multiple="largest")
    assert [sample.box for sample in data] == [(10, 10, 20, 20), (10, 10, 60, 60)]
    assert data.classes == ("cat", "dog")


def test_several_boxes_are_an_error_unless_a_policy_is_named(labels):
    with pytest.raises(DataError, match="several boxes"):
        onebox.read(labels)
    assert len(onebox.read(labels, on_multiple="skip")) == 1


def test_declared_classes_keep_their_order_and_refuse_other_labels(labels):
    data = onebox.read(labels, on_multiple="largest", classes=["dog", "cat", "cow"])
    assert data.classes == ("dog", "cat", "cow")
    with pytest.raises(DataError, match=r"labels.csv:2: label 'cat' is not one of dog."):
        onebox.read(labels, on_multiple="largest", classes=["dog"])


def test_a_named_format_is_not_guessed(labels):
    with pytest.raises(DataError):
        onebox.read(labels, "coco")
    with pytest.raises(SettingError, match=r"Did you mean csv\?"):
        onebox.read(labels, "cvs")


def test_an_empty_name_is_not_the_working_folder(labels, monkeypatch):
    monkeypatch.chdir(labels.parent)
    with pytest.raises(SettingError, match="has no name"):
        onebox.read("")
