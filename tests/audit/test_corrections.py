"""Corrections of a data set, and new label files."""

from dataclasses import replace

import pytest

import onebox
from onebox.audit.corrections import Correction, NewLabels, corrected, corrections_of
from onebox.errors import SettingError
from onebox.structures import Dataset, KeypointSet


def test_only_what_is_listed_and_suggests_something_is_corrected(audited, make_finding):
    idle = make_finding(4, "checks", kind="subject")
    audited = replace(audited, checks=[*audited.checks, idle])
    assert corrections_of(audited) == [
        Correction(0, "boxes", box=(12.5, 10.0, 70.0, 60.0)),
        Correction(3, "classes", label="cat"),
        Correction(2, "checks", box=(20.0, 20.0, 80.0, 70.0)),
    ]


def test_corrections_change_a_box_or_a_class_and_nothing_else(pets):
    box = (1.0, 2.0, 30.0, 40.0)
    after = corrected(pets, [Correction(0, "boxes", box), Correction(3, "classes", label="cat")])
    changed = {0: replace(pets.samples[0], box=box), 3: replace(pets.samples[3], label="cat")}
    expected = tuple(changed.get(row, sample) for row, sample in enumerate(pets))
    assert after == replace(pets, samples=expected)


def test_a_check_comes_before_a_list_and_the_first_box_before_a_second(pets):
    boxes = [(1.0, 1.0, 9.0, 9.0), (2.0, 2.0, 9.0, 9.0), (3.0, 3.0, 9.0, 9.0)]
    found = [
        Correction(0, "boxes", boxes[0]),
        Correction(0, "classes", label="dog"),
        Correction(0, "checks", boxes[1]),
        Correction(0, "checks", boxes[2]),
    ]
    first = corrected(pets, found).samples[0]
    assert (first.box, first.label) == (boxes[1], "dog")


def test_left_and_right_keypoints_are_exchanged_with_their_visibility(pets):
    points = ((1.0, 1.0, 2), (2.0, 2.0, 1), (3.0, 3.0, 2))
    keypoints = KeypointSet(("nose", "left_ear", "right_ear"), (), ((1, 2),))
    samples = tuple(replace(sample, keypoints=points) for sample in pets.samples[:2])
    posed = replace(pets, samples=samples, keypoints=keypoints)
    after = corrected(posed, [Correction(0, "checks", swaps_keypoints=True)])
    assert after.samples[0].keypoints == (points[0], points[2], points[1])
    assert after.samples[1] == posed.samples[1]


# --- new label files


@pytest.mark.parametrize("name", ["new.csv", "deep/er/new.csv", "new.json", "NEW.CSV"])
def test_new_labels_read_back_corrected_and_the_old_ones_keep_their_bytes(
    label_file, pets, audited, tmp_path, name
):
    before = label_file.read_bytes()
    labels = NewLabels(tmp_path / name)
    labels.check(pets)
    assert labels.write(pets, corrections_of(audited)) == 3
    after = onebox.read(tmp_path / name)
    assert [sample.box for sample in after] == [
        (12.5, 10.0, 70.0, 60.0),
        (20.0, 5.0, 90.0, 70.0),
        (20.0, 20.0, 80.0, 70.0),
        (30.0, 30.0, 60.0, 60.0),
        None,
    ]
    assert [sample.label for sample in after] == ["cat", "dog", "cat", "cat", None]
    assert [sample.split for sample in after] == [sample.split for sample in pets]
    assert label_file.read_bytes() == before


@pytest.mark.parametrize("old", ["voc", "yolo", "coco"])
def test_a_folder_gets_the_format_of_the_old_labels(pets, audited, tmp_path, old):
    onebox.write(pets, tmp_path / "old", old)
    data = onebox.read(tmp_path / "old")
    row = next(row for row, sample in enumerate(data) if sample.image.stem == "a")
    box = (12.0, 10.0, 70.0, 60.0)
    labels = NewLabels(tmp_path / "new")
    labels.check(data)
    assert labels.write(data, [Correction(row, "boxes", box)]) == 1
    after = {sample.image.stem: sample.box for sample in onebox.read(tmp_path / "new", old)}
    assert after["a"] == pytest.approx(box, abs=1e-4)
    assert after["d"] == pytest.approx((30, 30, 60, 60), abs=1e-4)


def make_file(path):
    path.write_text("mine")


def make_empty_file(path):
    path.touch()


def make_folder(path):
    path.mkdir()


def make_broken_link(path):
    path.symlink_to(path.parent / "nowhere")


@pytest.mark.parametrize("make", [make_file, make_empty_file, make_folder, make_broken_link])
def test_nothing_that_exists_is_replaced(pets, tmp_path, make):
    path = tmp_path / "new.csv"
    make(path)
    before = sorted(tmp_path.rglob("*"))
    for attempt in (NewLabels(path).check, lambda data: NewLabels(path).write(data, [])):
        with pytest.raises(SettingError, match=r"new\.csv: exists already"):
            attempt(pets)
    assert sorted(tmp_path.rglob("*")) == before
    assert make is not make_file or path.read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("new.txt", "no labels are written to a '.txt' file. Name a .csv or .json file"),
        ("new", "CSV labels are one file, not a folder. Name a file, such as .*new.csv"),
    ],
)
def test_a_place_without_a_format_is_refused(pets, tmp_path, name, message):
    with pytest.raises(SettingError, match=message):
        NewLabels(tmp_path / name).check(pets)


def test_keypoints_need_a_format_that_keeps_them(pets, tmp_path):
    posed = replace(pets, keypoints=KeypointSet(("nose",)))
    with pytest.raises(SettingError, match="csv has no place for keypoints"):
        NewLabels(tmp_path / "new.csv").check(posed)
    NewLabels(tmp_path / "new.json").check(posed)


def test_generated_images_have_no_label_file(discs, tmp_path):
    few = Dataset(discs.samples[:2], discs.classes)
    with pytest.raises(SettingError, match="these images are generated"):
        NewLabels(tmp_path / "new.csv").check(few)
