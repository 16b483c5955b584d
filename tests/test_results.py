"""Predictions as text, and files that appear whole or not at all."""

import csv
import dataclasses
import io
import json
import os
from pathlib import Path

import pytest

from onebox import files, results
from onebox.errors import OneboxError
from onebox.structures import Joints, Prediction

CLASSES = ("cat", "dog")
CAT = Prediction("cat", 0.75, (1.5, 2.0, 11.5, 22.0), (0.9, 0.1))
JOINTS = Joints(("nose", "tail"), ((0, 1),))
POSED = Prediction("cat", 0.75, CAT.box, CAT.probabilities, ((2.5, 3.0, 0.5), (9.0, 4.0, 0.25)))
DOG = Prediction("dog", 0.1, (0.1, 0.2, 0.3, 0.4), (0.4, 0.6))


def test_a_json_line_is_one_line_with_the_probability_of_each_class():
    line = results.as_json_line('a "b"\n.png', CAT, CLASSES)
    assert "\n" not in line
    assert json.loads(line) == {
        "image": 'a "b"\n.png',
        "label": "cat",
        "score": 0.75,
        "box": [1.5, 2.0, 11.5, 22.0],
        "probabilities": {"cat": 0.9, "dog": 0.1},
    }


def test_csv_keeps_every_digit_and_quotes_what_needs_it():
    text = results.as_csv([("a,b.png", CAT), ("unread.png", None), ("c.png", DOG)], CLASSES)
    rows = list(csv.reader(io.StringIO(text)))
    assert rows == [
        ["image", "label", "score", "x_min", "y_min", "x_max", "y_max"],
        ["a,b.png", "cat", "0.75", "1.5", "2.0", "11.5", "22.0"],
        ["c.png", "dog", "0.1", "0.1", "0.2", "0.3", "0.4"],
    ]
    assert "\r" not in text


def test_coco_boxes_are_corner_and_size_and_numbers_count_from_one():
    answers = [("a.png", CAT), ("unread.png", None), ("c.png", CAT)]
    first, last = json.loads(results.as_coco(answers, CLASSES))
    assert first == {
        "image_id": 1,
        "file_name": "a.png",
        "category_id": 1,
        "bbox": [1.5, 2.0, 10.0, 20.0],  # 11.5 - 1.5, 22 - 2
        "score": 0.75,
    }
    assert last["image_id"] == 3


def test_coco_categories_follow_the_model_s_classes():
    [dog] = json.loads(results.as_coco([("d.png", DOG)], CLASSES))
    assert dog["category_id"] == 2


def test_a_json_line_has_joints_by_name_after_all_that_it_has_without():
    plain = json.loads(results.as_json_line("a.png", CAT, CLASSES))
    posed = json.loads(results.as_json_line("a.png", POSED, CLASSES, JOINTS))
    assert list(posed) == [*plain, "keypoints"]
    assert posed == plain | {"keypoints": {"nose": [2.5, 3.0, 0.5], "tail": [9.0, 4.0, 0.25]}}


def test_csv_has_the_joints_behind_the_columns_that_are_always_there():
    plain = results.as_csv([("a.png", CAT)], CLASSES).splitlines()
    posed = results.as_csv([("a.png", POSED), ("unread.png", None)], CLASSES, JOINTS).splitlines()
    names = "nose_x,nose_y,nose_confidence,tail_x,tail_y,tail_confidence"
    assert posed == [f"{plain[0]},{names}", f"{plain[1]},2.5,3.0,0.5,9.0,4.0,0.25"]


def test_coco_has_three_numbers_a_joint_one_joint_after_another():
    [plain] = json.loads(results.as_coco([("a.png", CAT)], CLASSES))
    [posed] = json.loads(results.as_coco([("a.png", POSED)], CLASSES, JOINTS))
    assert posed == plain | {"keypoints": [2.5, 3.0, 0.5, 9.0, 4.0, 0.25]}


