"""`onebox predict`: how sure it is, outer and inner boxes, and which predictions are accepted."""

import csv
import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import onebox
from onebox.cli import predict
from onebox.confidence.applying import guaranteed
from onebox.confidence.guarantees import guarantees
from onebox.confidence.records import Calibration, IouModel, SideScores
from onebox.localizer import Localizer
from onebox.model_card import ModelCard
from onebox.streaming import Answer
from onebox.structures import Prediction
from onebox.visualization import DOUBTFUL, PREDICTED

IOU = IouModel(-1.0, 1.0, 0.5)
# Of 59 images none is wrong, so that every score above 0.25 is accepted at a risk of 5 %: the
# upper bound at 95 % is 1 - 0.05^(1 / 59) = 0.0495.
MANY = Calibration(
    images=60,
    temperature=1.0,
    iou=IOU,
    sides=SideScores((0.0,) * 52 + (3.0,) * 8, (0.0,) * 52 + (1.0,) * 8),
    scores=(*(0.5 - place / 1000 for place in range(59)), 0.25),
    is_wrong=(False,) * 59 + (True,),
)
FEW = dataclasses.replace(MANY, images=18, sides=SideScores((2.0,) * 18, (1.0,) * 18))
BOX = (10.0, 5.0, 22.0, 17.0)
SURE = Prediction(
    "disc", 0.5, BOX, (1.0,), sigma=(1.0,) * 4, expected_iou=0.75, p_iou50=0.875, p_iou75=0.625
)
# 3 sigmas outwards and 1 inwards
OUTER, INNER = [7.0, 2.0, 25.0, 20.0], [11.0, 6.0, 21.0, 16.0]
KEYS = ["image", "label", "score", "box", "probabilities", "expected_iou", "p_iou50", "p_iou75"]


class Calibrated(Localizer):
    """A model that is sure of each image but the second."""

    name = "model.onnx"

    def __init__(self, calibration, promised=None, **changes):
        self.card = ModelCard(
            ("disc",), 32, presence="present" in changes, sigma=True, calibration=calibration
        )
        self._promised, self._changes = promised, changes

    def with_guarantees(self, *, coverage=None, max_risk=None):
        promised = guarantees(self.card.calibration, self.name, coverage, max_risk)
        return Calibrated(self.card.calibration, promised, **self._changes)

    def predict_many(self, sources, *, threads):
        for place, source in enumerate(sources):
            score = 0.125 if place == 1 else 0.5
            answer = dataclasses.replace(SURE, score=score, **self._changes)
            if self._promised is not None:
                with Image.open(source) as image:
                    answer = guaranteed(answer, self._promised, image.size)
            yield Answer(place, source, answer)


