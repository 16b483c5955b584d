"""Edited YOLO data sets: one label file an image, and class names appended to a file that stays."""

import pytest
import yaml
from PIL import Image

from onebox.errors import DataError
from onebox.formats import read
from onebox.formats.edits import Edits
from onebox.formats.yolo_editing import edit, files, parse
from onebox.formats.yolo_names import append_names
from onebox.structures import Sample

SIZE = (40, 20)
BOX = (15.0, 5.0, 25.0, 15.0)
ROW = "0.5 0.5 0.25 0.5"  # centre 20, 10 of 40 x 20; 10 wide, 10 high
CONFIG = """# my animals
train: images/train  # most of them
val: images/val
names: [dog]  # in the order of the camera
"""


@pytest.fixture
def folder(tmp_path):
    for place in ("train/a", "train/b", "val/c"):
        image = tmp_path / f"images/{place}.png"
        image.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", SIZE, (ord(place[-1]), 0, 0)).save(image)
    for split in ("train", "val"):
        (tmp_path / "labels" / split).mkdir(parents=True)
    (tmp_path / "labels/train/a.txt").write_bytes(b"0 0.5 0.5 0.1 0.1\r\n0 0.1 0.1 0.1 0.1\r\n")
    (tmp_path / "data.yaml").write_text(CONFIG)
    return tmp_path


def change(path, changes, classes=("dog",)):
    """Edit the labels of a data set, write them, and return the names of the changed files."""
    edited = edit(path, edits_of(path, changes, classes))
    assert not edited.refused
    for one in edited.replacements:
        assert one.old == (one.path.read_bytes() if one.path.exists() else None)
        if one.new is not None:
            one.path.write_bytes(one.new)
        elif one.path.exists():
            one.path.unlink()
    return [one.path.name for one in edited.replacements]


def edits_of(path, changes, classes=("dog",)):
    root = path.parent if path.is_file() else path
    samples = {}
    for place, one in changes.items():
        image = root / f"images/{place}.png"
        keypoints = {"keypoints": one[2]} if one and len(one) > 2 else {}
        samples[image] = one and Sample(image, one[0], one[1], size_wh=SIZE, **keypoints)
    return Edits(samples, classes)


def test_an_edited_image_has_one_row_and_the_other_files_stay(folder):
    path = folder / "data.yaml"
    changes = {"train/a": ("dog", BOX), "train/b": (None, None), "val/c": ("dog", BOX)}
    assert change(path, changes) == ["a.txt", "b.txt", "c.txt"]
    assert (folder / "labels/train/a.txt").read_bytes() == f"0 {ROW}\r\n".encode()
    assert (folder / "labels/train/b.txt").read_bytes() == b""
    assert (folder / "labels/val/c.txt").read_bytes() == f"0 {ROW}\n".encode()
    assert path.read_text() == CONFIG
    assert [(one.label, one.box, one.split) for one in read(path)] == [
        ("dog", BOX, "train"),
        (None, None, "train"),
        ("dog", BOX, "val"),
    ]


def test_an_image_without_a_label_file_is_not_labelled_yet(folder):
    path = folder / "data.yaml"
    assert {row.image.stem for row in parse(path).rows} == {"a"}
    change(path, {"train/a": None, "train/b": (None, None)})
    assert not (folder / "labels/train/a.txt").exists()
    assert [(row.image.stem, row.box) for row in parse(path).rows] == [("b", None)]
    assert parse(path).problems == ()


def test_a_data_set_without_any_label_can_be_begun(folder):
    (folder / "labels/train/a.txt").unlink()
    assert parse(folder / "data.yaml").rows == ()
    assert parse(folder / "data.yaml").problems == ()


def test_a_new_class_is_appended_and_comments_stay(folder):
    path = folder / "data.yaml"
    names = change(path, {"train/a": ("ox", BOX)}, classes=("dog", "cat", "ox"))
    assert names == ["data.yaml", "a.txt"]
    assert path.read_text() == CONFIG.replace("[dog]", "[dog, cat, ox]")
    assert (folder / "labels/train/a.txt").read_bytes() == f"2 {ROW}\r\n".encode()
    assert read(path).classes == ("dog", "cat", "ox")


def test_a_class_that_no_label_needs_is_not_appended(folder):
    path = folder / "data.yaml"
    assert change(path, {"train/a": ("dog", BOX)}, classes=("dog", "cat")) == ["a.txt"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("names: [dog]\n", "names: [dog, cat]\n"),
        ("names: ['dog', ]\nnc: 1 # one\n", "names: ['dog', cat, ]\nnc: 2 # one\n"),
        ("names: {0: dog}\n", "names: {0: dog, 1: cat}\n"),
        ("names: {3: dog, 1: ox}\n", "names: {3: dog, 1: ox, 4: cat}\n"),
        ("names:\n- dog # my dog\nval: x\n", "names:\n- dog # my dog\n- cat\nval: x\n"),
        ("names:\n  - ox\n  - dog", "names:\n  - ox\n  - dog\n  - cat\n"),
        ("names:\r\n  0: dog\r\n\r\nnc: 1\r\n", "names:\r\n  0: dog\r\n  1: cat\r\n\r\nnc: 2\r\n"),
        ("nc: 0\nnames: []\n", "nc: 1\nnames: [cat]\n"),
        ("{names: [dog], train: x}", "{names: [dog, cat], train: x}"),
        ("a: &a [dog]\nnames: [\n  dog,  # d\n]\n", "a: &a [dog]\nnames: [\n  dog, cat,  # d\n]\n"),
    ],
)
def test_names_are_appended_in_the_layout_of_the_file(before, after):
    assert append_names(before, ["cat"], "data.yaml") == after


