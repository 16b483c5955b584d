"""Hugging Face imagefolder: metadata beside the images."""

import json

import pytest
from PIL import Image

from onebox.formats import read, write
from onebox.structures import Dataset, Sample


@pytest.fixture
def folder(tmp_path):
    """A folder with images of 40 x 30 pixels."""
    names = ["a.png", "b.png", "cat/a.png", "dog/b.png", "train/a.png", "validation/b.png"]
    for shade, name in enumerate(names):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (40, 30), (shade, 0, 0)).save(tmp_path / name)
    return tmp_path


def put(folder, *entries):
    lines = [one if isinstance(one, str) else json.dumps(one) for one in entries]
    (folder / "metadata.jsonl").write_text("".join(f"{line}\n" for line in lines))
    return folder


def entry(name, *boxes, **others):
    objects = {"bbox": [list(box) for box in boxes], "categories": ["cat"] * len(boxes)}
    return {"file_name": name, "objects": objects, **others}


def test_boxes_are_corner_and_size_in_pixels(folder):
    data = read(put(folder, entry("a.png", (1.5, 2, 10, 20)), entry("b.png")))
    assert [(one.label, one.box) for one in data] == [("cat", (1.5, 2, 11.5, 22)), (None, None)]
    assert [one.origin for one in data] == ["metadata.jsonl:1", "metadata.jsonl:2"]


@pytest.mark.parametrize("key", ["categories", "category", "category_id", "labels", "label"])
def test_classes_have_one_of_the_names_in_use(folder, key):
    one = {"file_name": "a.png", "objects": {"bbox": [[1, 2, 3, 4]], key: [7]}}
    assert read(put(folder, one)).samples[0].label == "7"


def test_objects_may_be_listed_one_by_one(folder):
    objects = [{"bbox": [1, 2, 3, 4], "category": "cat"}, {"bbox": [0, 0, 9, 9], "category": "dog"}]
    data = read(put(folder, {"file_name": "a.png", "objects": objects}), on_multiple="largest")
    assert (data.samples[0].label, data.samples[0].box) == ("dog", (0, 0, 9, 9))


def test_without_categories_the_folder_of_an_image_is_its_class(folder):
    names = ["cat/a.png", "dog/b.png", "a.png"]
    data = read(
        put(folder, *({"file_name": n, "objects": {"bbox": [[1, 2, 3, 4]]}} for n in names))
    )
    assert [one.label for one in data] == ["cat", "dog", "object"]


def test_folders_named_like_splits_are_splits_if_all_images_lie_in_such(folder):
    data = read(put(folder, entry("train/a.png", (1, 2, 3, 4)), entry("validation/b.png")))
    assert [one.split for one in data] == ["train", "val"]


def test_split_folders_have_metadata_of_their_own(folder):
    put(folder / "train", entry("a.png", (1, 2, 3, 4)))
    put(folder / "validation", entry("b.png", (1, 2, 3, 4)))
    data = read(folder)
    assert [(one.split, one.origin) for one in data] == [
        ("train", "train/metadata.jsonl:1"),
        ("val", "validation/metadata.jsonl:1"),
    ]


def test_a_table_holds_the_objects_as_json(folder):
    objects = json.dumps({"bbox": [[1, 2, 3, 4]], "categories": ["cat"]}).replace('"', '""')
    text = f'file_name,objects,width,height\na.png,"{objects}",40,30\nb.png,,,\n'
    (folder / "metadata.csv").write_text(text)
    data = read(folder)
    assert [(one.label, one.box) for one in data] == [("cat", (1, 2, 4, 6)), (None, None)]


@pytest.mark.parametrize(
    ("cell", "label", "box"),
    [
        ([{"bbox": [1, 2, 3, 4], "categories": "cat"}], "cat", (1, 2, 4, 6)),
        ([], None, None),
        (None, None, None),
    ],
)
def test_the_objects_of_a_table_may_be_a_list(folder, cell, label, box):
    objects = json.dumps(cell).replace('"', '""')
    (folder / "metadata.csv").write_text(f'file_name,objects\na.png,"{objects}"\n')
    (sample,) = read(folder)
    assert (sample.label, sample.box) == (label, box)


