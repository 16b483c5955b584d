"""Create ML: centres and sizes in pixels."""

import json

import pytest
from PIL import Image

from onebox.errors import DataError
from onebox.formats import read, write
from onebox.structures import Dataset, Sample


@pytest.fixture
def labels(tmp_path):
    """Write ``annotations.json`` beside ``a.png`` to ``d.png`` of 40 x 30 pixels."""
    for shade, name in enumerate("abcd"):
        Image.new("RGB", (40, 30), (shade, 0, 0)).save(tmp_path / f"{name}.png")

    def write_entries(*entries, name="annotations.json"):
        path = tmp_path / name
        path.write_text(json.dumps(entries))
        return path

    return write_entries


def annotation(label, x, y, width, height):
    return {"label": label, "coordinates": {"x": x, "y": y, "width": width, "height": height}}


def test_a_box_is_its_centre_and_size(labels):
    # x from 20 - 10 / 2 = 15 to 25, y from 15 - 8 / 2 = 11 to 19
    path = labels({"image": "a.png", "annotations": [annotation("cat", 20, 15, 10, 8)]})
    (sample,) = read(path)
    assert (sample.label, sample.box) == ("cat", (15, 11, 25, 19))
    assert sample.origin == "annotations.json: image 1"


def test_an_image_without_annotations_has_no_subject(labels):
    cat = {"image": "a.png", "annotations": [annotation("cat", 20, 15, 10, 8)]}
    data = read(labels(cat, {"image": "b.png", "annotations": []}))
    assert [(one.label, one.box) for one in data] == [("cat", (15, 11, 25, 19)), (None, None)]


@pytest.mark.parametrize("image", ["image", "imagefilename"])
@pytest.mark.parametrize("annotations", ["annotations", "annotation"])
def test_the_keys_of_apples_documentation_are_read(labels, image, annotations):
    path = labels({image: "a.png", annotations: [annotation("cat", 20, 15, 10, 8)]})
    (sample,) = read(path)
    assert (sample.image.name, sample.label, sample.box) == ("a.png", "cat", (15, 11, 25, 19))


def test_several_boxes_follow_the_policy(labels):
    both = [annotation("cat", 20, 15, 10, 8), annotation("dog", 20, 15, 20, 8)]
    data = read(labels({"image": "a.png", "annotations": both}), on_multiple="largest")
    assert (data.samples[0].label, data.samples[0].box) == ("dog", (10, 11, 30, 19))
    assert data.samples[0].origin == "annotations.json: image 1, annotation 2"
    assert "1 image with several boxes kept the largest one" in data.notes[0]


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        (
            {"image": "a.png", "annotations": [{"label": "cat", "coordinates": {"x": 1}}]},
            "annotations.json: image 1: coordinates.y: field required. Correct it.",
        ),
        (
            {"image": "a.png", "annotations": [annotation("cat", "left", 1, 2, 3)]},
            "annotations.json: image 1: coordinates.x: input should be a valid number",
        ),
        (
            {"image": "a.png", "annotations": [annotation("cat", 20, 15, -10, 8)]},
            "annotations.json: image 1: box 25, 11, 15, 19 is -10 x 8 pixels; width and height "
            "must be positive. Swap its corners or remove it.",
        ),
        ({"image": "a.png"}, "annotations.json: image 1: annotations: field required."),
        (
            {"image": "e.png", "annotations": []},
            "annotations.json: image 1: image ",
        ),
        (
            {"image": "a.png", "annotations": [], "split": "trian"},
            "annotations.json: image 1: split 'trian' is not one of train, val, cal, test. Did you "
            "mean train?",
        ),
    ],
)
def test_problems_name_the_place_and_the_repair(labels, problems_of, entry, problem):
    path = labels(entry)
    assert any(one.startswith(problem) for one in problems_of(path, format="createml"))


def test_an_object_is_not_create_ml(tmp_path, problem_of):
    (tmp_path / "labels.json").write_text("{}")
    assert problem_of(tmp_path / "labels.json", format="createml") == (
        "labels.json: is not Create ML: it is no JSON list of images. Name the right file."
    )


def test_one_file_has_our_key_for_splits_and_a_folder_has_one_file_for_each(tmp_path):
    Image.new("RGB", (40, 30)).save(tmp_path / "a.png")
    sample = Sample(tmp_path / "a.png", "cat", (1.0, 2.0, 4.5, 8.0), "val", size_wh=(40, 30))
    write(Dataset((sample,), ("cat",)), tmp_path / "labels.json", "createml")
    write(Dataset((sample,), ("cat",)), tmp_path / "out", "createml")
    # centre (1 + 4.5) / 2 = 2.75, (2 + 8) / 2 = 5; size 3.5 x 6
    box = {"label": "cat", "coordinates": {"x": 2.75, "y": 5, "width": 3.5, "height": 6}}
    (entry,) = json.loads((tmp_path / "labels.json").read_text())
    assert entry == {"image": "a.png", "annotations": [box], "split": "val"}
    assert [one.name for one in (tmp_path / "out").iterdir()] == ["val.json"]
    (entry,) = json.loads((tmp_path / "out/val.json").read_text())
    assert entry == {"image": "../a.png", "annotations": [box]}


def test_a_name_that_no_file_can_have_is_refused(tmp_path):
    (tmp_path / "labels.json").write_text(
        '[{"image": "half\\ud800.png", "annotations": []}]', encoding="utf-8"
    )
    with pytest.raises(DataError, match=r"'half\\ud800\.png' is not a path\. Correct it\."):
        read(tmp_path / "labels.json", "createml")
