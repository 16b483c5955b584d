"""`onebox convert` and `onebox synth`: label files and generated images on disk."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import onebox
from onebox.structures import SPLITS, KeypointSet

HEADER = "image,label,x_min,y_min,x_max,y_max,split\n"


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)


def facts_of(data):
    """Name, label, box and split of each image; some formats copy the images."""
    return {(sample.image.name, sample.label, sample.box, sample.split) for sample in data}


def pixels_of(path):
    with Image.open(path) as image:
        return np.asarray(image).astype(int)


def bright_box(path):
    """The box around all pixels that are not black."""
    rows, columns = np.nonzero(pixels_of(path).sum(axis=2))
    return (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)


# --- synth


def test_generated_discs_read_back_with_the_boxes_of_their_pixels(run):
    code, out, err = run("synth", "blobs", "new/discs", "--count", 20, "--size", 48)
    assert (code, out, err) == (0, "new/discs/labels.csv: 20 images\n", "")
    data = onebox.read("new/discs")
    assert [len(data.part(split)) for split in SPLITS] == [15, 1, 2, 2]
    assert data.classes == ("disc",)
    for sample in data:
        assert sample.box == bright_box(sample.image)
        assert pixels_of(sample.image).shape == (48, 48, 3)


def test_the_seed_determines_the_images(run):
    for folder, seed in (("a", 7), ("b", 7), ("c", 8)):
        run("synth", "blobs", folder, "--count", 3, "--size", 32, "--seed", seed)
    pixels = {
        name: [path.read_bytes() for path in sorted(Path(name).rglob("*.png"))] for name in "abc"
    }
    assert pixels["a"] == pixels["b"]
    assert pixels["a"] != pixels["c"]


def test_images_without_the_subject_are_black_and_read_back_without_one(run):
    words = ("--count", 20, "--size", 32)
    assert run("synth", "blobs", "whole", *words)[0] == 0
    assert run("synth", "blobs", "some", *words, "--absent", 0.4)[0] == 0
    whole, some = onebox.read("whole"), onebox.read("some")
    absent = [sample for sample in some if not sample.has_subject]
    assert 3 <= len(absent) <= 14
    assert not any(pixels_of(sample.image).any() for sample in absent)
    assert all((sample.label, sample.box) == (None, None) for sample in absent)
    shown = facts_of(some) - {(s.image.name, None, None, s.split) for s in absent}
    assert shown < facts_of(whole)
    assert some.classes == ("disc",)


def test_synth_prints_the_path_of_the_labels_as_json(run):
    _, out, _ = run("synth", "blobs", "discs", "--count", 2, "--size", 32, "--json")
    assert json.loads(out) == {"labels": "discs/labels.csv", "images": 2}


def test_the_user_s_cutouts_and_backgrounds_are_used(run):
    Path("red").mkdir()
    cut = Image.new("RGBA", (40, 40))
    cut.paste((255, 0, 0, 255), (10, 10, 30, 30))
    cut.save("red/fox.png")
    Path("green").mkdir()
    Image.new("RGB", (40, 40), (0, 255, 0)).save("green/meadow.png")
    words = ["--count", 2, "--size", 64, "--cutouts", "red", "--backgrounds", "green"]
    assert run("synth", "cutouts", "foxes", *words)[0] == 0
    for sample in onebox.read("foxes"):
        x_min, y_min, x_max, y_max = map(int, sample.box)
        is_red = pixels_of(sample.image)[:, :, 0] > 50
        assert sample.label == "fox"
        assert is_red[(y_min + y_max) // 2, (x_min + x_max) // 2]
        is_red[y_min:y_max, x_min:x_max] = False
        assert not is_red.any()


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["blob", "out"], 2, "the kind 'blob' is not one of blobs, cutouts, cutouts-black."),
        (["blobs", "full"], 2, "full: is not empty."),
        (["blobs", "full/mine.txt"], 2, "full/mine.txt: is a file."),
        (["blobs", "out", "--size", "100000"], 2, "Invalid value for '--size'"),
        (["blobs", "out", "--backgrounds", "full"], 2, "takes no backgrounds."),
        (["cutouts", "out", "--cutouts", "full"], 3, "holds no images."),
        (["cutouts", "out", "--cutouts", "nowhere"], 3, "is not a folder."),
        (["blobs", "full/mine.txt/out"], 1, "cannot be written"),
    ],
)
def test_a_refused_synth_has_a_message_and_changes_nothing(words, code, message, run):
    Path("full").mkdir()
    Path("full/mine.txt").write_text("mine")
    ended, out, err = run("synth", *words, "--count", 3)
    assert (ended, out) == (code, "")
    assert message in err
    assert sorted(path.name for path in Path().rglob("*")) == ["full", "mine.txt"]


# --- convert


def test_labels_survive_conversion_through_all_four_formats(run):
    run("synth", "blobs", "discs", "--count", 12, "--size", 48)
    before = facts_of(onebox.read("discs/labels.csv"))
    here = "discs/labels.csv"
    for name, there in (("voc", "voc"), ("coco", "coco"), ("yolo", "yolo"), ("csv", "back.csv")):
        code, out, err = run("convert", here, there, "--to", name)
        assert (code, out, err) == (0, f"{there}: 12 images\n", "")
        assert facts_of(onebox.read(there, name)) == before
        here = there


def test_convert_prints_what_it_wrote_as_json(run):
    run("synth", "blobs", "discs", "--count", 2, "--size", 32)
    _, out, _ = run("convert", "discs", "out.json", "--to", "coco", "--json")
    assert json.loads(out) == {"labels": "out.json", "images": 2}


def test_every_bad_row_is_listed_at_once_and_nothing_is_written(run):
    Image.new("RGB", (100, 80)).save("a.png")
    Image.new("RGB", (100, 80)).save("b.png")
    rows = [
        "a.png,cat,60,10,20,40,train",  # inverted
        "b.png,cat,0.1,0.2,0.5,0.9,train",  # normalized
        "c.png,cat,1,2,3,4,train",  # missing
        "b.png,cat,1,2,nan,4,tets",  # two mistakes, of which the first is reported
    ]
    Path("labels.csv").write_text(HEADER + "\n".join(rows) + "\n")
    code, out, err = run("convert", "labels.csv", "out", "--to", "voc")
    lines = sorted(line.removeprefix("error: ") for line in err.splitlines())
    assert (code, out) == (3, "")
    assert [line.split(": ")[0] for line in lines] == [f"labels.csv:{row}" for row in (2, 3, 4, 5)]
    assert "-40 x 30 pixels" in lines[0]
    assert "normalized" in lines[1]
    assert "does not exist" in lines[2]
    assert not Path("out").exists()


def test_several_boxes_are_kept_by_the_policy_with_a_note(run):
    Image.new("RGB", (100, 80)).save("a.png")
    Path("labels.csv").write_text(
        HEADER + "a.png,cat,10,10,20,20,train\na.png,cat,10,10,60,60,train\n"
    )
    code, _, err = run(
        "convert", "labels.csv", "out.csv", "--to", "csv", "--on-multiple", "largest"
    )
    assert (code, err.startswith("note: 1 image with several boxes")) == (0, True)
    assert onebox.read("out.csv").samples[0].box == (10, 10, 60, 60)


def test_bad_rows_are_skipped_with_a_note_if_asked(run):
    Image.new("RGB", (100, 80)).save("a.png")
    Path("labels.csv").write_text(
        HEADER + "a.png,cat,10,10,20,20,train\nmissing.png,cat,10,10,60,60,train\n"
    )
    code, out, err = run("convert", "labels.csv", "out.csv", "--to", "csv", "--on-bad", "skip")
    assert (code, out) == (0, "out.csv: 1 image\n")
    assert err.startswith("note: ")
    assert "labels.csv:3" in err


def test_keypoints_survive_conversion_from_coco_to_yolo_and_back(run):
    Image.new("RGB", (100, 80)).save("a.png")
    names = ["head", "left_hand", "right_hand"]
    category = {"id": 1, "name": "person", "keypoints": names, "skeleton": [[1, 2], [1, 3]]}
    annotation = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [10, 20, 50, 40]}
    annotation |= {"keypoints": [15, 25, 2, 0, 0, 0, 60, 59.5, 1], "num_keypoints": 2}
    image = {"id": 1, "file_name": "a.png", "width": 100, "height": 80, "split": "train"}
    content = {"images": [image], "annotations": [annotation], "categories": [category]}
    Path("people.json").write_text(json.dumps(content))
    assert run("convert", "people.json", "yolo", "--to", "yolo")[0] == 0
    [row] = Path("yolo/labels/train/a.txt").read_text().splitlines()
    # centre 35, 40 and 50 x 40 of 100 x 80; then each keypoint, normalized, with its visibility
    normalized = [0, 0.35, 0.5, 0.5, 0.5, 0.15, 0.3125, 2, 0, 0, 0, 0.6, 0.74375, 1]
    assert [float(word) for word in row.split()] == pytest.approx(normalized)
    assert run("convert", "yolo", "back.json", "--to", "coco")[0] == 0
    data = onebox.read("back.json")
    assert data.keypoints == KeypointSet(tuple(names), ((0, 1), (0, 2)), ((1, 2),))
    [sample] = data
    assert [number for keypoint in sample.keypoints for number in keypoint] == pytest.approx(
        annotation["keypoints"]
    )
    assert sample.box == pytest.approx((10, 20, 60, 60))


def test_keypoints_are_not_dropped_silently(run):
    Image.new("RGB", (100, 80)).save("a.png")
    category = {"id": 1, "name": "person", "keypoints": ["head"], "skeleton": []}
    annotation = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [10, 10, 20, 20]}
    annotation |= {"keypoints": [15, 15, 2], "num_keypoints": 1}
    image = {"id": 1, "file_name": "a.png", "width": 100, "height": 80}
    content = {"images": [image], "annotations": [annotation], "categories": [category]}
    Path("people.json").write_text(json.dumps(content))
    code, _, err = run("convert", "people.json", "out.csv", "--to", "csv")
    assert code == 2
    assert "csv has no place for keypoints" in err
    assert not Path("out.csv").exists()


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["discs", "out", "--to", "cvs"], 2, "--to 'cvs' is not one of csv, voc, coco, yolo, "),
        (["discs", "out", "--to", "csv", "--on-bad", "skpi"], 2, "Did you mean skip?"),
        (["discs", "discs/labels.csv", "--to", "csv"], 2, "exists already"),
        (["discs", "discs", "--to", "yolo"], 2, "exists already"),
        (["synth:blobs", "out", "--to", "csv"], 2, "onebox synth"),
        (["discs", "out", "--to", "csv", "--format", "coco"], 3, "discs"),
        (["nowhere", "out", "--to", "csv"], 3, "nowhere: there is no such file or folder."),
        (["", "out", "--to", "csv"], 2, "Name a label file"),
    ],
)
def test_a_refused_convert_has_a_message_and_changes_nothing(words, code, message, run):
    run("synth", "blobs", "discs", "--count", 2, "--size", 32)
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    ended, out, err = run("convert", *words)
    assert (ended, out) == (code, "")
    assert message in err
    assert {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()} == before


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with names")
def test_a_pipe_is_refused_and_not_replaced(run):
    assert run("synth", "blobs", "discs", "--count", "3", "--size", "32")[0] == 0
    os.mkfifo("pipe")
    code, _, err = run("convert", "discs", "pipe", "--to", "csv")
    assert (code, Path("pipe").is_fifo()) == (2, True)
    assert "pipe: is a device or a pipe. Name a file or a folder." in err


def test_a_file_in_place_of_a_folder_is_refused(run, tmp_path):
    assert run("synth", "blobs", "discs", "--count", "3", "--size", "32")[0] == 0
    (tmp_path / "taken").write_text("a file")
    code, _, err = run("convert", "discs/labels.csv", "taken/out.csv", "--to", "csv")
    assert code == 1
    assert "taken" in err
    assert "cannot be written" in err
