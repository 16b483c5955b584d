"""The label files that are found for a path."""

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from onebox.errors import DataError, SettingError
from onebox.formats import read, write
from onebox.structures import Dataset

ROW = "a.png,1,2,3,4,cat\n"
COCO = {
    "images": [{"id": 1, "file_name": "a.png"}],
    "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 2, 2]}],
    "categories": [{"id": 1, "name": "cat"}],
}
VOC = (
    "<annotation><filename>a.png</filename><object><name>cat</name><bndbox><xmin>1</xmin>"
    "<ymin>2</ymin><xmax>3</xmax><ymax>4</ymax></bndbox></object></annotation>"
)
TEXTS = {"labels.csv": ROW, "labels.json": json.dumps(COCO), "a.xml": VOC}


@pytest.fixture
def folder(tmp_path):
    for shade, name in enumerate("abcd"):
        Image.new("RGB", (40, 30), (shade, 0, 0)).save(tmp_path / f"{name}.png")
    return tmp_path


def box_of(path, **settings):
    (sample,) = read(path, **settings)
    return sample.label, sample.box


@pytest.mark.parametrize("name", TEXTS)
def test_a_folder_with_one_label_file_is_that_file(folder, name):
    (folder / name).write_text(TEXTS[name])
    assert box_of(folder) == box_of(folder / name) == ("cat", (1, 2, 3, 4))


@pytest.mark.parametrize("name", TEXTS)
def test_a_file_without_a_known_suffix_is_recognized_by_its_content(folder, name):
    (folder / "labels.txt").write_text("\ufeff" + TEXTS[name] if name != "a.xml" else VOC)
    assert box_of(folder / "labels.txt") == ("cat", (1, 2, 3, 4))


def test_a_file_or_folder_without_labels_is_reported(folder, problem_of):
    (folder / "notes.txt").write_text("nothing, really")
    assert "notes.txt: is not a label file (csv, voc, coco, yolo, " in problem_of(
        folder / "notes.txt"
    )
    assert "holds no label files (csv, voc, coco, yolo, " in problem_of(folder)


def test_other_csv_and_json_files_are_ignored(folder):
    (folder / "labels.csv").write_text(ROW)
    (folder / "results.csv").write_text("epoch,loss\n1,2\n")
    (folder / "metrics.json").write_text('{"loss": 1}')
    assert box_of(folder) == ("cat", (1, 2, 3, 4))


def test_the_only_file_of_a_folder_is_reported_with_its_own_problem(folder, problem_of):
    (folder / "labels.csv").write_text("photo,label\na.png,cat\n")
    assert problem_of(folder).startswith("labels.csv:1: has no column image")
    (folder / "labels.csv").unlink()
    (folder / "labels.json").write_text('{"images": []}')
    assert "labels.json: is not COCO" in problem_of(folder)


def test_several_formats_in_a_folder_are_reported_and_a_named_one_is_read(folder, problem_of):
    for name, text in TEXTS.items():
        (folder / name).write_text(text)
    problem = problem_of(folder)
    assert f"csv (labels.csv), voc ({folder.name}), coco (labels.json)" in problem
    assert "format='csv'" in problem
    for name in ("csv", "voc", "coco"):
        assert box_of(folder, format=name) == ("cat", (1, 2, 3, 4))


def test_an_unknown_format_is_a_setting_error_with_a_suggestion(folder):
    with pytest.raises(SettingError, match=r"csv, voc, coco, yolo, .*, got 'cocoa'.*mean coco\?"):
        read(folder, format="cocoa")
    with pytest.raises(SettingError, match=r"Did you mean yolo\?"):
        write(Dataset((), ()), folder / "out", "yollo")


def test_a_missing_path_is_reported_with_a_similar_one(folder, problem_of):
    (folder / "labels.csv").write_text(ROW)
    assert "Did you mean labels.csv?" in problem_of(folder / "lables.csv")


@pytest.mark.parametrize(
    "names",
    [
        ("train.{}", "val.{}", "cal.{}", "test.{}"),
        ("training.{}", "valid.{}", "Calib.{}", "Test.{}"),
        (
            *("instances_train2017.{}", "instances_val2017.{}"),
            *("instances_cal2017.{}", "instances_test2017.{}"),
        ),
        ("train/labels.{}", "validation/x.{}", "calibration/y.{}", "test/_annotations.coco.{}"),
    ],
)
@pytest.mark.parametrize("suffix", ["csv", "json"])
def test_files_or_folders_named_after_splits_are_one_data_set(folder, names, suffix):
    for letter, name in zip("abcd", names, strict=True):
        path = folder / name.format(suffix)
        path.parent.mkdir(exist_ok=True)
        path.write_text(TEXTS[f"labels.{suffix}"].replace("a.png", f"{letter}.png"))
        if path.parent != folder:
            shutil.copy(folder / f"{letter}.png", path.parent)
    assert [(s.image.name, s.split) for s in read(folder)] == [
        ("a.png", "train"),
        ("b.png", "val"),
        ("c.png", "cal"),
        ("d.png", "test"),
    ]


@pytest.mark.parametrize("name", ["val.csv", "instances_val2017.json"])
def test_an_image_of_another_split_is_not_taken_for_a_missing_one(folder, problem_of, name):
    (folder / name).write_text(TEXTS[f"labels{Path(name).suffix}"])
    for split in ("train", "validation"):
        (folder / split).mkdir()
    (folder / "a.png").rename(folder / "train/a.png")
    assert f"image {folder / 'a.png'} does not exist" in problem_of(folder / name)
    Image.new("RGB", (40, 30)).save(folder / "validation/a.png")
    (sample,) = read(folder / name)
    assert sample.image == folder / "validation/a.png"


