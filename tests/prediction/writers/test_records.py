"""Predictions as text."""

import csv
import dataclasses
import io
import json
from pathlib import Path

import pytest

from onebox.prediction.writers import KINDS, Layout, Row, as_json_line, names_in
from onebox.structures import KeypointSet, Prediction

CAT = Prediction("cat", 0.75, (1.5, 2.0, 11.5, 22.0), (0.9, 0.1))
KEYPOINTS = KeypointSet(("nose", "tail"), ((0, 1),))
POSED = Prediction("cat", 0.75, CAT.box, CAT.probabilities, ((2.5, 3.0, 0.5), (9.0, 4.0, 0.25)))
DOG = Prediction("dog", 0.1, (0.1, 0.2, 0.3, 0.4), (0.4, 0.6))
SEEN = dataclasses.replace(CAT, present=0.25)
BOTH = dataclasses.replace(POSED, present=0.25)
PLAIN = Layout(("cat", "dog"))
WITH_KEYPOINTS = dataclasses.replace(PLAIN, keypoints=KEYPOINTS)
WITH_PRESENCE = dataclasses.replace(PLAIN, has_presence=True)
WITH_BOTH = dataclasses.replace(WITH_KEYPOINTS, has_presence=True)
WITH_FRAMES = dataclasses.replace(PLAIN, has_frames=True)
CAT_ROW = Row("a.png", CAT)
KEYPOINT_COLUMNS = "nose_x,nose_y,nose_confidence,tail_x,tail_y,tail_confidence"


def line_of(kind, row, layout=PLAIN, number=1):
    return KINDS[kind].line(row, layout, number)


# --- JSON lines


def test_a_json_line_is_one_line_with_the_probability_of_each_class():
    line = line_of("jsonl", Row('a "b"\n.png', CAT))
    assert (line.count("\n"), line[-1]) == (1, "\n")
    assert json.loads(line) == {
        "image": 'a "b"\n.png',
        "label": "cat",
        "score": 0.75,
        "box": [1.5, 2.0, 11.5, 22.0],
        "probabilities": {"cat": 0.9, "dog": 0.1},
    }


def test_a_json_line_has_keypoints_by_name_after_all_that_it_has_without():
    plain = json.loads(as_json_line(CAT_ROW, PLAIN))
    posed = json.loads(as_json_line(Row("a.png", POSED), WITH_KEYPOINTS))
    assert list(posed) == [*plain, "keypoints"]
    assert posed == plain | {"keypoints": {"nose": [2.5, 3.0, 0.5], "tail": [9.0, 4.0, 0.25]}}


def test_a_json_line_has_presence_before_the_keypoints_and_only_where_the_answer_has_it():
    plain = json.loads(as_json_line(CAT_ROW, PLAIN))
    line = json.loads(as_json_line(Row("a.png", SEEN), WITH_PRESENCE))
    assert list(line) == [*plain, "present"]
    assert line == plain | {"present": 0.25}
    both = json.loads(as_json_line(Row("a.png", BOTH), WITH_BOTH))
    assert list(both) == [*plain, "present", "keypoints"]


def test_a_json_line_of_a_frame_has_its_number_and_time_behind_the_name():
    plain = json.loads(as_json_line(CAT_ROW, PLAIN))
    line = json.loads(as_json_line(Row("clip.mp4", CAT, frame=10, time_s=0.4), PLAIN))
    assert list(line) == ["image", "frame", "time_s", *list(plain)[1:]]
    assert (line["image"], line["frame"], line["time_s"]) == ("clip.mp4", 10, 0.4)


# --- CSV


def header(layout):
    return KINDS["csv"].header(layout)


def test_csv_keeps_every_digit_and_quotes_what_needs_it():
    lines = [line_of("csv", Row("a,b.png", CAT)), line_of("csv", Row("c.png", DOG))]
    rows = list(csv.reader(io.StringIO(header(PLAIN) + "".join(lines))))
    assert rows == [
        ["image", "label", "score", "x_min", "y_min", "x_max", "y_max"],
        ["a,b.png", "cat", "0.75", "1.5", "2.0", "11.5", "22.0"],
        ["c.png", "dog", "0.1", "0.1", "0.2", "0.3", "0.4"],
    ]
    assert "\r" not in "".join(lines)


@pytest.mark.parametrize(
    ("row", "layout", "names", "cells"),
    [
        (Row("a.png", POSED), WITH_KEYPOINTS, KEYPOINT_COLUMNS, "2.5,3.0,0.5,9.0,4.0,0.25"),
        (Row("a.png", SEEN), WITH_PRESENCE, "present", "0.25"),
        (
            Row("a.png", BOTH),
            WITH_BOTH,
            f"present,{KEYPOINT_COLUMNS}",
            "0.25,2.5,3.0,0.5,9.0,4.0,0.25",
        ),
        (Row("a.png", CAT, 10, 0.4), WITH_FRAMES, "frame,time_s", "10,0.4"),
        (CAT_ROW, WITH_FRAMES, "frame,time_s", ","),
    ],
)
def test_csv_has_more_columns_behind_those_that_are_always_there(row, layout, names, cells):
    assert header(layout).rstrip() == f"{header(PLAIN).rstrip()},{names}"
    assert line_of("csv", row, layout).rstrip() == f"{line_of('csv', CAT_ROW).rstrip()},{cells}"


# --- COCO results


def test_a_coco_box_is_corner_and_size():
    assert json.loads(line_of("coco", CAT_ROW, number=7)) == {
        "image_id": 7,
        "file_name": "a.png",
        "category_id": 1,
        "bbox": [1.5, 2.0, 10.0, 20.0],  # 11.5 - 1.5, 22 - 2
        "score": 0.75,
    }


def test_coco_categories_follow_the_model_s_classes():
    assert json.loads(line_of("coco", Row("d.png", DOG)))["category_id"] == 2


def test_coco_has_three_numbers_a_keypoint_one_keypoint_after_another():
    plain = json.loads(line_of("coco", CAT_ROW))
    posed = json.loads(line_of("coco", Row("a.png", POSED), WITH_KEYPOINTS))
    assert posed == plain | {"keypoints": [2.5, 3.0, 0.5, 9.0, 4.0, 0.25]}


def test_coco_results_keep_every_answer_as_it_is_and_say_which_frame_it_is_of():
    plain = json.loads(line_of("coco", CAT_ROW))
    assert json.loads(line_of("coco", Row("a.png", SEEN), WITH_PRESENCE)) == plain
    frame = json.loads(line_of("coco", Row("a.png", CAT, 10, 0.4), WITH_FRAMES))
    assert frame == plain | {"frame": 10, "time_s": 0.4}


# --- names


@pytest.mark.parametrize(
    ("file", "image", "name"),
    [
        ("p.csv", "images/a.png", "images/a.png"),
        ("out/p.csv", "images/a.png", "../images/a.png"),
        ("images/p.csv", "images/a.png", "a.png"),
        ("images/p.csv", "a.png", "../a.png"),
        ("out/p.csv", "/images/a.png", "/images/a.png"),
        ("/dev/stdout", "images/a.png", "images/a.png"),
    ],
)
def test_a_name_in_a_file_leads_from_its_folder_to_the_image(
    file, image, name, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert names_in(Path(file))(Path(image)) == name
