"""Labels against declared class names, and typing errors in labels."""

import json

import pytest
from PIL import Image

from onebox.errors import DataError
from onebox.formats import read

WITH_SPLIT = "image,label,x_min,y_min,x_max,y_max,split"


def test_declared_classes_keep_their_order_and_catch_a_typo(labels, problems_of):
    rows = ["a.png,cat,1,2,3,4", "b.png,dog,1,2,3,4"]
    assert read(labels(*rows), classes=["dog", "cat"]).classes == ("dog", "cat")
    assert problems_of(labels(*rows, "c.png,cta,1,2,3,4"), classes=["cat", "dog"]) == [
        "labels.csv:4: label 'cta' is not one of cat, dog. Did you mean cat?"
    ]


def test_classes_given_as_one_string_are_a_type_error(labels):
    with pytest.raises(TypeError, match="sequence of names"):
        read(labels("a.png,cat,1,2,3,4"), classes="cat")


def test_a_label_that_no_training_image_has_is_reported(labels, problems_of):
    path = labels(
        "a.png,cat,1,2,3,4,train",
        "b.png,dog,1,2,3,4,train",
        "c.png,cta,1,2,3,4,test",
        header=WITH_SPLIT,
    )
    assert problems_of(path) == [
        "labels.csv:4: label 'cta' is not one of cat, dog. Did you mean cat? Correct it, or "
        "declare the classes: train --set data.classes=[...]."
    ]


@pytest.mark.parametrize("slip", ["RACOON", "raccoon"])
def test_a_label_of_one_image_that_resembles_a_common_label_is_reported(labels, problems_of, slip):
    common = [f"{name}.png,Raccoon,1,2,3,4" for name in "abcde"]
    (problem,) = problems_of(labels(*common, f"f.png,{slip},1,2,3,4"))
    assert problem.startswith(
        f"labels.csv:7: label {slip!r} is not one of Raccoon. Did you mean Raccoon?"
    )
    assert "data.classes" in problem


def test_known_labels_are_not_taken_for_typing_errors(labels, problems_of):
    common = [f"{name}.png,car,1,2,3,4,train" for name in "abcde"]
    rare = ["f.png,cart,1,2,3,4,train", "g.png,cat,1,2,3,4,test"]
    path = labels(*common, *rare, header=WITH_SPLIT)
    assert len(problems_of(path)) == 2
    assert read(path, known_labels=["cart", "cat", "cow"]).classes == ("car", "cart", "cat")
    with pytest.raises(DataError, match="label 'cat' is not one of car, cart"):
        read(path, known_labels=["cart"])


@pytest.mark.parametrize("rare", ["f.png,zebra,1,2,3,4", "f.png,cat,1,2,3,4\ng.png,cat,1,2,3,4"])
def test_a_rare_label_is_valid_if_it_resembles_no_other_or_is_repeated(labels, rare):
    common = [f"{name}.png,car,1,2,3,4" for name in "abcde"]
    assert "car" in read(labels(*common, rare)).classes


def test_one_image_of_one_class_can_be_read(labels):
    assert len(read(labels("a.png,cat,1,2,3,4"))) == 1


def test_a_name_that_is_half_of_a_character_is_reported(tmp_path, problems_of):
    Image.new("RGB", (40, 30)).save(tmp_path / "a.png")
    box = {"label": "\ud800", "coordinates": {"x": 10, "y": 10, "width": 6, "height": 6}}
    entry = {"image": "a.png", "annotations": [box]}
    (tmp_path / "labels.json").write_text(json.dumps([entry]))
    (problem,) = problems_of(tmp_path / "labels.json")
    assert "name '\\ud800' has half of a character" in problem
