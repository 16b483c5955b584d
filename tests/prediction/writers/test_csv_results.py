"""CSV results: which columns a file has, and what a row looks like in it."""

import csv
import dataclasses

import pytest

from onebox.prediction.writers import KINDS, Journal, Layout, Row
from onebox.structures import KeypointSet, Prediction

CAT = Prediction("cat", 0.75, (1.5, 2.0, 11.5, 22.0), (0.9, 0.1))
POSED = dataclasses.replace(CAT, keypoints=((2.5, 3.0, 0.5), (9.0, 4.0, 0.25)))
DOG = Prediction("dog", 0.1, (0.1, 0.2, 0.3, 0.4), (0.4, 0.6))
PLAIN = Layout(("cat", "dog"))
WITH_KEYPOINTS = dataclasses.replace(PLAIN, keypoints=KeypointSet(("nose", "tail")))
WITH_FRAMES = dataclasses.replace(PLAIN, has_frames=True)
KEYPOINT_COLUMNS = "nose_x,nose_y,nose_confidence,tail_x,tail_y,tail_confidence"


def text_of(path, rows, layout=PLAIN):
    kind = KINDS["csv"]
    kind.write([kind.record(row, layout) for row in rows], layout, path)
    return path.read_bytes().decode()


def test_csv_keeps_every_digit_and_quotes_names_that_need_it(tmp_path):
    text = text_of(tmp_path / "p.csv", [Row("a,b.png", CAT), Row("c.png", DOG)])
    assert list(csv.reader(text.splitlines())) == [
        ["image", "label", "score", "x_min", "y_min", "x_max", "y_max"],
        ["a,b.png", "cat", "0.75", "1.5", "2.0", "11.5", "22.0"],
        ["c.png", "dog", "0.1", "0.1", "0.2", "0.3", "0.4"],
    ]
    assert "\r" not in text


@pytest.mark.parametrize("name", ["a\rb.png", "a\nb.png", "a\r\nb.png", "\r", 'a"\r'])
def test_a_name_with_a_line_end_is_quoted_and_the_file_is_continued(name, tmp_path):
    file = tmp_path / "p.csv"
    text = text_of(file, [Row(name, CAT), Row("c.png", DOG)])
    quoted = name.replace('"', '""')
    lines = f'"{quoted}",cat,0.75,1.5,2.0,11.5,22.0\nc.png,dog,0.1,0.1,0.2,0.3,0.4\n'
    assert text == f"image,label,score,x_min,y_min,x_max,y_max\n{lines}"
    with Journal(KINDS["csv"], file, PLAIN, resume=True) as journal:
        assert (journal.has(name), journal.has("c.png"), journal.kept) == (True, True, 2)


@pytest.mark.parametrize(
    ("row", "layout", "names", "cells"),
    [
        (Row("a.png", POSED), WITH_KEYPOINTS, KEYPOINT_COLUMNS, "2.5,3.0,0.5,9.0,4.0,0.25"),
        (
            Row("a.png", dataclasses.replace(CAT, present=0.25)),
            dataclasses.replace(PLAIN, has_presence=True),
            "present",
            "0.25",
        ),
        (
            Row("a.png", dataclasses.replace(POSED, present=0.25)),
            dataclasses.replace(WITH_KEYPOINTS, has_presence=True),
            f"present,{KEYPOINT_COLUMNS}",
            "0.25,2.5,3.0,0.5,9.0,4.0,0.25",
        ),
        (Row("a.png", CAT, 10, 0.4), WITH_FRAMES, "frame,time_s", "10,0.4"),
        (Row("a.png", CAT), WITH_FRAMES, "frame,time_s", ","),
    ],
)
def test_csv_has_more_columns_after_those_that_every_file_has(row, layout, names, cells, tmp_path):
    plain = text_of(tmp_path / "plain.csv", [Row("a.png", CAT)]).splitlines()
    assert text_of(tmp_path / "p.csv", [row], layout).splitlines() == [
        f"{plain[0]},{names}",
        f"{plain[1]},{cells}",
    ]
