"""`onebox audit`."""

import csv
import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

import onebox
from onebox.audit.find import find
from onebox.audit.job import Audited
from onebox.audit.records import OutOfFold
from onebox.mean_box import normalized_boxes

TINY = [
    "--no-pretrained",
    *("--set", "model.backbone=test_byobnet", "--set", "model.size=32", "--set", "model.width=8"),
    *("--set", "train.epochs=2", "--set", "train.batch_size=8", "--folds", "2"),
]
WRONG = (0.0, 0.0, 9.0, 9.0)


@pytest.fixture(autouse=True)
def discs(tmp_path, monkeypatch, run):
    """An empty working folder with 30 discs, the first of which has a wrong box."""
    monkeypatch.chdir(tmp_path)
    run("synth", "blobs", "discs", "--count", 30, "--size", 64)
    lines = Path("discs/labels.csv").read_text().splitlines()
    name, label, *_, split = lines[1].split(",")
    lines[1] = ",".join([name, label, *(f"{edge:g}" for edge in WRONG), split])
    right = onebox.read("discs/labels.csv")
    Path("discs/labels.csv").write_text("\n".join(lines))
    return right


@pytest.fixture
def calls(monkeypatch, discs):
    """The arguments of each audit, whose networks are replaced by the right boxes and noise."""
    calls = []
    noise = np.random.default_rng(0).normal(0, 0.01, (30, 4))

    def audit(data, recipe, options, listener):
        calls.append((data, recipe, options))
        found = OutOfFold(
            normalized_boxes(discs) + noise,
            np.full((30, 4), 0.01),
            np.ones((30, 1)),
            None,
            None,
            (),
        )
        return Audited(find(data, found, options.rate), found)

    monkeypatch.setattr("onebox.audit.job.audit", audit)
    return calls


def listed(path="audits/discs-1/audit.csv"):
    with Path(path).open(newline="", encoding="utf-8") as opened:
        return [row for row in csv.DictReader(opened) if row["listed"] == "yes"]


@pytest.mark.train
def test_a_whole_audit_leaves_a_page_a_table_and_the_old_labels(run):
    before = Path("discs/labels.csv").read_bytes()
    code, out, err = run("audit", "discs", *TINY, "--out", "here", "--apply", "new.csv", "--json")
    result = json.loads(out)
    assert code == 0
    assert (result["page"], result["table"], result["labels"]) == (
        "here/audit.html",
        "here/audit.csv",
        "new.csv",
    )
    assert "Training fold 2 of 2" in err
    assert Path("here/audit.html").read_text().startswith("<!doctype html>")
    assert len(Path("here/audit.csv").read_text().splitlines()) == 1 + 30 + len(result["checks"])
    assert len(onebox.read("new.csv")) == 30
    assert Path("discs/labels.csv").read_bytes() == before


def test_the_wrong_box_is_printed_and_written(run, calls):
    code, out, _ = run("audit", "discs")
    assert code == 0
    first = listed()[0]
    assert (first["rank"], first["given"], first["kind"]) == ("1", "0, 0, 9, 9", "far off")
    assert first["image"].startswith("../../discs/images/")
    assert f"{WRONG[0]:g}, 0, 9, 9" in out
    assert "audits/discs-1/audit.html" in out


def test_json_has_what_is_listed(run, calls, discs):
    code, out, _ = run("audit", "discs", "--json")
    result = json.loads(out)
    assert (code, result["images"], result["fdr"]) == (0, 30, 0.1)
    assert [one["listed"] for one in result["boxes"]] == [True] * len(result["boxes"])
    first = result["boxes"][0]
    assert first["image"] == discs.samples[0].name
    assert first["q_value"] < 0.01


def test_options_become_the_recipe_and_the_arguments(run, calls):
    words = ["--recipe", "demo", "--set", "train.epochs=20", "--seed", 9, "--minutes", 2.5]
    words += ["--folds", 3, "--fdr", 0.2, "--weights", "w.safetensors"]
    assert run("audit", "discs", *words)[0] == 0
    [(_, recipe, options)] = calls
    assert (recipe.train.epochs, recipe.train.seed, recipe.train.minutes) == (20, 9, 2.5)
    assert (options.folds, options.rate, options.weights) == (3, 0.2, Path("w.safetensors"))


def test_the_default_is_four_folds_at_one_in_ten(run, calls):
    run("audit", "discs")
    [(_, _, options)] = calls
    assert (options.folds, options.rate, options.weights) == (4, 0.1, None)


def test_apply_writes_what_is_listed_into_a_new_file(run, calls, discs):
    assert run("audit", "discs", "--apply", "new.csv")[0] == 0
    fixed, faulty = onebox.read("new.csv"), onebox.read("discs/labels.csv")
    count = len(listed())
    assert sum(one.box != two.box for one, two in zip(fixed, faulty, strict=True)) == count
    assert np.abs(np.subtract(fixed.samples[0].box, discs.samples[0].box)).max() < 3


def test_an_edited_table_is_applied_without_training(run, calls, discs, monkeypatch):
    run("audit", "discs")
    lines = Path("audits/discs-1/audit.csv").read_text().splitlines()
    Path("edited.csv").write_text("\n".join(lines[:2]).replace("../../", ""))
    calls.clear()
    code, out, _ = run("audit", "discs", "--apply", "new.csv", "--from", "edited.csv", "--json")
    assert (code, json.loads(out)) == (0, {"labels": "new.csv", "changed": 1})
    assert calls == []
    fixed, faulty = onebox.read("new.csv"), onebox.read("discs/labels.csv")
    assert fixed.samples[0].box != WRONG
    assert [dataclasses.replace(one, origin="") for one in fixed.samples[1:]] == list(
        faulty.samples[1:]
    )


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--apply", "discs/labels.csv"], 2, "--apply discs/labels.csv: exists already"),
        (["--apply", "new.txt"], 2, "ends in neither .csv nor .json"),
        (["--from", "a.csv"], 2, "--from a.csv goes with --apply FILE"),
        (["--apply", "n.csv", "--from", "a.csv", "--seed", "1"], 2, "leave out --seed"),
        (["--apply", "n.csv", "--from", "a.csv"], 3, "a.csv: cannot be read"),
        (["--weights", "w", "--no-pretrained"], 2, "exclude each other"),
        (["--out", "discs"], 2, "--out discs: exists and is not an empty folder"),
        (["--folds", "1"], 2, "Invalid value for '--folds'"),
        (["--recipe", "hog-svm"], 2, "an audit trains networks"),
        (["--minutes", "-1"], 2, "train.minutes"),
    ],
)
def test_what_cannot_be_done_is_said_before_any_training(words, code, message, run, monkeypatch):
    monkeypatch.setattr("onebox.audit.job._import_predict", lambda: 1 / 0)
    ended, out, err = run("audit", "discs", *words)
    assert (ended, out) == (code, "")
    assert message in err
    assert "--resume" not in err
    assert not Path("audits").exists()


def test_the_labels_that_the_user_has_are_the_same_after_every_refusal(run):
    before = Path("discs/labels.csv").read_bytes()
    run("audit", "discs", "--apply", "discs/labels.csv")
    assert Path("discs/labels.csv").read_bytes() == before
