"""How sure predictions are, in every kind of results file."""

import csv
import dataclasses
import json

import pytest
from PIL import Image

import onebox
from onebox.confidence.records import Calibration, IouModel, SideScores
from onebox.errors import SettingError
from onebox.model_card import ModelCard
from onebox.prediction.writers import KINDS, Certainty, Journal, Layout, Row, certainty_of
from onebox.structures import Prediction

PLAIN = Prediction("cat", 0.75, (1.0, 2.0, 11.0, 22.0), (1.0,))
SURE = dataclasses.replace(
    PLAIN,
    sigma=(0.5, 1.0, 1.5, 2.0),
    expected_iou=0.875,
    p_iou50=0.96875,
    p_iou75=0.8125,
    familiar=0.25,
    is_familiar=True,
    outer_box=(0.0, 1.0, 13.0, 25.0),
    inner_box=(2.0, 4.0, 9.0, 19.0),
    accepted=False,
)
NOTHING = Certainty()
EVERYTHING = Certainty(True, True, True, 0.9, 0.05)
CELLS = {
    "sigma_x_min": 0.5,
    "sigma_y_min": 1.0,
    "sigma_x_max": 1.5,
    "sigma_y_max": 2.0,
    "expected_iou": 0.875,
    "p_iou50": 0.96875,
    "p_iou75": 0.8125,
    "familiar": 0.25,
    "is_familiar": True,
    "coverage": 0.9,
    "outer_x_min": 0.0,
    "outer_y_min": 1.0,
    "outer_x_max": 13.0,
    "outer_y_max": 25.0,
    "inner_x_min": 2.0,
    "inner_y_min": 4.0,
    "inner_x_max": 9.0,
    "inner_y_max": 19.0,
    "max_risk": 0.05,
    "accepted": False,
}


def layout(certainty):
    return Layout(("cat",), certainty=certainty)


def record(kind, prediction, certainty):
    return KINDS[kind].record(Row("a.png", prediction), layout(certainty))


def added(kind, prediction, certainty):
    """What a record has beyond that of a prediction that says nothing."""
    plain = record(kind, PLAIN, NOTHING)
    found = record(kind, prediction, certainty)
    assert plain.items() <= found.items()
    return {name: value for name, value in found.items() if name not in plain}


# --- which columns


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_table_has_a_column_for_each_number(kind):
    assert added(kind, SURE, EVERYTHING) == CELLS
    assert list(added(kind, SURE, EVERYTHING)) == list(CELLS)


@pytest.mark.parametrize(
    ("certainty", "names"),
    [
        (Certainty(has_sigma=True), list(CELLS)[:4]),
        (Certainty(is_calibrated=True), ["expected_iou", "p_iou50", "p_iou75"]),
        (Certainty(has_familiar=True), ["familiar", "is_familiar"]),
        (Certainty(coverage=0.9), list(CELLS)[9:18]),
        (Certainty(max_risk=0.05), ["max_risk", "accepted"]),
    ],
)
def test_a_table_has_the_columns_that_its_layout_says_even_if_they_are_empty(certainty, names):
    assert list(added("csv", SURE, certainty)) == names
    assert added("csv", SURE, certainty).items() <= CELLS.items()
    empty = added("csv", PLAIN, certainty)
    asked = {"coverage": 0.9, "max_risk": 0.05}
    assert empty == {name: asked.get(name) for name in names}


def test_json_leaves_out_what_a_prediction_does_not_have():
    assert added("jsonl", PLAIN, NOTHING) == {}
    sigma = dataclasses.replace(PLAIN, sigma=SURE.sigma)
    assert added("jsonl", sigma, Certainty(has_sigma=True)) == {"sigma": SURE.sigma}
    untold = dataclasses.replace(SURE, is_familiar=None)
    assert list(added("jsonl", untold, NOTHING)) == [
        *("expected_iou", "p_iou50", "p_iou75", "sigma", "familiar")
    ]