@pytest.mark.parametrize("kind", results.WRITERS)
@pytest.mark.parametrize("answers", [[], [("a.png", CAT)]])
@pytest.mark.parametrize("joints", [None, JOINTS])
def test_each_kind_of_file_begins_as_it_says(kind, answers, joints):
    writer = results.WRITERS[kind]
    told = answers if joints is None else [(name, POSED) for name, _ in answers]
    assert writer.write(told, CLASSES, joints).encode().startswith(writer.beginning)


@pytest.mark.parametrize(
    ("file", "image", "name"),
    [
        ("p.csv", "pictures/a.png", "pictures/a.png"),
        ("out/p.csv", "pictures/a.png", "../pictures/a.png"),
        ("pictures/p.csv", "pictures/a.png", "a.png"),
        ("out/p.csv", "/pictures/a.png", "/pictures/a.png"),
        ("/dev/stdout", "pictures/a.png", "pictures/a.png"),
    ],
)
def test_a_name_in_a_file_leads_from_its_folder_to_the_picture(
    file, image, name, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert results.named_in(Path(file), Path(image)) == name


def test_a_file_is_replaced_and_leaves_nothing_beside_it(tmp_path):
    path = tmp_path / "p.csv"
    for content in (b"first, and longer", b"second"):
        files.write_whole(path, content)
    assert path.read_bytes() == b"second"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_to_a_file_stays_a_link(tmp_path):
    (tmp_path / "file").write_bytes(b"first")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    files.write_whole(tmp_path / "link", b"second")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_bytes() == b"second"


def test_a_pipe_is_written_to_as_it_stands(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        files.write_whole(pipe, b"text")
        assert os.read(reader, 99) == b"text"
    finally:
        os.close(reader)
    assert pipe.is_fifo()


def test_a_disk_that_fills_up_costs_the_new_file_and_not_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "p.csv"
    path.write_bytes(b"old")

    def fill_up(self, content):
        with self.open("wb") as file:
            file.write(content[:1])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fill_up)
    with pytest.raises(OneboxError, match=r"p.csv: cannot be written \(No space left on device\)"):
        files.write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["missing/p.csv", "file/p.csv"])
def test_a_place_that_is_none_is_named_in_the_error(name, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OneboxError, match=f"{name}: cannot be written"):
        files.write_whole(tmp_path / name, b"text")


# --- presence ---------------------------------------------------------------------------------

SEEN = dataclasses.replace(CAT, present=0.25)


def test_a_json_line_has_presence_before_the_joints_and_only_where_the_answer_has_it():
    plain = json.loads(results.as_json_line("a.png", CAT, CLASSES))
    line = json.loads(results.as_json_line("a.png", SEEN, CLASSES))
    assert list(line) == [*plain, "present"]
    assert line == plain | {"present": 0.25}
    posed = dataclasses.replace(POSED, present=0.25)
    both = json.loads(results.as_json_line("a.png", posed, CLASSES, JOINTS))
    assert list(both) == [*plain, "present", "keypoints"]


def test_csv_has_presence_behind_the_columns_that_are_always_there_and_before_the_joints():
    plain = results.as_csv([("a.png", CAT)], CLASSES).splitlines()
    answers = [("a.png", SEEN), ("unread.png", None)]
    assert results.as_csv(iter(answers), CLASSES).splitlines() == [
        f"{plain[0]},present",
        f"{plain[1]},0.25",
    ]
    posed = [("a.png", dataclasses.replace(POSED, present=0.25))]
    names = "nose_x,nose_y,nose_confidence,tail_x,tail_y,tail_confidence"
    assert results.as_csv(posed, CLASSES, JOINTS).splitlines() == [
        f"{plain[0]},present,{names}",
        f"{plain[1]},0.25,2.5,3.0,0.5,9.0,4.0,0.25",
    ]


def test_coco_results_keep_every_answer_as_it_is():
    assert results.as_coco([("a.png", SEEN)], CLASSES) == results.as_coco([("a.png", CAT)], CLASSES)