@pytest.mark.parametrize(
    "name", ["a, b", "no", "12", "it's", 'say "hi"', "# x", "ö", "a: b", "[", "null"]
)
@pytest.mark.parametrize("text", ["names: [dog]\n", "names:\n- dog\n", "names:\n  0: dog\n"])
def test_any_name_reads_back(text, name):
    names = yaml.safe_load(append_names(text, [name], "data.yaml"))["names"]
    assert (names if isinstance(names, list) else list(names.values())) == ["dog", name]


@pytest.mark.parametrize("text", ["a: &a [dog]\nnames: *a\n", "names: dog\n", "- names\n", ""])
def test_names_that_are_written_in_another_way_are_left_alone(text):
    with pytest.raises(DataError, match=r"data\.yaml: class 'cat' cannot be appended"):
        append_names(text, ["cat"], "data.yaml")


def test_names_that_cannot_be_appended_refuse_the_labels_that_need_them(folder):
    path = folder / "data.yaml"
    path.write_text("train: images/train\nx: &x [dog]\nnames: *x\n")
    changes = {"train/a": ("cat", BOX), "train/b": ("dog", BOX)}
    edited = edit(path, edits_of(path, changes, ("dog", "cat")))
    assert [image.stem for image in edited.refused] == ["a"]
    assert [one.path.name for one in edited.replacements] == ["b.txt"]


def test_a_folder_without_data_yaml_has_its_names_in_classes_txt(folder):
    (folder / "data.yaml").unlink()
    (folder / "classes.txt").write_text("dog")
    assert change(folder, {"val/c": ("cat", BOX)}, ("dog", "cat")) == ["classes.txt", "c.txt"]
    assert (folder / "classes.txt").read_text() == "dog\ncat\n"
    assert {one.label for one in read(folder, on_multiple="largest")} == {"dog", "cat", None}


def test_without_names_a_class_is_a_number(folder):
    (folder / "data.yaml").unlink()
    edited = edit(folder, edits_of(folder, {"val/c": ("cat", BOX), "train/a": ("1", BOX)}, ("1",)))
    assert [image.stem for image in edited.refused] == ["c"]
    assert [one.new for one in edited.replacements] == [f"1 {ROW}\r\n".encode()]


@pytest.mark.parametrize(("dims", "row"), [(3, " 0.25 0.5 2 0 0 0"), (2, " 0.25 0.5 0 0")])
def test_keypoints_follow_the_box(folder, dims, row):
    path = folder / "data.yaml"
    path.write_text(f"{CONFIG}kpt_shape: [2, {dims}]\n")
    points = ((10.0, 10.0, 2), (0.0, 0.0, 0))
    change(path, {"train/a": ("dog", BOX, points)})
    assert (folder / "labels/train/a.txt").read_bytes() == f"0 {ROW}{row}\r\n".encode()
    assert read(path).samples[0].keypoints == points


def test_an_image_that_the_data_set_does_not_name_is_refused(folder):
    image = folder / "other.png"
    Image.new("RGB", SIZE).save(image)
    edited = edit(
        folder / "data.yaml", Edits({image: Sample(image, "dog", BOX, size_wh=SIZE)}, ("dog",))
    )
    assert edited.refused == {
        image: f"{image}: is not among the images of data.yaml. Add its folder there, or move the "
        "image."
    }


def test_images_that_share_a_label_file_are_refused(folder):
    (folder / "images/train/a.jpg").touch()
    edited = edit(folder / "data.yaml", edits_of(folder / "data.yaml", {"train/a": ("dog", BOX)}))
    [problem] = edited.refused.values()
    assert "both have one label file" in problem


def test_images_may_be_in_a_list_and_folders_may_be_links(folder, tmp_path_factory):
    (folder / "list.txt").write_text("images/train/a.png\n")
    link = tmp_path_factory.mktemp("links") / "val"
    link.symlink_to(folder / "images/val")
    (folder / "data.yaml").write_text(f"train: list.txt\nval: {link}\nnames: [dog]\n")
    assert change(folder / "data.yaml", {"train/a": ("dog", BOX), "val/c": ("dog", BOX)}) == [
        "a.txt",
        "c.txt",
    ]
    assert [one.box for one in read(folder / "data.yaml")] == [BOX, BOX]


def test_the_files_are_the_configuration_the_lists_and_the_labels(folder):
    (folder / "list.txt").write_text("images/train/a.png\n")
    (folder / "data.yaml").write_text("train: list.txt\nval: images/val\nnames: [dog]\n")
    (folder / "labels/val/c.txt").touch()
    names = [one.relative_to(folder).as_posix() for one in files(folder / "data.yaml")]
    assert names == ["data.yaml", "labels/train/a.txt", "labels/val/c.txt", "list.txt"]


def test_a_new_class_in_classes_txt_has_the_number_of_its_line(folder):
    (folder / "data.yaml").unlink()
    (folder / "classes.txt").write_text("dog\n\nhorse\n\n\n")
    assert change(folder, {"val/c": ("cat", BOX)}, ("dog", "horse", "cat"))
    assert (folder / "classes.txt").read_text() == "dog\n\nhorse\ncat\n"
    assert (folder / "labels/val/c.txt").read_text().startswith("3 ")
    assert read(folder, on_multiple="largest").classes == ("dog", "horse", "cat")
