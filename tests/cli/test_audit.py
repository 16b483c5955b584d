"""`onebox audit`: options, files, and what is printed. The audit itself is replaced."""

import csv
import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import onebox
from onebox.audit.records import Audit, Finding

HEADER = "image,label,x_min,y_min,x_max,y_max,split\n"
NAMES = "abcdefghijklmnopqrst"
ROWS = [f"{name}.png,{'cat' if name < 'd' else 'dog'},10,10,50,60,train\n" for name in NAMES]
NEW_BOX = (12.5, 10.0, 70.0, 60.0)


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """A working folder with a label file of 20 images of cats and dogs, 100 x 80 pixels."""
    monkeypatch.chdir(tmp_path)
    Path("pets").mkdir()
    for name in NAMES:
        Image.fromarray(np.full((80, 100, 3), ord(name), np.uint8)).save(f"pets/{name}.png")
    write_labels(ROWS)


def write_labels(rows):
    Path("pets/labels.csv").write_text("".join([HEADER, *rows]))


def finding(row, in_list, **facts):
    plain = {
        "rank": 1, "score": 4.0, "p_value": None, "q_value": 0.01, "is_listed": True,
        "kind": "far off", "side": "", "given": "given", "suggested": "", "why": "It is far off.",
    }  # fmt: skip
    return Finding(row=row, list=in_list, **{**plain, **facts})


FOUND = Audit(
    boxes=[
        finding(0, "boxes", box=NEW_BOX, side="right"),
        finding(1, "boxes", rank=2, box=NEW_BOX, is_listed=False, kind=""),
    ],
    classes=[finding(5, "classes", label="cat", suggested="cat", kind="class")],
    checks=[],
    rate=0.1,
    class_error_rate=0.25,
    notes=("1 class has fewer than 4 images.",),
)


@pytest.fixture
def calls(monkeypatch):
    """The data, recipe and options of each audit, which is replaced and finds `FOUND`."""
    calls = []

    def audit(data, recipe, options, listener, runner):
        calls.append((data, recipe, options))
        return SimpleNamespace(audit=FOUND)

    monkeypatch.setattr("onebox.audit.job.audit", audit)
    return calls


def files_below(folder):
    return sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*"))


# --- an audit


@pytest.mark.train
def test_a_whole_audit_judges_every_box_and_both_classes(run):
    words = ("--no-pretrained", "--folds", 2, "--seed", 1, "--out", "found", "--json")
    tiny = ("model.backbone=test_byobnet", "model.size=32", "model.width=8", "train.epochs=1")
    settings = [word for one in tiny for word in ("--set", one)]
    many = [name for letter in NAMES for name in (letter, f"{letter}2")]
    for name in many:
        Image.fromarray(np.full((80, 100, 3), sum(name.encode()) % 255, np.uint8)).save(
            f"pets/{name}.png"
        )
    rows = [
        f"{name}.png,{'cat' if name < 'd' else 'dog'},10,10,{50 + row},60,train\n"
        for row, name in enumerate(many)
    ]
    write_labels(rows)
    code, out, err = run("audit", "pets/labels.csv", *words, *settings, "--apply", "new.csv")
    assert code == 0, err
    assert json.loads(out)["images"] == len(many) == 40
    with Path("found/audit.csv").open(newline="") as file:
        found = list(csv.DictReader(file))
    for in_list in ("boxes", "classes"):
        images = sorted(Path(row["image"]).stem for row in found if row["list"] == in_list)
        assert images == sorted(many)
    assert "Training fold 2 of 2" in err
    assert len(onebox.read("new.csv")) == 40


def test_an_audit_writes_the_list_and_the_page_and_says_where(run, calls):
    code, out, err = run("audit", "pets/labels.csv")
    assert code == 0
    assert files_below("runs") == [
        "audit-pets-1",
        "audit-pets-1/audit.csv",
        "audit-pets-1/audit.html",
    ]
    assert "0  " not in out.splitlines()[0]
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert lines == [
        "boxes",
        "rank image kind suggested",
        "1 pets/a.png far off: right 12.5, 10, 70, 60",
        "classes",
        "rank image kind suggested",
        "1 pets/f.png class cat",
        "listed",
        "boxes 1 of 2",
        "classes 1 of 1",
        "checks 0",
        "false-discovery rate 0.1 of a list, or fewer, may be right after all",
        "files",
        "list runs/audit-pets-1/audit.csv",
        "page runs/audit-pets-1/audit.html",
    ]
    assert "the lists are best from 200 images on" in err
    assert "note: 1 class has fewer than 4 images." in err
    with Path("runs/audit-pets-1/audit.csv").open(newline="") as file:
        images = [row["image"] for row in csv.DictReader(file)]
    assert images == ["../../pets/a.png", "../../pets/b.png", "../../pets/f.png"]


