"""FiftyOne: COCO beside a folder ``data`` with the images."""

import contextlib
import io
import json

import pytest
from PIL import Image

from onebox.errors import SettingError
from onebox.formats import read, write
from onebox.structures import Dataset, KeypointSet, Sample

KEYPOINTS = KeypointSet(("nose", "tail"), ((0, 1),))


@pytest.fixture
def data(tmp_path):
    (tmp_path / "images/other").mkdir(parents=True)
    samples = []
    for number, name in enumerate(["a.png", "other/a.png", "b.png"]):
        path = tmp_path / "images" / name
        Image.new("RGB", (40, 30), (number, 0, 0)).save(path)
        label, box = [("cat", (1.0, 2.0, 11.5, 22.25)), ("dog", (3.0, 0.0, 9.0, 8.0)), (None,) * 2][
            number
        ]
        points = ((1.5, 2.0, 2), (0.0, 0.0, 0)) if label else None
        split = ["train", "train", "val"][number]
        samples.append(Sample(path, label, box, split, points, (40, 30)))
    return Dataset(tuple(samples), ("cat", "dog"), KEYPOINTS)


def test_each_split_is_a_folder_that_fiftyone_loads(data, tmp_path):
    write(data, tmp_path / "out", "fiftyone")
    files = sorted(
        str(one.relative_to(tmp_path / "out")) for one in (tmp_path / "out").rglob("*.*")
    )
    assert files == [
        "train/data/a.png",
        "train/data/a_2.png",
        "train/labels.json",
        "val/data/b.png",
        "val/labels.json",
    ]
    entries = json.loads((tmp_path / "out/train/labels.json").read_text())["images"]
    assert [one["file_name"] for one in entries] == ["a.png", "a_2.png"]


def test_images_are_linked_and_keep_their_bytes(data, tmp_path):
    write(data, tmp_path / "out", "fiftyone")
    back = read(tmp_path / "out")
    for sample, same in zip(data, back, strict=True):
        assert same.image.samefile(sample.image)
        assert (same.label, same.box, same.split) == (sample.label, sample.box, sample.split)
        assert same.keypoints == sample.keypoints
    assert (back.classes, back.keypoints) == (data.classes, KEYPOINTS)


def test_pycocotools_reads_boxes_and_keypoints(data, tmp_path):
    from pycocotools.coco import COCO

    write(data, tmp_path / "out", "fiftyone")
    with contextlib.redirect_stdout(io.StringIO()):
        theirs = COCO(tmp_path / "out/train/labels.json")
    found = {}
    for image in theirs.loadImgs(theirs.getImgIds()):
        assert (tmp_path / "out/train/data" / image["file_name"]).is_file()
        (entry,) = theirs.loadAnns(theirs.getAnnIds(image["id"]))
        (category,) = theirs.loadCats(entry["category_id"])
        found[image["file_name"]] = (category["name"], entry["bbox"], entry["keypoints"])
    assert found == {
        "a.png": ("cat", [1, 2, 10.5, 20.25], [1.5, 2, 2, 0, 0, 0]),
        "a_2.png": ("dog", [3, 0, 6, 8], [1.5, 2, 2, 0, 0, 0]),
    }


def test_one_folder_without_splits_is_read_with_its_images_before_others_of_the_name(tmp_path):
    (tmp_path / "data").mkdir()
    Image.new("RGB", (40, 30)).save(tmp_path / "data/a.png")
    Image.new("RGB", (99, 99)).save(tmp_path / "a.png")
    content = {
        "images": [{"id": 1, "file_name": "a.png", "width": 40, "height": 30}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 0, "bbox": [1, 2, 3, 4]}],
        "categories": [{"id": 0, "name": "cat", "supercategory": None}],
    }
    (tmp_path / "labels.json").write_text(json.dumps(content))
    (sample,) = read(tmp_path)
    assert (sample.image, sample.box) == ((tmp_path / "data/a.png").resolve(), (1, 2, 4, 6))
    assert sample.origin == "labels.json: annotation 1"


def test_a_file_outside_data_may_be_named_by_its_whole_path(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "elsewhere").mkdir()
    Image.new("RGB", (40, 30)).save(tmp_path / "elsewhere/a.png")
    name = str(tmp_path / "elsewhere/a.png")
    content = {"images": [{"id": 1, "file_name": name}], "annotations": [], "categories": []}
    (tmp_path / "labels.json").write_text(json.dumps(content))
    assert read(tmp_path).samples[0].image == (tmp_path / "elsewhere/a.png").resolve()


def test_a_folder_without_labels_says_so(tmp_path, problem_of):
    assert "holds no label files (fiftyone)" in problem_of(tmp_path, format="fiftyone")


def test_an_image_with_a_suffix_that_is_not_an_image_is_refused(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "a.raw", "PNG")
    with pytest.raises(SettingError, match="FiftyOne finds images by their suffix"):
        write(Dataset((Sample(tmp_path / "a.raw"),), ("cat",)), tmp_path / "out", "fiftyone")
    assert not (tmp_path / "out").exists()
