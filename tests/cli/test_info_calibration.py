"""`onebox info`: what a model promises, or what it takes."""

import dataclasses
import json
from types import SimpleNamespace

import pytest

from onebox.cli import info
from onebox.confidence.guarantees import guarantees
from onebox.confidence.records import Calibration, IouModel, SideScores
from onebox.model_card import ModelCard

IOU = IouModel(-1.0, 1.0, 0.5)
CARD = ModelCard(("disc",), 32, sigma=True)


def calibration(images, *, wrong=0):
    return Calibration(
        images=images,
        temperature=1.0,
        iou=IOU,
        sides=SideScores(tuple(map(float, range(images))), tuple(map(float, range(images)))),
        scores=tuple(1 - place / 1000 for place in range(images)),
        is_wrong=(False,) * (images - wrong) + (True,) * wrong,
    )


@pytest.fixture
def told(run, monkeypatch):
    """What is printed of a card: its facts by name, and the notes."""

    def tell(**changes):
        card = dataclasses.replace(CARD, **changes)
        monkeypatch.setattr(info.loading, "load", lambda path: SimpleNamespace(card=card))
        code, out, err = run("info", "model.onnx")
        assert code == 0
        rows = [line.split(maxsplit=1) for line in out.splitlines()]
        return {row[0]: row[1] for row in rows if len(row) > 1}, err

    return tell


def test_a_calibrated_model_says_what_it_promises(told):
    facts, notes = told(calibration=calibration(60))
    assert facts["calibration_images.plain"] == "60"
    assert facts["promise"] == guarantees(calibration(60), "", coverage=0.9).describe()[0]
    assert facts["smallest_risk"] == "0.049"  # 1 - 0.05^(1 / 60) = 0.0487
    assert "refined" not in "".join(facts)
    assert "calibrated" not in notes


def test_the_promise_of_few_images_comes_with_the_warning(told):
    facts, _ = told(calibration=calibration(18))
    assert "18 calibration images are few" in facts["promise"]


def test_a_model_that_refines_says_what_its_refined_predictions_promise(told):
    facts, _ = told(
        refine_margin=1.5, calibration=calibration(60), refined_calibration=calibration(100)
    )
    counts = [facts[f"calibration_images.{name}"] for name in ("plain", "refined")]
    assert counts == ["60", "100"]
    assert facts["promise"] == guarantees(calibration(100), "", coverage=0.9).describe()[0]


def test_a_model_whose_images_prove_no_risk_has_a_dash(told):
    facts, _ = told(calibration=calibration(30, wrong=30))
    assert facts["smallest_risk"] == "-"


@pytest.mark.parametrize(
    "changes", [{}, {"refine_margin": 1.5, "calibration": calibration(60)}], ids=["none", "plain"]
)
def test_a_model_that_is_not_calibrated_says_how_to_do_it(changes, told):
    facts, notes = told(**changes)
    assert "promise" not in facts
    assert notes.startswith("note: model.onnx is not calibrated")
    assert "Run onebox calibrate" in notes


def test_a_model_of_an_older_onebox_says_to_train_it_again(told):
    _, notes = told(sigma=False)
    assert notes.startswith("note: model.onnx: cannot be calibrated: an older onebox wrote it")
    assert "Train it again." in notes.splitlines()[0]


def test_json_has_the_whole_calibration_and_the_table_none_of_its_lists(run, monkeypatch):
    card = dataclasses.replace(CARD, calibration=calibration(60))
    monkeypatch.setattr(info.loading, "load", lambda path: SimpleNamespace(card=card))
    _, out, err = run("info", "model.onnx", "--json")
    assert json.loads(out)["calibration"]["sides"]["outer"] == list(range(60))
    assert err == ""
    _, out, _ = run("info", "model.onnx")
    assert max(map(len, out.splitlines())) < 300