def test_a_second_audit_takes_the_next_folder(run, calls):
    assert run("audit", "pets")[0] == run("audit", "pets")[0] == 0
    assert [path.name for path in sorted(Path("runs").iterdir())] == [
        "audit-pets-1",
        "audit-pets-2",
    ]


def test_options_reach_the_audit(run, calls):
    words = ("--folds", 3, "--fdr", 0.2, "--seed", 7, "--minutes", 5, "--no-pretrained")
    more = ("--set", "model.size=64", "--out", "a/b", "--weights", "w.safetensors")
    assert run("audit", "pets", *words, "--set", "model.size=64", "--out", "a/b")[0] == 0
    ((data, settings, options),) = calls
    assert len(data) == 20
    assert (options.folds, options.rate, options.weights) == (3, 0.2, None)
    assert (settings.train.seed, settings.train.minutes) == (7, 5)
    assert (settings.model.pretrained, settings.model.size) == (False, 64)
    assert files_below("a/b") == ["audit.csv", "audit.html"]
    assert run("audit", "pets", *more[-2:])[0] == 0
    assert calls[-1][2].weights == Path("w.safetensors")
    assert (calls[-1][2].folds, calls[-1][2].rate) == (4, 0.1)


def test_json_has_the_paths_the_counts_and_what_is_listed(run, calls):
    code, out, _ = run("audit", "pets", "--out", "found", "--json")
    result = json.loads(out)
    assert code == 0
    assert (result["list"], result["page"]) == ("found/audit.csv", "found/audit.html")
    assert (result["images"], result["rate"]) == (20, 0.1)
    assert result["class_error_rate"] == 0.25
    assert result["listed"] == {"boxes": 1, "classes": 1, "checks": 0}
    assert [one["image"] for one in result["findings"]] == ["pets/a.png", "pets/f.png"]
    assert result["findings"][0]["box"] == list(NEW_BOX)
    assert result["findings"][1]["label"] == "cat"
    assert "changed" not in result


def test_one_class_is_said_to_have_no_list_of_classes(run, calls):
    write_labels(ROWS[:3] + [row.replace("dog", "cat") for row in ROWS[3:]])
    _, _, err = run("audit", "pets")
    assert "has one class, 'cat': there is no list of classes." in err


# --- applying


def boxes_and_labels(path):
    return [(sample.box, sample.label) for sample in onebox.read(path)]


OLD = [((10.0, 10.0, 50.0, 60.0), "cat" if name < "d" else "dog") for name in NAMES]
NEW = [(NEW_BOX, "cat"), *OLD[1:5], (OLD[5][0], "cat"), *OLD[6:]]


def test_apply_writes_new_labels_and_leaves_the_old_bytes(run, calls):
    before = Path("pets/labels.csv").read_bytes()
    code, out, err = run("audit", "pets", "--apply", "pets/new.csv")
    assert code == 0
    assert boxes_and_labels("pets/new.csv") == NEW
    assert Path("pets/labels.csv").read_bytes() == before
    assert "labels          pets/new.csv" in out
    assert "images changed  2" in out
    assert "applied unseen" in err


def test_an_edited_list_is_applied_without_an_audit(run, calls):
    run("audit", "pets/labels.csv", "--out", "found")
    lines = Path("found/audit.csv").read_text().splitlines(keepends=True)
    Path("found/audit.csv").write_text("".join(line for line in lines if "f.png" not in line))
    before = {name: Path(name).read_bytes() for name in ("pets/labels.csv", "found/audit.csv")}
    code, out, err = run(
        "audit", "pets/labels.csv", "--from", "found/audit.csv", "--apply", "new.json"
    )
    assert (code, err, len(calls)) == (0, "", 1)
    assert boxes_and_labels("new.json") == [NEW[0], *OLD[1:]]
    assert "labels          new.json" in out
    assert {name: Path(name).read_bytes() for name in before} == before