def test_json_has_what_was_asked_for_even_if_there_is_none():
    # An inner box without a size is none, and every line has the same keys.
    shrunk = dataclasses.replace(SURE, inner_box=None)
    asked = added("jsonl", shrunk, EVERYTHING)
    assert (asked["coverage"], asked["outer_box"]) == (0.9, (0.0, 1.0, 13.0, 25.0))
    assert (asked["inner_box"], asked["max_risk"], asked["accepted"]) == (None, 0.05, False)
    assert list(asked)[6:] == ["coverage", "outer_box", "inner_box", "max_risk", "accepted"]


def test_coco_has_the_keys_of_json_with_boxes_as_coco_writes_them():
    lines, entries = added("jsonl", SURE, EVERYTHING), added("coco", SURE, EVERYTHING)
    assert entries.pop("outer_bbox") == [0.0, 1.0, 13.0, 24.0]  # 25 - 1
    assert entries.pop("inner_bbox") == [2.0, 4.0, 7.0, 15.0]  # 9 - 2, 19 - 4
    assert {**entries, "outer_box": SURE.outer_box, "inner_box": SURE.inner_box} == lines
    shrunk = dataclasses.replace(SURE, inner_box=None)
    assert added("coco", shrunk, EVERYTHING)["inner_bbox"] is None