def test_a_table_with_corners_is_a_csv_label_file(folder):
    text = "file_name,label,x_min,y_min,x_max,y_max\na.png,cat,1,2,3,4\n"
    (folder / "metadata.csv").write_text(text)
    assert read(folder).samples[0].box == (1, 2, 3, 4)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", "metadata.jsonl:1: is not JSON (Expecting property name"),
        ("[]", "metadata.jsonl:1: is no JSON object. Write one object on each line."),
        ({"file_name": "a.png"}, "metadata.jsonl:1: has no key 'objects', which holds the boxes."),
        (
            {"file_name": "a.png", "objects": {"bbox": [[1, 2, 3, 4]], "categories": ["a", "b"]}},
            "metadata.jsonl:1: has 1 boxes and 2 categories. Write one category for each box.",
        ),
        (
            {"file_name": "a.png", "objects": [[1, 2, 3, 4]]},
            "metadata.jsonl:1: entry 1 of objects is [1, 2, 3, 4], which is no object with a key "
            '\'bbox\'. Write it as {"bbox": [x, y, width, height], "categories": "NAME"}, or '
            "remove it.",
        ),
        (
            {"file_name": "a.png", "objects": [{"bbox": [1, 2, 3, 4]}, {}]},
            "metadata.jsonl:1: entry 2 of objects is {}, which is no object with a key 'bbox'.",
        ),
        (
            {"file_name": "a.png", "objects": False},
            "metadata.jsonl:1: objects is False, which is no object with a key 'bbox', and no list "
            "of such objects. Correct it.",
        ),
        (entry("a.png", (1, 2, 3)), "metadata.jsonl:1: bbox has 3 values; it is [x, y, width"),
        (entry("a.png", ("x", 2, 3, 4)), "metadata.jsonl:1: objects.bbox.0.0: input should be"),
        (
            entry("a.png", (1, 2, 3, 4), width=30, height=40),
            "metadata.jsonl:1: states a size of 30 x 40 pixels, but",
        ),
        (entry("e.png", (1, 2, 3, 4)), "metadata.jsonl:1: image "),
    ],
)
def test_problems_name_the_line_and_the_repair(folder, problems_of, line, problem):
    found = problems_of(put(folder, line), format="imagefolder")
    assert any(one.startswith(problem) for one in found), found


def test_a_folder_without_metadata_says_so(tmp_path, problem_of):
    assert "holds no label files (imagefolder)" in problem_of(tmp_path, format="imagefolder")


@pytest.mark.train
def test_hugging_face_datasets_loads_the_same_values(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    import datasets

    datasets.disable_progress_bars()
    boxes = [(1.0, 2.0, 11.5, 22.25), (0.0, 0.0, 40.0, 30.0), None, (7.5, 3.25, 9.0, 28.0)]
    splits = ["train", "train", "train", "val"]
    samples = []
    for number, (box, split) in enumerate(zip(boxes, splits, strict=True)):
        path = tmp_path / f"{number}.png"
        Image.new("RGB", (40, 30), (number, 0, 0)).save(path)
        label = None if box is None else ("cat", "dog")[number % 2]
        samples.append(Sample(path, label, box, split, size_wh=(40, 30)))
    write(Dataset(tuple(samples), ("cat", "dog")), tmp_path / "out", "imagefolder")
    theirs = datasets.load_dataset(
        "imagefolder", data_dir=str(tmp_path / "out"), cache_dir=str(tmp_path / "cache")
    )
    assert {name: len(part) for name, part in theirs.items()} == {"train": 3, "validation": 1}
    rows = [*theirs["train"], *theirs["validation"]]
    for sample, row in zip(samples, rows, strict=True):
        assert row["image"].getpixel((0, 0)) == (samples.index(sample), 0, 0)
        assert (row["width"], row["height"]) == (40, 30)
        assert row["objects"]["categories"] == ([] if sample.label is None else [sample.label])
        expected = []
        if sample.box is not None:
            x_min, y_min, x_max, y_max = sample.box
            expected = [[x_min, y_min, x_max - x_min, y_max - y_min]]
        assert row["objects"]["bbox"] == expected
