"""Corrected labels: a new file, and the old one untouched."""

import dataclasses
from pathlib import Path

import pytest
from PIL import Image

import onebox
from onebox import formats
from onebox.audit.corrections import (
    Correction,
    check_new_file,
    corrected,
    listed_corrections,
    write_corrected,
)
from onebox.audit.find import find
from onebox.errors import DataError, SettingError
from onebox.structures import Dataset, KeypointSet, Sample


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Three images with labels in a folder, which is the working folder."""
    monkeypatch.chdir(tmp_path)
    for number in range(3):
        Image.new("RGB", (40, 30), (number, 0, 0)).save(f"{number}.png")
    samples = [
        Sample(Path(f"{number}.png"), "cat", (1.0, 2.0, 20.0, 25.0), split, size_wh=(40, 30))
        for number, split in enumerate(["train", "val", "test"])
    ]
    data = Dataset(tuple(samples), ("cat", "dog"))
    formats.write(data, "labels.csv", "csv")
    return data


def test_boxes_and_classes_are_changed_where_corrections_say_so(files):
    changed = corrected(
        files,
        [Correction(0, box=(5.0, 5.0, 15.0, 15.0)), Correction(2, label="dog"), Correction(0)],
    )
    assert [sample.box for sample in changed][:2] == [(5, 5, 15, 15), (1, 2, 20, 25)]
    assert [sample.label for sample in changed] == ["cat", "cat", "dog"]
    assert [sample.split for sample in changed] == ["train", "val", "test"]


def test_a_later_correction_of_the_same_box_wins(files):
    boxes = [(5.0, 5.0, 15.0, 15.0), (6.0, 6.0, 16.0, 16.0)]
    assert corrected(files, [Correction(1, box=box) for box in boxes]).samples[1].box == boxes[1]


def test_a_box_is_cut_at_the_frame_and_refused_outside_it(files):
    assert corrected(files, [Correction(0, box=(30.0, 20.0, 50.0, 50.0))]).samples[0].box == (
        30.0, 20.0, 40.0, 30.0,
    )  # fmt: skip
    with pytest.raises(DataError, match=r"0.png: the suggested box, cut at the frame"):
        corrected(files, [Correction(0, box=(50.0, 0.0, 60.0, 10.0))])


def test_keypoints_are_exchanged_by_their_pairs(files):
    points = ((1.0, 2.0, 2), (3.0, 4.0, 1), (5.0, 6.0, 0))
    keypoints = KeypointSet(("left", "right", "nose"), (), ((0, 1),))
    samples = tuple(dataclasses.replace(sample, keypoints=points) for sample in files)
    named = dataclasses.replace(files, samples=samples, keypoints=keypoints)
    changed = corrected(named, [Correction(1, swaps_keypoints=True)])
    assert changed.samples[1].keypoints == ((3.0, 4.0, 1), (1.0, 2.0, 2), (5.0, 6.0, 0))
    assert changed.samples[0].keypoints == points


def test_a_new_file_has_the_corrections_and_the_old_one_is_untouched(files):
    before = Path("labels.csv").read_bytes()
    assert write_corrected(files, [Correction(0, box=(5.0, 5.0, 15.0, 15.0))], Path("new.csv")) == 1
    assert onebox.read("new.csv").samples[0].box == (5, 5, 15, 15)
    assert onebox.read("new.csv").samples[1:] == onebox.read("labels.csv").samples[1:]
    assert Path("labels.csv").read_bytes() == before


def test_coco_is_written_to_a_name_that_ends_in_json(files):
    write_corrected(files, [Correction(2, label="dog")], Path("sub/new.json"))
    assert [sample.label for sample in onebox.read("sub/new.json")] == ["cat", "cat", "dog"]


@pytest.mark.parametrize("content", ["", "labels"])
def test_a_file_that_exists_is_never_overwritten(files, content):
    Path("new.csv").write_text(content)
    with pytest.raises(SettingError, match=r"--apply new.csv: exists already"):
        write_corrected(files, [], Path("new.csv"))
    assert Path("new.csv").read_text() == content


def test_a_name_that_tells_no_format_is_refused():
    with pytest.raises(SettingError, match=r"--apply new.txt: ends in neither .csv nor .json"):
        check_new_file("--apply", Path("new.txt"))


def test_only_what_is_listed_and_suggested_is_corrected(data, found, relabel):
    audit = find(relabel(data, 7, box=(0.0, 0.0, 30.0, 20.0)), found, 0.1)
    rows = [one.row for one in listed_corrections(audit)]
    assert rows == [finding.row for finding in audit.findings() if finding.is_listed]
    assert 7 in rows
    assert len(rows) < 4
