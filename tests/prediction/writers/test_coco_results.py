"""COCO results: what an entry has, and how images are numbered."""

import dataclasses
import itertools
import json

import pytest

from onebox.prediction.writers import KINDS, Journal, Layout, Row
from onebox.structures import KeypointSet, Prediction

CAT = Prediction("cat", 0.75, (1.5, 2.0, 11.5, 22.0), (0.9, 0.1))
DOG = Prediction("dog", 0.1, (0.1, 0.2, 0.3, 0.4), (0.4, 0.6))
PLAIN = Layout(("cat", "dog"))
COCO = KINDS["coco"]


def entry(row, layout=PLAIN):
    """The entry without its number, and with the name as the journal has it."""
    return COCO.record(row, layout)


def write(file, *names, unreadable=(), resume=False, is_finished=True):
    """Write names in order; those that are unreadable only take note."""
    with Journal(COCO, file, PLAIN, resume=resume) as journal:
        for name in names:
            if name in unreadable:
                journal.write_unreadable(name)
            elif not journal.has(name):
                journal.write(Row(name, CAT))
        if is_finished:
            journal.finish()


def image_ids(file):
    return {one["file_name"]: one["image_id"] for one in json.loads(file.read_text())}


def test_a_box_is_corner_and_size(tmp_path):
    write(tmp_path / "p.json", "a.png")
    assert json.loads((tmp_path / "p.json").read_text()) == [
        {
            "image_id": 1,
            "file_name": "a.png",
            "category_id": 1,
            "bbox": [1.5, 2.0, 10.0, 20.0],  # 11.5 - 1.5, 22 - 2
            "score": 0.75,
        }
    ]


def test_categories_follow_the_model_s_classes():
    assert entry(Row("d.png", DOG))["category_id"] == 2


def test_an_entry_has_three_numbers_per_keypoint_one_keypoint_after_another():
    posed = Row("a.png", dataclasses.replace(CAT, keypoints=((2.5, 3.0, 0.5), (9.0, 4.0, 0.25))))
    layout = dataclasses.replace(PLAIN, keypoints=KeypointSet(("nose", "tail")))
    numbers = [2.5, 3.0, 0.5, 9.0, 4.0, 0.25]
    assert entry(posed, layout) == entry(Row("a.png", CAT)) | {"keypoints": numbers}


def test_an_entry_has_the_number_and_time_of_a_frame_and_no_presence():
    plain = entry(Row("a.png", CAT))
    seen = Row("a.png", dataclasses.replace(CAT, present=0.25))
    assert entry(seen, dataclasses.replace(PLAIN, has_presence=True)) == plain
    frame = entry(Row("a.png", CAT, 10, 0.4), dataclasses.replace(PLAIN, has_frames=True))
    assert frame == plain | {"frame": 10, "time_s": 0.4}


def test_an_unreadable_image_keeps_its_number_until_it_can_be_read(tmp_path):
    file = tmp_path / "p.json"
    write(file, "a.png", "b.png", "c.png", unreadable=["b.png"], is_finished=False)
    write(file, "b.png", unreadable=["b.png"], resume=True, is_finished=False)
    with Journal(COCO, file, PLAIN, resume=True) as journal:
        assert not journal.has("b.png")
        assert journal.kept == 2
    write(file, "b.png", "d.png", resume=True)
    assert image_ids(file) == {"a.png": 1, "b.png": 2, "c.png": 3, "d.png": 4}


def test_an_unreadable_image_has_no_entry(tmp_path):
    file = tmp_path / "p.json"
    write(file, "a.png", "b.png", unreadable=["a.png"])
    assert image_ids(file) == {"b.png": 2}


def test_numbers_of_a_finished_file_stay_and_new_ones_follow(tmp_path):
    file = tmp_path / "p.json"
    write(file, "a.png", "b.png")
    write(file, "0.png", resume=True)
    assert image_ids(file) == {"a.png": 1, "b.png": 2, "0.png": 3}


@pytest.mark.parametrize(
    ("still_unreadable", "numbers"),
    [
        (["a.png", "c.png"], {"b.png": 2, "d.png": 4, "e.png": 5}),
        (["a.png"], {"b.png": 2, "c.png": 3, "d.png": 4, "e.png": 5}),
        ([], {"a.png": 1, "b.png": 2, "c.png": 3, "d.png": 4, "e.png": 5}),
    ],
)
def test_an_image_that_was_unreadable_takes_its_number_when_the_finished_file_is_continued(
    still_unreadable, numbers, tmp_path
):
    file = tmp_path / "p.json"
    write(file, "a.png", "b.png", "c.png", "d.png", unreadable=["a.png", "c.png"])
    assert image_ids(file) == {"b.png": 2, "d.png": 4}
    for _ in range(2):
        write(file, "a.png", "c.png", "e.png", unreadable=still_unreadable, resume=True)
        assert image_ids(file) == numbers


def test_numbers_are_those_of_one_run_wherever_two_runs_before_it_were_stopped(tmp_path):
    whole, file = tmp_path / "whole", tmp_path / "p.json"
    names, unreadable = ("a.png", "b.png", "c.png", "d.png", "e.png"), ["b.png", "d.png"]
    write(whole, *names, unreadable=unreadable)
    assert image_ids(whole) == {"a.png": 1, "c.png": 3, "e.png": 5}
    for first, second in itertools.combinations_with_replacement(range(len(names) + 1), 2):
        for ends in itertools.product([True, False], repeat=2):  # Ctrl-C, or a kill
            write(file, *names[:first], unreadable=unreadable, is_finished=ends[0])
            write(file, *names[:second], unreadable=unreadable, resume=True, is_finished=ends[1])
            write(file, *names, unreadable=unreadable, resume=True)
            assert file.read_bytes() == whole.read_bytes(), (first, second, ends)
            file.unlink()
