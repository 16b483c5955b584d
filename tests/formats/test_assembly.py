"""Wrong rows stop the reading, or are left out."""

import json

import pytest
from PIL import Image

from onebox.errors import DataError, SettingError
from onebox.formats import read


def test_wrong_rows_can_be_left_out_and_are_counted(labels):
    path = labels("a.png,cat,2,3,20,25", "b.png,cat,20,25,20,3")
    data = read(path, on_bad="skip")
    assert [sample.image.name for sample in data] == ["a.png"]
    assert any("1 bad row is left out" in note and "labels.csv:3" in note for note in data.notes)


def test_an_unknown_word_for_on_bad_is_refused_with_a_suggestion(labels):
    path = labels("a.png,cat,2,3,20,25")
    with pytest.raises(SettingError, match=r"error, skip.*Did you mean skip\?"):
        read(path, on_bad="skp")


def test_rows_whose_label_is_not_declared_can_be_left_out(labels):
    path = labels("a.png,cat,2,3,20,25", "b.png,cta,2,3,20,25", "c.png,dog,2,3,20,25")
    data = read(path, on_bad="skip", classes=("cat", "dog"))
    assert [sample.image.name for sample in data] == ["a.png", "c.png"]
    assert data.classes == ("cat", "dog")
    assert "1 bad row is left out, the first: labels.csv:3: label 'cta'" in data.notes[-1]


def test_what_is_wrong_with_the_whole_is_not_left_out(tmp_path, labels):
    labels()
    for name, points in (("train", ["nose", "tail"]), ("val", ["tail", "nose"])):
        content = {
            "images": [{"id": 1, "file_name": f"{name[0]}.png"}],
            "categories": [{"id": 1, "name": "cat", "keypoints": points}],
            "annotations": [
                {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 9, 9]}
                | {"keypoints": [1, 2, 2, 5, 6, 2]}
            ],
        }
        Image.new("RGB", (40, 30)).save(tmp_path / f"{name[0]}.png")
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    (tmp_path / "labels.csv").unlink()
    with pytest.raises(DataError, match="name different keypoints"):
        read(tmp_path, "coco", on_bad="skip")
    (tmp_path / "val.json").write_text('{"images": [')
    with pytest.raises(DataError, match=r"val\.json:1: is not JSON"):
        read(tmp_path, "coco", on_bad="skip")