def test_a_file_that_names_no_split_finds_images_in_the_folder_of_any(folder):
    (folder / "labels.csv").write_text(ROW)
    (folder / "train").mkdir()
    (folder / "a.png").rename(folder / "train/a.png")
    assert read(folder / "labels.csv").samples[0].image == folder / "train/a.png"


def test_problems_of_split_folders_name_the_folder_and_all_folders_are_read(folder):
    for name, text in {"train": "a.png,9,2,7,6,cat\n", "test": "epoch,loss\n"}.items():
        (folder / name).mkdir()
        (folder / name / "labels.csv").write_text(text)
        shutil.copy(folder / "a.png", folder / name)
    (folder / "valid").mkdir()
    (folder / "valid" / "labels.csv").write_text("b.png,nan,2,7,6,cat\n")
    with pytest.raises(DataError) as caught:
        read(folder, "csv")
    problems = caught.value.problems
    places = {problem.split(": ")[0] for problem in problems}
    assert places == {"train/labels.csv:1", "valid/labels.csv:1", "test/labels.csv:1"}


def test_a_broken_file_of_one_split_is_reported(folder, problem_of):
    (folder / "train.csv").write_text(ROW)
    (folder / "test.csv").write_text("photo,x,y\n")
    assert problem_of(folder).startswith("test.csv:1: has no column image")


def test_a_table_beside_those_of_the_splits_is_not_read_and_noted(folder):
    for name in ("train", "test", "all"):
        (folder / f"{name}.csv").write_text(ROW.replace("a.png", f"{name[0]}.png"))
    (folder / "t.png").write_bytes((folder / "b.png").read_bytes())
    (folder / "test.csv").write_text(ROW.replace("a.png", "c.png"))
    data = read(folder)
    assert [s.split for s in data] == ["train", "test"]
    assert data.notes == ("all.csv not read beside train.csv, test.csv.",)


def test_several_files_without_split_names_are_reported(folder, problem_of):
    for name in ("cats", "dogs"):
        (folder / f"{name}.csv").write_text(ROW)
    assert "holds several csv files: cats.csv, dogs.csv. Name one of them" in problem_of(folder)


def test_classes_of_several_files_keep_the_order_of_the_first(folder):
    (folder / "train.json").write_text(json.dumps(COCO))
    other = COCO | {"categories": [{"id": 1, "name": "dog"}, {"id": 2, "name": "cat"}]}
    (folder / "test.json").write_text(json.dumps(other).replace("a.png", "b.png"))
    assert read(folder).classes == ("cat", "dog")


CREATE_ML = [
    {
        "image": "a.png",
        "annotations": [{"label": "cat", "coordinates": {"x": 2, "y": 3, "width": 2, "height": 2}}],
    }
]
PERCENTS = {"x": 2.5, "y": 2 / 0.3, "width": 5, "height": 2 / 0.3, "rectanglelabels": ["cat"]}
LABEL_STUDIO = [
    {
        "data": {"image": "a.png"},
        "annotations": [{"result": [{"type": "rectanglelabels", "value": PERCENTS}]}],
    }
]


@pytest.mark.parametrize("content", [CREATE_ML, LABEL_STUDIO, COCO])
@pytest.mark.parametrize("name", ["labels.json", "labels.txt"])
def test_json_is_recognized_by_its_content_in_a_folder_and_by_name(folder, content, name):
    (folder / name).write_text(json.dumps(content))
    assert box_of(folder / name) == ("cat", pytest.approx((1, 2, 3, 4)))
    if name == "labels.json":
        assert box_of(folder) == ("cat", pytest.approx((1, 2, 3, 4)))


def test_a_label_studio_export_that_speaks_of_images_is_not_coco(folder):
    task = LABEL_STUDIO[0] | {"data": {"image": "a.png", "images": "a.png"}}
    (folder / "labels.json").write_text(json.dumps([task]))
    assert box_of(folder) == ("cat", pytest.approx((1, 2, 3, 4)))


def test_coco_beside_a_folder_called_data_is_read_once(folder):
    (folder / "data").mkdir()
    shutil.copy(folder / "a.png", folder / "data")
    (folder / "labels.json").write_text(json.dumps(COCO))
    for name in (None, "coco", "fiftyone"):
        assert box_of(folder, format=name) == ("cat", (1, 2, 3, 4))


def test_json_of_two_formats_for_two_splits_is_reported(folder, problem_of):
    (folder / "train.json").write_text(json.dumps(COCO))
    (folder / "test.json").write_text(json.dumps(CREATE_ML).replace("a.png", "b.png"))
    assert "holds labels in several formats: coco (" in problem_of(folder)


@pytest.mark.parametrize(
    "names", [("train.csv", "val.csv"), ("labels/train.csv", "labels/test.csv")]
)
def test_files_of_several_splits_share_the_one_folder_there_is(folder, names):
    place = (folder / names[0]).parent / "train"
    place.mkdir(parents=True)
    for name, image in zip(names, ("a.png", "b.png"), strict=True):
        (folder / name).write_text(ROW.replace("a.png", image))
        (folder / image).rename(place / image)
    found = {one.image.name: one.split for one in read((folder / names[0]).parent)}
    assert found == {"a.png": "train", "b.png": Path(names[1]).stem}


def test_a_file_of_two_splits_finds_images_in_the_folders_of_both(folder):
    (folder / "train_val.csv").write_text(ROW + ROW.replace("a.png", "b.png"))
    for split, image in (("train", "a.png"), ("val", "b.png")):
        (folder / split).mkdir()
        (folder / image).rename(folder / split / image)
    assert {one.image.parent.name for one in read(folder / "train_val.csv")} == {"train", "val"}
