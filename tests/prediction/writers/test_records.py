"""Rows of results, as JSON."""

import dataclasses
import json

from onebox.prediction.writers import Layout, Row, as_json_line
from onebox.structures import KeypointSet, Prediction

CAT = Prediction("cat", 0.75, (1.5, 2.0, 11.5, 22.0), (0.9, 0.1))
PLAIN = Layout(("cat", "dog"))
CAT_LINE = json.loads(as_json_line(Row("a.png", CAT), PLAIN))
WITH_KEYPOINTS = dataclasses.replace(PLAIN, keypoints=KeypointSet(("nose", "tail"), ((0, 1),)))
POSED = dataclasses.replace(CAT, keypoints=((2.5, 3.0, 0.5), (9.0, 4.0, 0.25)))


def test_a_json_line_is_one_line_with_the_probability_of_each_class():
    line = as_json_line(Row('a "b"\n.png', CAT), PLAIN)
    assert "\n" not in line
    assert json.loads(line) == {
        "image": 'a "b"\n.png',
        "label": "cat",
        "score": 0.75,
        "box": [1.5, 2.0, 11.5, 22.0],
        "probabilities": {"cat": 0.9, "dog": 0.1},
    }


def test_a_json_line_has_keypoints_by_name_after_everything_else():
    posed = json.loads(as_json_line(Row("a.png", POSED), WITH_KEYPOINTS))
    assert list(posed) == [*CAT_LINE, "keypoints"]
    keypoints = {"nose": [2.5, 3.0, 0.5], "tail": [9.0, 4.0, 0.25]}
    assert posed == CAT_LINE | {"keypoints": keypoints}


def test_a_json_line_has_presence_before_the_keypoints_only_if_the_prediction_has_it():
    seen = Row("a.png", dataclasses.replace(CAT, present=0.25))
    line = json.loads(as_json_line(seen, dataclasses.replace(PLAIN, has_presence=True)))
    assert list(line) == [*CAT_LINE, "present"]
    assert line == CAT_LINE | {"present": 0.25}
    both = Row("a.png", dataclasses.replace(POSED, present=0.25))
    layout = dataclasses.replace(WITH_KEYPOINTS, has_presence=True)
    assert list(json.loads(as_json_line(both, layout))) == [*CAT_LINE, "present", "keypoints"]


def test_a_json_line_of_a_frame_has_its_number_and_time_after_the_name():
    line = json.loads(as_json_line(Row("clip.mp4", CAT, frame=10, time_s=0.4), PLAIN))
    assert list(line) == ["image", "frame", "time_s", *list(CAT_LINE)[1:]]
    assert (line["image"], line["frame"], line["time_s"]) == ("clip.mp4", 10, 0.4)