def test_parquet_has_numbers_and_truth_values(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    write("parquet", tmp_path / "p", [SURE, PLAIN], EVERYTHING)
    table = parquet.read_table(tmp_path / "p")
    types = {name: str(table.schema.field(name).type) for name in CELLS}
    assert {name for name, kind in types.items() if kind == "bool"} == {"is_familiar", "accepted"}
    assert set(types.values()) == {"bool", "double"}
    sure, plain = table.select(list(CELLS)).to_pylist()
    assert sure == CELLS
    assert plain == dict.fromkeys(CELLS) | {"coverage": 0.9, "max_risk": 0.05}


# --- what a model says


CALIBRATION = Calibration(30, 1.0, IouModel(0.0, 1.0, 0.5), SideScores((), ()))
RANKED = dataclasses.replace(CALIBRATION, novelties=(0.5, 1.0))


@pytest.mark.parametrize(
    ("facts", "certainty"),
    [
        ({}, NOTHING),
        ({"sigma": True}, Certainty(has_sigma=True)),
        ({"sigma": True, "calibration": CALIBRATION}, Certainty(True, True)),
        ({"sigma": True, "calibration": RANKED}, Certainty(True, True, has_familiar=True)),
        # refined predictions have a calibration of their own
        ({"refine_margin": 1.5, "calibration": CALIBRATION}, NOTHING),
        ({"refine_margin": 1.5, "refined_calibration": CALIBRATION}, Certainty(False, True)),
    ],
)
def test_the_card_says_which_columns_there_are(facts, certainty):
    assert certainty_of(ModelCard(("cat",), 32, **facts)) == certainty


def test_what_was_asked_for_is_part_of_the_layout():
    certainty = certainty_of(ModelCard(("cat",), 32), coverage=0.8, max_risk=0.1)
    assert (certainty.coverage, certainty.max_risk) == (0.8, 0.1)


# --- files


def write(kind, file, predictions, certainty, *, resume=False, is_finished=True):
    with Journal(KINDS[kind], file, layout(certainty), resume=resume) as journal:
        for prediction in predictions:
            journal.write(Row(f"{journal.kept}.png", prediction))
        if is_finished:
            journal.finish()


def content(kind, file):
    if kind == "parquet":
        return pytest.importorskip("pyarrow.parquet").read_table(file).to_pylist()
    return file.read_text()


@pytest.fixture(params=KINDS)
def kind(request):
    if request.param == "parquet":
        pytest.importorskip("pyarrow")
    return request.param


@pytest.mark.parametrize("is_finished", [True, False])
def test_a_continued_file_equals_one_that_was_written_at_once(kind, is_finished, tmp_path):
    answers = [SURE, PLAIN, dataclasses.replace(SURE, accepted=True, p_iou50=0.1 + 0.2)]
    write(kind, tmp_path / "once", answers, EVERYTHING)
    write(kind, tmp_path / "twice", answers[:2], EVERYTHING, is_finished=is_finished)
    write(kind, tmp_path / "twice", answers[2:], EVERYTHING, resume=True)
    assert content(kind, tmp_path / "twice") == content(kind, tmp_path / "once")


def test_csv_reads_back_as_labels(tmp_path):
    Image.new("RGB", (32, 32)).save(tmp_path / "0.png")
    write("csv", tmp_path / "p.csv", [SURE], EVERYTHING)
    (sample,) = onebox.read(tmp_path / "p.csv")
    assert (sample.label, sample.box) == (SURE.label, SURE.box)


def test_truth_values_in_csv_are_words_and_what_is_missing_is_empty(tmp_path):
    write("csv", tmp_path / "p.csv", [SURE, PLAIN], EVERYTHING)
    with (tmp_path / "p.csv").open(newline="") as opened:
        sure, plain = csv.DictReader(opened)
    assert (sure["is_familiar"], sure["accepted"], sure["p_iou75"]) == ("True", "False", "0.8125")
    assert (plain["is_familiar"], plain["accepted"], plain["outer_x_min"]) == ("", "", "")


# --- continuing with another promise

COVERED = Certainty(has_sigma=True, is_calibrated=True, coverage=0.9)
RISKED = Certainty(has_sigma=True, is_calibrated=True, max_risk=0.05)


@pytest.mark.parametrize("is_finished", [True, False])
@pytest.mark.parametrize(
    ("first", "then", "message"),
    [
        (COVERED, {"coverage": 0.8}, "was written with --coverage 0.9, and this command runs with"),
        (RISKED, {"max_risk": 0.1}, "was written with --max-risk 0.05, and this command runs"),
    ],
)
def test_a_file_of_another_promise_is_not_continued_and_stays(
    kind, first, then, message, is_finished, tmp_path
):
    write(kind, tmp_path / "p", [SURE], first, is_finished=is_finished)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    other = layout(dataclasses.replace(first, **then))
    with pytest.raises(SettingError, match=f"{message}.*Leave --continue out"):
        Journal(KINDS[kind], tmp_path / "p", other, resume=True)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("kind", ["jsonl", "coco"])
def test_a_file_without_columns_is_not_continued_with_a_promise_or_without_it(kind, tmp_path):
    write(kind, tmp_path / "with", [SURE], COVERED)
    with pytest.raises(SettingError, match=r"with --coverage 0\.9, and this command runs without"):
        Journal(KINDS[kind], tmp_path / "with", layout(NOTHING), resume=True)
    write(kind, tmp_path / "without", [SURE], NOTHING)
    with pytest.raises(SettingError, match=r"written without --max-risk, and this command"):
        Journal(KINDS[kind], tmp_path / "without", layout(RISKED), resume=True)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_table_with_other_columns_is_not_continued(kind, tmp_path):
    if kind == "parquet":
        pytest.importorskip("pyarrow")
    write(kind, tmp_path / "p", [SURE], COVERED)
    with pytest.raises(SettingError, match=r"has (the|other) columns"):
        Journal(KINDS[kind], tmp_path / "p", layout(RISKED), resume=True)


def test_an_image_that_could_not_be_read_promises_nothing(tmp_path):
    with Journal(KINDS["coco"], tmp_path / "p", layout(COVERED)) as journal:
        journal.write_unreadable("a.png")
    with Journal(KINDS["coco"], tmp_path / "p", layout(COVERED), resume=True) as journal:
        assert journal.kept == 0
        journal.write(Row("a.png", SURE))
        journal.finish()
    assert json.loads((tmp_path / "p").read_text())[0]["coverage"] == 0.9