@pytest.fixture
def answering(tmp_path, monkeypatch):
    """Two images in the working folder, and a function that sets the model."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.png", "b.png"):
        Image.new("RGB", (30, 20)).save(name)

    def use(calibration=MANY, **changes):
        model = Calibrated(calibration, **changes)
        monkeypatch.setattr(predict.loading, "load", lambda path, threads: model)

    use()
    return use


WORDS = ("predict", "model.onnx", "a.png", "b.png")


def lines_of(out):
    return [line.split("\t") for line in out.splitlines()]


# --- what is printed


def test_a_line_of_a_calibrated_model_has_the_columns_of_any_other(run, answering):
    code, out, err = run(*WORDS)
    box = "10.0 5.0 22.0 17.0"
    assert (code, err) == (0, "")
    assert out == f"a.png\tdisc\t0.500\t{box}\nb.png\tdisc\t0.125\t{box}\n"


@pytest.mark.parametrize(
    ("options", "cells"),
    [
        (["--coverage", "0.9"], [["7.0 2.0 25.0 20.0"], ["7.0 2.0 25.0 20.0"]]),
        (["--max-risk", "0.05"], [["accepted"], ["doubtful"]]),
        (
            ["--max-risk", "0.05", "--coverage", "0.9"],
            [["7.0 2.0 25.0 20.0", "accepted"], ["7.0 2.0 25.0 20.0", "doubtful"]],
        ),
    ],
)
def test_what_was_asked_for_follows_in_columns_of_its_own(options, cells, run, answering):
    _, plain, _ = run(*WORDS)
    code, out, _ = run(*WORDS, *options)
    assert code == 0
    assert [line[:4] for line in lines_of(out)] == lines_of(plain)
    assert [line[4:] for line in lines_of(out)] == cells


def test_an_absent_subject_is_neither_limited_nor_judged(run, answering):
    answering(present=0.25)
    _, out, _ = run(*WORDS, "--coverage", "0.9", "--max-risk", "0.05")
    assert lines_of(out)[0] == ["a.png", "absent", "0.500", "-", "-", "-"]


def test_json_has_what_the_model_says_and_what_was_asked_for(run, answering):
    _, plain, err = run(*WORDS, "--json")
    assert list(json.loads(plain.splitlines()[0])) == [*KEYS, "sigma"]
    assert err == ""
    _, out, _ = run(*WORDS, "--json", "--coverage", "0.9", "--max-risk", "0.05")
    first, second = map(json.loads, out.splitlines())
    assert list(first) == [
        *(*KEYS, "sigma", "coverage", "outer_box", "inner_box", "max_risk", "accepted")
    ]
    assert (first["expected_iou"], first["p_iou50"], first["p_iou75"]) == (0.75, 0.875, 0.625)
    assert (first["outer_box"], first["inner_box"]) == (OUTER, INNER)
    assert (first["coverage"], first["max_risk"]) == (0.9, 0.05)
    assert (first["accepted"], second["accepted"]) == (True, False)


# --- the promise


def test_the_promise_is_a_note_with_its_interval_once(run, answering):
    _, out, err = run(*WORDS, "--coverage", "0.9")
    # 0.9 (60 + 1) = 54.9: the coverage is Beta(55, 6), with 95 % in .816 to .962.
    (note,) = err.splitlines()
    assert note == f"note: {guarantees(MANY, '', coverage=0.9).describe()[0]}"
    assert "90 % of images" in note
    assert "60 calibration images somewhere in 82 to 96 %" in note
    assert "calibration" not in out


def test_a_risk_is_promised_with_the_fraction_that_is_accepted(run, answering):
    _, _, err = run(*WORDS, "--max-risk", "0.05")
    (note,) = err.splitlines()
    assert note == f"note: {guarantees(MANY, '', max_risk=0.05).describe()[0]}"
    assert "At most 5 % of accepted predictions are wrong" in note
    assert "of the calibration images, 98 % are accepted" in note  # 59 of 60


def test_fewer_than_50_images_are_warned_of(run, answering):
    answering(FEW)
    promise, warning = run(*WORDS, "--coverage", "0.9")[2].splitlines()
    assert "with 18 calibration images somewhere in" in promise
    assert warning.startswith("note: 18 calibration images are few")


@pytest.mark.parametrize(
    ("calibration", "options", "message"),
    [
        (None, ["--coverage", "0.9"], "model.onnx is not calibrated"),
        (None, ["--max-risk", "0.1"], "Run onebox calibrate"),
        (FEW, ["--coverage", "0.99"], "coverage 0.99 needs 99 calibration images, this model has"),
        (MANY, ["--max-risk", "0.01"], "max_risk 0.01 needs at least 299 calibration images"),
        (MANY, ["--coverage", "90"], "coverage must be between 0 and 1, got 90. Did you mean 0.9?"),
        (MANY, ["--coverage", "0"], "coverage must be between 0 and 1"),
        (MANY, ["--max-risk", "1"], "max_risk must be between 0 and 1"),
    ],
)
def test_a_promise_that_cannot_be_kept_ends_with_2_before_the_work(
    calibration, options, message, run, answering, tmp_path
):
    answering(calibration)
    code, out, err = run(*WORDS, *options, "--draw", "drawn", "--csv", "p.csv")
    assert (code, out) == (2, "")
    assert message in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png"]


# --- files and drawings

OPTIONS = ("--coverage", "0.9", "--max-risk", "0.05")


def test_csv_has_more_columns_and_reads_back_as_labels(run, answering):
    assert run(*WORDS, *OPTIONS, "--csv", "p.csv")[0] == 0
    with Path("p.csv").open(newline="") as opened:
        first, second = csv.DictReader(opened)
    assert [first[f"sigma_{edge}"] for edge in ("x_min", "y_max")] == ["1.0", "1.0"]
    edges = ("x_min", "y_min", "x_max", "y_max")
    assert [float(first[f"outer_{edge}"]) for edge in edges] == OUTER
    assert [float(second[f"inner_{edge}"]) for edge in edges] == INNER
    assert first["expected_iou"] == "0.75"
    assert (first["accepted"], second["accepted"]) == ("True", "False")
    assert [sample.box for sample in onebox.read("p.csv")] == [BOX, BOX]


def test_a_file_is_continued_with_the_same_promise_alone(run, answering):
    run(*WORDS[:3], *OPTIONS, "--jsonl", "p.jsonl")
    before = Path("p.jsonl").read_text()
    others = {"without --coverage": (), "with --coverage 0.8": ("--coverage", "0.8", *OPTIONS[2:])}
    for said, options in others.items():
        code, _, err = run(*WORDS, *options, "--jsonl", "p.jsonl", "--continue")
        assert (code, Path("p.jsonl").read_text()) == (2, before)
        assert f"p.jsonl: was written with --coverage 0.9, and this command runs {said}" in err
    assert run(*WORDS, *OPTIONS, "--jsonl", "p.jsonl", "--continue")[0] == 0
    lines = Path("p.jsonl").read_text().splitlines()
    assert [json.loads(line)["image"] for line in lines] == ["a.png", "b.png"]


def test_a_table_is_not_continued_without_the_columns_that_it_has(run, answering):
    run(*WORDS[:3], "--coverage", "0.9", "--csv", "p.csv")
    code, _, err = run(*WORDS, "--csv", "p.csv", "--continue")
    assert (code, "p.csv:1: has the columns image," in err) == (2, True)


def test_a_drawing_shows_the_outer_box_and_whether_it_is_doubtful(run, answering):
    for name in ("a.png", "b.png"):
        Image.new("RGB", (300, 200)).save(name)
    answering(box=(100.0, 100.0, 220.0, 170.0), sigma=(5.0,) * 4)
    assert run(*WORDS, *OPTIONS, "--draw", "drawn")[0] == 0
    for name, colour in (("a.png", PREDICTED), ("b.png", DOUBTFUL)):
        drawn = (np.asarray(Image.open(f"drawn/{name}")) == colour).all(axis=2)
        assert drawn[170].sum() > 100
        assert 30 < drawn[185].sum() < 100  # dashed, 3 sigmas below
