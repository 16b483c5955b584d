"""What a model file says about itself reads back equal, and what is wrong in it is named."""

import dataclasses
import json
from math import nan
from pathlib import Path

import onnx
import pytest

from onebox.confidence.records import Calibration, IouModel, KeypointModel, SideScores
from onebox.errors import ModelError
from onebox.model_card import METADATA_KEY, ModelCard, Part, load_onnx, read_card, write_card
from onebox.structures import KeypointSet

CARD = ModelCard(("cat", "dog"), 64, mean_box=(0.1, 0.2, 0.8, 0.9))
FILE = Path("model.onnx")


def test_a_card_reads_back_from_its_text_equal():
    assert ModelCard.from_json(CARD.as_json()) == CARD
    bare = ModelCard(("cat",), 32)
    assert ModelCard.from_json(bare.as_json()) == bare


def test_a_model_that_the_system_refuses_to_read_is_named_with_the_reason(tmp_path):
    with pytest.raises(ModelError) as caught:
        load_onnx(tmp_path / "gone.onnx")
    assert str(caught.value) == f"{tmp_path / 'gone.onnx'}: does not exist. Correct the path."


def test_keypoints_and_parts_read_back_equal():
    keypoints = KeypointSet(("hip", "knee"), skeleton=((0, 1),), flip_pairs=((0, 1),))
    part = Part("backbone", "resnet18", 60, 11_000_000, 1_800_000_000, ((256, 4, 4), (512, 2, 2)))
    card = ModelCard(("cat",), 32, keypoints=keypoints, refine_margin=1.4, parts=(part,))
    assert ModelCard.from_json(card.as_json()) == card


def test_the_card_of_a_later_onebox_may_hold_more():
    stored = json.loads(ModelCard(("cat",), 32, keypoints=KeypointSet(("hip",))).as_json())
    stored["favourite_colour"] = "blue"
    stored["keypoints"]["symmetry"] = "radial"
    assert ModelCard.from_json(json.dumps(stored)).keypoints == KeypointSet(("hip",))


def changed(**changes):
    return json.dumps({**json.loads(CARD.as_json()), **changes})


def without(*names):
    return json.dumps({k: v for k, v in json.loads(CARD.as_json()).items() if k not in names})


WRONG = [
    (changed(schema_version=2), "it is of schema 2, and this onebox reads 1"),
    (without("schema_version"), "it has no schema_version"),
    (without("classes"), "it lacks classes"),
    (without("size"), "it lacks size"),
    (without("classes", "size"), "it lacks classes, size"),
    ("[1, 2]", "it has no schema_version"),
    ("no JSON", "it is not JSON (Expecting value"),
    (changed(mean_box=3), "it has a wrong mean_box (Input should be a valid tuple)"),
    (changed(mean_box=[0, 0, 1]), "it lacks mean_box.3"),
    (changed(classes=None), "it has a wrong classes (Input should be a valid tuple)"),
    (changed(size="large"), "it has a wrong size (Input should be a valid integer"),
]


def of_keypoints(model, names=("hip", "head")):
    """A card with so many keypoints, and what calibration found of them."""
    iou = IouModel(0.0, 1.0, 0.7)
    calibration = Calibration(9, 1.0, iou, SideScores((), ()), keypoints=model)
    kept = dataclasses.replace(CARD, keypoints=KeypointSet(names), calibration=calibration)
    return kept.as_json().replace("NaN", "1e999")


WRONG += [
    (of_keypoints(KeypointModel(1.0, (0.0,))), "calibration of 1 keypoints, and 2 keypoints"),
    (of_keypoints(KeypointModel(1.0, (0.0, nan))), "an intercept not in [-100, 100]"),
    (of_keypoints(KeypointModel(1.0, (0.0, 101.0))), "an intercept not in [-100, 100]"),
    (of_keypoints(KeypointModel(31.0, (0.0, 0.0))), "keypoints whose slope is not in [0, 30]"),
    (of_keypoints(KeypointModel(-1.0, (0.0, 0.0))), "keypoints whose slope is not in [0, 30]"),
]


def test_a_calibration_of_keypoints_reads_back_equal():
    model = KeypointModel(0.5, (0.25, -1.0))
    assert ModelCard.from_json(of_keypoints(model)).calibration.keypoints == model


@pytest.mark.parametrize(("text", "words"), WRONG)
def test_a_wrong_card_is_refused_with_the_key_and_the_problem(text, words):
    with pytest.raises(ModelError) as caught:
        read_card(text, FILE)
    assert str(caught.value).startswith(f"{FILE}: its metadata cannot be read: ")
    assert words in str(caught.value)


def test_a_file_without_a_card_is_not_of_onebox():
    with pytest.raises(ModelError, match=r"model\.onnx: is a model, but not of onebox") as caught:
        read_card(None, FILE)
    assert "onebox train" in str(caught.value)
    assert caught.value.exit_code == 4


def test_a_card_written_into_an_onnx_file_replaces_all_metadata_there(bright_file, tmp_path):
    file = tmp_path / "model.onnx"
    model = onnx.load(bright_file)
    onnx.helper.set_model_props(model, {METADATA_KEY: "old", "author": "somebody"})
    model.graph.node[0].doc_string = "somewhere/else/train.py"
    onnx.save(model, file)
    write_card(file, CARD)
    written = onnx.load(file)
    assert {entry.key: entry.value for entry in written.metadata_props} == {
        METADATA_KEY: CARD.as_json()
    }
    assert b"somebody" not in file.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]
