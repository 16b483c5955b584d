"""The label file of a session in each format: what is saved is read again, edits are noticed."""

import dataclasses
import json
import os

import pytest
from PIL import Image

from onebox.errors import DataError, OneboxError, SettingError
from onebox.formats import read, write
from onebox.labelling import watched_files
from onebox.labelling.label_file import LabelFile, Saved
from onebox.labelling.merging import differences
from onebox.labelling.records import Label
from onebox.structures import Dataset, KeypointSet, Sample

SIZE = (40, 30)
BOX = (1.0, 2.0, 30.0, 20.0)
OTHER = (5.0, 6.0, 17.0, 18.0)
CLASSES = ("cat", "dog")
POINTS = ((3.0, 4.0, 2), (5.0, 6.0, 1))
FORMATS = {"csv": "labels.csv", "voc": "voc", "coco": "labels.json", "yolo": "yolo"}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Do not wait for other programs to finish writing."""
    monkeypatch.setattr(watched_files, "QUIET_S", 0.0)


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in "abcd":
        Image.new("RGB", SIZE, (ord(name), 0, 0)).save(folder / f"{name}.png")
    return folder


@pytest.fixture
def opened(images, tmp_path):
    """Write ``a`` and ``b`` as train, ``c`` as val, and open them: ``opened("voc")``."""

    def open_format(name, keypoints=None):
        samples = (
            Sample(images / "a.png", "cat", BOX, size_wh=SIZE),
            Sample(images / "b.png", "dog", BOX, size_wh=SIZE),
            Sample(images / "c.png", size_wh=SIZE, split="val"),
        )
        path = tmp_path / FORMATS[name]
        write(Dataset(samples, CLASSES, keypoints), path, name)
        return LabelFile.open(path, None, path if name == "yolo" else images)

    return open_format


def save(file, changes, classes=CLASSES, **more):
    """Save labels as a session that knows the labels last read."""
    known = {image: [file.content.labels.get(image)] for image in changes}
    return file.save(changes, known=known, classes=classes, **more)


def image_of(file, name):
    return next(one for one in file.content.labels if one.stem == name)


def by_name(labels):
    return {image.stem: label for image, label in labels.items()}


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_saved_is_what_a_new_session_and_a_training_run_read(opened, name):
    file = opened(name)
    a, b = image_of(file, "a"), image_of(file, "b")
    changes = {a: Label("dog", OTHER), b: Label()}
    if name != "yolo":  # its images have their places in its folders
        changes[a.with_name("d.png")] = Label("cow", BOX)
    classes = (*CLASSES, "cow")
    assert save(file, changes, classes, splits=dict.fromkeys(changes, "val")) == Saved()
    again = LabelFile.open(file.path, None, file.path.parent if name == "yolo" else a.parent)
    assert differences(file.content.labels, again.content.labels) == {}
    assert again.content.splits == file.content.splits
    expected = {"a": ("dog", OTHER, "train"), "b": (None, None, "train"), "c": (None, None, "val")}
    if name != "yolo":
        expected["d"] = ("cow", BOX, "val")
    data = read(file.path, classes=classes)
    assert {one.image.stem: (one.label, one.box, one.split) for one in data} == {
        stem: (label, box and pytest.approx(box), split)
        for stem, (label, box, split) in expected.items()
    }


@pytest.mark.parametrize("name", FORMATS)
def test_a_label_that_is_taken_away_is_read_as_not_labelled(opened, name):
    file = opened(name)
    a, b = image_of(file, "a"), image_of(file, "b")
    save(file, {a: None})
    assert save(file, {b: Label("cat", OTHER)}) == Saved()
    again = LabelFile.open(file.path, None, file.path.parent if name == "yolo" else a.parent)
    assert by_name(again.content.labels).keys() == {"b", "c"}
    assert by_name(file.content.labels).keys() == {"b", "c"}


def edit_outside(file, name):
    """Give ``b`` the class cat with another program."""
    if name == "csv":
        file.path.write_text(file.path.read_text().replace("b.png,dog", "b.png,cat"))
    elif name == "voc":
        xml = file.path / "b.xml"
        xml.write_text(xml.read_text().replace("dog", "cat"))
    elif name == "coco":
        content = json.loads(file.path.read_text())
        content["annotations"][1]["category_id"] = 1
        file.path.write_text(json.dumps(content))
    else:
        label = file.path.parent / "labels/train/b.txt"
        label.write_text(label.read_text().replace("1 ", "0 ", 1))


@pytest.mark.parametrize("name", FORMATS)
def test_an_edit_from_outside_is_noticed_merged_and_never_overwritten(opened, name):
    file = opened(name)
    a, b = image_of(file, "a"), image_of(file, "b")
    edit_outside(file, name)
    saved = save(file, {a: Label("dog", OTHER), b: Label("dog", OTHER)})
    [(image, theirs)] = saved.conflicts.items()
    assert (image, theirs.label, theirs.box) == (b, "cat", pytest.approx(BOX))
    assert saved.theirs == {}
    data = {one.image.stem: one.label for one in read(file.path)}
    assert data == {"a": "dog", "b": "cat", "c": None}
    assert save(file, {b: Label("dog", OTHER)}) == Saved()
    assert {one.label for one in read(file.path)} == {"dog", None}


@pytest.mark.parametrize("name", ["voc", "yolo"])
def test_the_removal_of_one_file_outside_takes_one_label_away(opened, name):
    file = opened(name)
    b = image_of(file, "b")
    (b.parents[2] / "labels/train/b.txt" if name == "yolo" else file.path / "b.xml").unlink()
    assert file.refresh() == {b: None}


def test_a_folder_that_is_gone_is_refused(opened):
    file = opened("voc")
    file.path.rename(file.path.with_name("moved"))
    with pytest.raises(DataError, match="Annotations: is gone; it was deleted or moved"):
        save(file, {image_of(file, "a"): None})


def test_files_that_were_written_before_the_disk_refused_are_not_edits_from_outside(
    opened, monkeypatch
):
    file = opened("voc")
    a, b = image_of(file, "a"), image_of(file, "b")
    changes = {a: Label("dog", OTHER), b: Label("cat", OTHER)}
    with monkeypatch.context() as patch:
        replace = watched_files._replace

        def refuse_b(replacement):
            if replacement.path.stem == "b":
                raise OneboxError("b.xml: cannot be written (No space left on device).")
            replace(replacement)

        patch.setattr(watched_files, "_replace", refuse_b)
        assert list(save(file, changes).refused) == [b]
    assert save(file, changes) == Saved()
    assert file.refresh() == {}
    assert {one.image.stem: one.box for one in read(file.path)} == {
        "a": OTHER,
        "b": OTHER,
        "c": None,
    }


@pytest.fixture
def protect(monkeypatch):
    """Protect files by name, as their owner may: ``protect("b.xml")``; nothing ends it."""
    access = os.access

    def protect_files(*names):
        def may(path, mode):
            return (mode != os.W_OK or path.name not in names) and access(path, mode)

        monkeypatch.setattr(os, "access", may)

    return protect_files


@pytest.mark.parametrize(("name", "suffix"), [("voc", "xml"), ("yolo", "txt")])
def test_a_protected_file_costs_no_other_image_its_label_and_none_an_undone_one(
    opened, protect, name, suffix
):
    file = opened(name)
    a, b, c = (image_of(file, stem) for stem in "abc")
    protect(f"b.{suffix}")
    saved = save(file, dict.fromkeys((a, b, c), Label("dog", OTHER)))
    assert list(saved.refused) == [b]
    assert f"b.{suffix}: is read-only. Change its permissions" in saved.refused[b]
    assert {one.image.stem: one.box for one in read(file.path)} == {
        "a": pytest.approx(OTHER),
        "b": pytest.approx(BOX),
        "c": pytest.approx(OTHER),
    }
    assert list(save(file, {a: Label("cat", BOX), b: Label("dog", OTHER)}).refused) == [b]
    protect()
    assert save(file, {b: Label("dog", OTHER)}) == Saved()
    assert {one.image.stem: one.box for one in read(file.path)} == {
        "a": pytest.approx(BOX),
        "b": pytest.approx(OTHER),
        "c": pytest.approx(OTHER),
    }


def test_a_label_is_written_again_if_a_later_error_hid_that_it_was_written(opened, monkeypatch):
    file = opened("voc")
    a, b = image_of(file, "a"), image_of(file, "b")
    replace = watched_files._replace

    def fail_at_b(replacement):
        if replacement.path.stem == "b":
            raise MemoryError
        replace(replacement)

    with monkeypatch.context() as patch:
        patch.setattr(watched_files, "_replace", fail_at_b)
        with pytest.raises(MemoryError):
            save(file, dict.fromkeys((a, b), Label("dog", OTHER)))
    assert "<xmin>5" in (file.path / "a.xml").read_text()
    assert save(file, {a: Label("cat", BOX)}) == Saved()
    assert {one.box for one in read(file.path)} == {BOX, None}


@pytest.fixture
def full_disk(monkeypatch):
    """Refuse to write or remove files by name: ``full_disk("b.xml")``; nothing ends it."""
    replace = watched_files._replace

    def refuse(*names):
        def replace_others(replacement):
            if replacement.path.name in names:
                raise OneboxError(f"{replacement.path.name}: the disk is full.")
            replace(replacement)

        monkeypatch.setattr(watched_files, "_replace", replace_others)

    return refuse


def count_edits(file):
    """The number of samples of each edit of a label file from now on."""
    editor, counts = file._editor, []

    def edit(path, edits):
        counts.append(len(edits.samples))
        return editor.edit(path, edits)

    file._editor = dataclasses.replace(editor, edit=edit)
    return counts


@pytest.mark.parametrize(("name", "suffix"), [("voc", "xml"), ("yolo", "txt")])
def test_many_refused_files_take_as_many_edits_as_one(opened, full_disk, name, suffix):
    file = opened(name)
    a = image_of(file, "a")
    images = [a.with_name(f"{number:02}.png") for number in range(40)]
    for image in images:
        Image.new("RGB", SIZE).save(image)
    changes = dict.fromkeys(images, Label("dog", OTHER))
    counts = count_edits(file)
    full_disk(*(f"{image.stem}.{suffix}" for image in images))
    refused = save(file, changes).refused
    assert refused == {one: f"{one.stem}.{suffix}: the disk is full." for one in images}
    assert counts == [40]
    full_disk(*(f"{image.stem}.{suffix}" for image in images[::2]))
    assert list(save(file, changes).refused) == images[::2]
    assert counts == [40, 40, 20]  # once more, without the refused
    full_disk()
    assert save(file, changes) == Saved()
    assert counts == [40, 40, 20, 20]
    labels = {one.image.stem: one.box for one in read(file.path)}
    assert [labels[image.stem] for image in images] == [pytest.approx(OTHER)] * 40


def test_a_list_that_waits_for_another_image_names_all_that_were_written(opened, full_disk):
    file = opened("voc")
    a, b, c = (image_of(file, stem) for stem in "abc")
    d = a.with_name("d.png")
    lists = file.path.parent / "ImageSets/Main"
    full_disk("d.xml", "val.txt")
    # train.txt loses b and would get d; val.txt loses c.
    changes = {a: Label("dog", OTHER), b: None, c: None, d: Label("cat", BOX)}
    counts = count_edits(file)
    assert save(file, changes).refused == {
        d: "d.xml: the disk is full.",
        c: "val.txt: the disk is full.",
    }
    assert counts == [4, 2]
    assert (lists / "train.txt").read_text().split() == ["a"]
    assert (lists / "val.txt").read_text().split() == ["c"]
    assert sorted(one.name for one in file.path.iterdir()) == ["a.xml", "c.xml"]
    full_disk()
    assert save(file, {c: None, d: Label("cat", BOX)}) == Saved()
    assert {one.image.stem: one.label for one in read(file.path)} == {"a": "dog", "d": "cat"}


def test_a_list_that_was_protected_gets_the_name_of_the_image_later(opened, protect):
    file = opened("voc")
    d = image_of(file, "a").with_name("d.png")
    lists = file.path.parent / "ImageSets/Main"
    protect("val.txt")
    for _ in range(2):
        saved = save(file, {d: Label("cat", BOX)}, splits={d: "val"})
        assert list(saved.refused) == [d]
    protect()
    assert save(file, {d: Label("cat", BOX)}, splits={d: "val"}) == Saved()
    assert (lists / "val.txt").read_text().split() == ["c", "d"]


def test_class_names_that_are_protected_cost_no_label_of_another_class(opened, protect):
    file = opened("yolo")
    a, b = image_of(file, "a"), image_of(file, "b")
    protect("data.yaml")
    changes = {a: Label("cow", OTHER), b: Label("cat", OTHER)}
    assert list(save(file, changes, (*CLASSES, "cow")).refused) == [a]
    assert {one.image.stem: one.label for one in read(file.path)} == {
        "a": "cat",
        "b": "cat",
        "c": None,
    }


def test_an_edit_of_one_of_several_files_is_merged_when_the_others_are_written_already(
    opened, monkeypatch
):
    file = opened("voc")
    a, b, c = (image_of(file, name) for name in "abc")
    replace = watched_files._replace

    def edit_first(replacement):
        xml = file.path / "b.xml"
        if replacement.path == xml:
            xml.write_text(xml.read_text().replace("dog", "cat"))
        replace(replacement)

    monkeypatch.setattr(watched_files, "_replace", edit_first)
    changes = dict.fromkeys((a, b, c), Label("dog", OTHER))
    saved = save(file, changes)
    assert (saved.conflicts, saved.theirs) == ({b: Label("cat", BOX)}, {})
    assert {one.image.stem: one.label for one in read(file.path)} == {
        "a": "dog",
        "b": "cat",
        "c": "dog",
    }


@pytest.mark.parametrize("name", ["coco", "yolo"])
def test_keypoints_are_read_and_saved(opened, name):
    keypoints = KeypointSet(("nose", "tail"))
    file = opened(name, keypoints)
    assert file.keypoints == keypoints
    a = image_of(file, "a")
    assert save(file, {a: Label("cat", BOX, POINTS)}) == Saved()
    sample = next(one for one in read(file.path) if one.image == a)
    assert [pytest.approx(point) for point in sample.keypoints] == list(POINTS)
    refused = save(file, {a: Label("cat", BOX, POINTS[:1])}).refused
    assert "has 1 keypoints, but the label file has a place for 2" in refused[a]


def test_a_new_json_file_is_coco(images):
    file = LabelFile.open(images / "labels.json", None, images)
    assert file.format == "coco"
    save(file, {images / "a.png": Label("cat", BOX)})
    assert LabelFile.open(file.path, None, images).content == file.content
    assert file.content.classes == CLASSES


def test_a_yolo_data_set_without_a_label_can_be_begun(images, tmp_path):
    (images / "images").mkdir()
    for image in images.glob("*.png"):
        image.rename(images / "images" / image.name)
    (images / "data.yaml").write_text("train: images\nnames: [cat]\n")
    file = LabelFile.open(images / "data.yaml", None, images)
    assert file.content.labels == {}
    image, outside = images / "images/a.png", tmp_path / "e.png"
    Image.new("RGB", SIZE).save(outside)
    changes = {image: Label("cat", BOX), outside: Label("cat", BOX)}
    assert save(file, changes).refused.keys() == {outside}
    assert [one.label for one in read(file.path)] == ["cat", None, None, None]


def test_one_xml_file_is_no_label_file_of_a_session(opened):
    file = opened("voc")
    with pytest.raises(SettingError, match=r"a\.xml: is the label of one image\. Name its folder"):
        LabelFile.open(file.path / "a.xml", None, file.path)