def test_an_applied_list_prints_json_and_a_note_if_nothing_changes(run, calls):
    run("audit", "pets/labels.csv", "--out", "found")
    text = Path("found/audit.csv").read_text()
    Path("found/audit.csv").write_text(text.replace(",yes,", ",no,"))
    words = ("--from", "found/audit.csv", "--apply", "new.csv", "--json")
    code, out, err = run("audit", "pets/labels.csv", *words)
    assert (code, json.loads(out)) == (0, {"labels": "new.csv", "images": 20, "changed": 0})
    assert "no listed row suggests a change" in err


# --- refusals


def test_a_wrong_list_is_an_error_of_data_and_writes_nothing(run, calls):
    run("audit", "pets/labels.csv", "--out", "found")
    text = Path("found/audit.csv").read_text()
    Path("found/audit.csv").write_text(text.replace("12.5", "wide"))
    code, _, err = run("audit", "pets/labels.csv", "--from", "found/audit.csv", "--apply", "n.csv")
    assert code == 3
    assert "audit.csv:2: suggested_x_min is 'wide', which is not a number." in err
    assert not Path("n.csv").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--fdr", "0"], "--fdr must be above 0 and below 1, got 0."),
        (["--fdr", "1"], "--fdr must be above 0 and below 1, got 1."),
        (["--fdr", "nan"], "--fdr must be above 0 and below 1, got nan."),
        (["--folds", "1"], "--folds must be between 2 and half .*, here 10; got 1"),
        (["--folds", "11"], "--folds must be between 2 and half .*, here 10; got 11"),
        (["--from", "audit.csv"], "name the new labels too, with --apply NEW.csv"),
        (
            ["--from", "a.csv", "--apply", "n.csv", "--folds", "3", "--fdr", "0.2"],
            "--from applies a list without a new audit; leave out --folds, --fdr.",
        ),
        (["--weights", "w", "--no-pretrained"], "--weights and --no-pretrained exclude each other"),
        (["--out", "pets"], "--out pets: exists and is not an empty folder"),
        (["--out", "pets/a.png"], "--out pets/a.png: exists and is not an empty folder"),
        (["--apply", "pets/labels.csv"], "--apply pets/labels.csv: exists already"),
        (["--apply", "pets"], "--apply pets: exists already"),
        (["--apply", "new.txt"], "no labels are written to a '.txt' file"),
        (["--apply", "new"], "CSV labels are one file, not a folder"),
        (["--recipe", "hog-svm"], "recipe 'hog-svm' trains HOG windows"),
        (["--recipe", "defualt"], "Did you mean default"),
    ],
)
def test_wrong_options_are_refused_before_any_work(run, calls, words, message):
    before = files_below(".")
    code, out, err = run("audit", "pets", *words)
    assert (code, out) == (2, "")
    assert re.search(message, " ".join(err.split()))
    assert calls == []
    assert files_below(".") == before


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["a.png,,,,,,\n", "b.png,,,,,,\n"], "no image has a box, so there is nothing to audit"),
        (ROWS[:19], "has 19 images with a box; an audit needs at least 20"),
        (ROWS[:1], "has 1 image with a box; an audit needs at least 20"),
    ],
)
def test_a_data_set_that_cannot_be_audited_is_refused(run, calls, rows, message):
    write_labels(rows)
    code, _, err = run("audit", "pets/labels.csv")
    assert code == 3
    assert message in err
    assert calls == []
    assert not Path("runs").exists()


def test_generated_images_can_be_audited_but_not_corrected(
    run, calls, monkeypatch, discs, shortened
):
    monkeypatch.setattr("onebox.synthetic.dataset", lambda name: shortened(discs, train=20))
    code, _, err = run("audit", "synth:blobs", "--apply", "new.csv")
    assert code == 2
    assert "these images are generated" in err
    assert run("audit", "synth:blobs", "--out", "found")[0] == 0


def test_the_command_starts_without_pytorch():
    program = (
        "import sys; import onebox.cli.app; "
        "print([name for name in ('torch', 'jinja2', 'scipy') if name in sys.modules])"
    )
    shown = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert shown.stdout.strip() == "[]"
