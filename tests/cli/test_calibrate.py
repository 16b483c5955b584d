"""`onebox calibrate`: which images, which file, what is printed, and what is refused."""

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

import onebox
from onebox import calibration, synthetic
from onebox.calibration import Summary
from onebox.cli.app import app
from onebox.errors import DataError

PROMISE = "Outer boxes contain the true box in 90 % of images."
SUMMARY = Summary(
    images=12,
    promise=PROMISE,
    warnings=("12 calibration images are few.", "these images differ from the earlier ones."),
    before={"images": 60, "temperature": 1.25},
    after={"images": 12, "temperature": 0.5, "fraction_wrong": 0.0625},
)
SPLITS = ("train", "val", "cal", "test")


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Eight images in the working folder, two of each split."""
    monkeypatch.chdir(tmp_path)
    rows = ["image,label,x_min,y_min,x_max,y_max,split"]
    for number, split in enumerate(SPLITS * 2):
        Image.new("RGB", (32, 32), (number,) * 3).save(f"{number}.png")
        rows.append(f"{number}.png,disc,1,2,20,21,{split}")
    Path("labels.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


@pytest.fixture
def asked(monkeypatch):
    """Stand in for the calibration, and keep what it was asked for."""
    calls = []

    def calibrate_file(model, data, out=None, *, progress=None):
        progress(1, 2)
        calls.append((model, [Path(sample.name).name for sample in data], out))
        return SUMMARY

    monkeypatch.setattr(calibration, "calibrate_file", calibrate_file)
    return calls


# --- which images


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        ([], [2, 6]),
        (["--split", "cal"], [2, 6]),
        (["--split", "test"], [3, 7]),
        (["--split", "all"], [0, 1, 2, 3, 4, 5, 6, 7]),
    ],
)
def test_the_images_of_the_split_calibrate_the_model(
    options, numbers, run, bright_file, place, asked
):
    assert run("calibrate", bright_file, "labels.csv", *options)[0] == 0
    assert asked == [(bright_file, [f"{number}.png" for number in numbers], bright_file)]


@pytest.mark.parametrize(
    ("split", "is_warned"),
    [("cal", False), ("test", False), ("train", True), ("val", True), ("all", True)],
)
def test_images_that_the_model_may_have_seen_are_warned_of(
    split, is_warned, run, bright_file, place, asked
):
    _, _, err = run("calibrate", bright_file, "labels.csv", "--split", split)
    assert (f"--split {split} may hold images that trained the model" in err) == is_warned


def test_a_split_without_images_ends_with_3_and_says_what_to_do(run, bright_file, place, asked):
    labels = Path("labels.csv").read_text().replace(",cal\n", ",test\n")
    Path("labels.csv").write_text(labels)
    code, out, err = run("calibrate", bright_file, "labels.csv")
    assert (code, out, asked) == (3, "", [])
    assert err.startswith("error: labels.csv: has no image in the split 'cal'.")
    assert "--split all" in err


# --- which file


def test_the_model_is_replaced_or_another_file_is_written(run, bright_file, place, asked):
    run("calibrate", bright_file, "labels.csv")
    run("calibrate", bright_file, "labels.csv", "--out", "new/calibrated.onnx")
    assert [call[2] for call in asked] == [bright_file, Path("new/calibrated.onnx")]
    assert Path("new").is_dir()


def test_a_model_may_be_written_over_another_model(run, bright_file, place, asked):
    Path("old.onnx").write_bytes(bright_file.read_bytes())
    assert run("calibrate", bright_file, "labels.csv", "--out", "old.onnx")[0] == 0


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("labels.csv", "--out labels.csv: does not end in .onnx, as the model does"),
        ("model.npz", "--out model.npz: does not end in .onnx"),
        ("notes.onnx", "--out notes.onnx: exists already and is no model of onebox"),
        ("folder.onnx", "--out folder.onnx: is a folder. Name a file."),
        ("labels.csv/model.onnx", "--out labels.csv: is a file. Name a folder."),
    ],
)
def test_nothing_but_a_model_is_written_over(out, message, run, bright_file, place, asked):
    Path("folder.onnx").mkdir()
    Path("notes.onnx").write_text("mine")
    before = Path("labels.csv").read_text()
    code, printed, err = run("calibrate", bright_file, "labels.csv", "--out", out)
    assert (code, printed, asked) == (2, "", [])
    assert message in err
    assert (Path("labels.csv").read_text(), Path("notes.onnx").read_text()) == (before, "mine")


# --- what is printed


def test_the_numbers_before_and_after_are_printed_with_the_promise(run, bright_file, place, asked):
    code, out, err = run("calibrate", bright_file, "labels.csv")
    title, header, *rows, promise = out.splitlines()
    assert code == 0
    assert title == f"{bright_file}, calibrated on 12 images"
    assert header.split() == ["before", "after"]
    assert [row.split() for row in rows] == [
        ["images", "60", "12"],
        ["temperature", "1.25", "0.5"],
        ["fraction_wrong", "-", "0.0625"],
    ]
    assert promise == PROMISE
    assert err.splitlines() == [f"note: {warning}" for warning in SUMMARY.warnings]


def test_json_is_one_object(run, bright_file, place, asked):
    _, out, _ = run("calibrate", bright_file, "labels.csv", "--json")
    assert json.loads(out) == {
        "model": str(bright_file),
        "images": 12,
        "promise": PROMISE,
        "warnings": list(SUMMARY.warnings),
        "before": SUMMARY.before,
        "after": SUMMARY.after,
    }


# --- what is refused


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["labels.csv", "labels.csv"], 4, "labels.csv: is not an ONNX model"),
        (["MODEL", "nowhere.csv"], 3, "nowhere.csv: there is no such file or folder."),
        (["MODEL", "labels.csv", "--split", "cla"], 2, "Did you mean cal?"),
        (["MODEL", "labels.csv", "--format", "vco"], 2, "Did you mean voc?"),
        (["MODEL", "labels.csv", "--on-bad", "skpi"], 2, "Did you mean skip?"),
    ],
)
def test_a_wrong_model_data_set_or_option_has_its_own_code(
    words, code, message, run, bright_file, place
):
    filled = [bright_file if word == "MODEL" else word for word in words]
    ended, out, err = run("calibrate", *filled)
    assert (ended, out) == (code, "")
    assert message in err


def test_a_calibration_that_fails_leaves_the_model_as_it_was(run, bright_file, place, monkeypatch):
    def refuse(*given, **named):
        raise DataError("labels.csv: has 2 calibration images, and needs 9.")

    monkeypatch.setattr(calibration, "calibrate_file", refuse)
    before = bright_file.read_bytes()
    code, out, err = run("calibrate", bright_file, "labels.csv")
    assert (code, out, bright_file.read_bytes()) == (3, "", before)
    assert err == "error: labels.csv: has 2 calibration images, and needs 9.\n"


# --- a real model


@pytest.fixture(scope="module")
def calibrated(model_file, tmp_path_factory):
    """A folder with the trained model, calibrated by the command, and the images that did it."""
    folder = tmp_path_factory.mktemp("calibrated")
    discs = synthetic.dataset("synth:blobs", size=64, seed=3, counts={"cal": 24})
    saved = synthetic.save(discs, folder / "discs", 24)
    onebox.write(onebox.Dataset(saved, discs.classes), folder / "labels.csv", "csv")
    line = ["calibrate", str(model_file), str(folder / "labels.csv"), "--json"]
    outcome = CliRunner().invoke(app, [*line, "--out", str(folder / "model.onnx")])
    assert outcome.exit_code == 0, outcome.output
    return folder, json.loads(outcome.stdout)


@pytest.mark.train
def test_a_calibrated_model_keeps_its_boxes_and_knows_how_sure_it_is(model_file, calibrated):
    folder, printed = calibrated
    before, after = onebox.load(model_file), onebox.load(folder / "model.onnx")
    assert after.card.calibration.images == printed["images"] == 24
    assert printed["after"]["images"] == 24
    for sample in onebox.read(folder / "labels.csv"):
        plain, sure = before.predict(sample.image), after.predict(sample.image)
        assert (sure.label, sure.box, sure.sigma) == (plain.label, plain.box, plain.sigma)
        assert 0 <= sure.p_iou75 <= sure.p_iou50 <= 1
        assert sure.score == pytest.approx(sure.expected_iou)  # of one class, always present


@pytest.mark.train
def test_a_calibrated_model_promises_outer_boxes_on_the_command_line(run, calibrated):
    folder, _ = calibrated
    words = ("predict", folder / "model.onnx", folder / "discs", "--json", "--coverage", "0.9")
    code, out, err = run(*words)
    truth = {Path(sample.name).name: sample.box for sample in onebox.read(folder / "labels.csv")}
    found = {Path(line["image"]).name: line for line in map(json.loads, out.splitlines())}
    assert (code, found.keys()) == (0, truth.keys())
    assert "24 calibration images somewhere in" in err
    # These very images set the growth: ceil(0.9 (24 + 1)) = 23 of them are contained.
    held = [contains(found[name]["outer_box"], box) for name, box in truth.items()]
    assert sum(held) >= 23


def contains(outer, box):
    return all(outer[edge] <= box[edge] + 1e-3 for edge in (0, 1)) and all(
        outer[edge] >= box[edge] - 1e-3 for edge in (2, 3)
    )


@pytest.mark.train
def test_the_information_on_a_calibrated_model_has_its_promise(run, calibrated):
    folder, printed = calibrated
    _, out, err = run("info", folder / "model.onnx")
    assert printed["promise"] in out
    assert "not calibrated" not in err


@pytest.mark.train
def test_a_calibrated_model_can_be_calibrated_again_in_place(run, calibrated, tmp_path):
    folder, printed = calibrated
    model = Path(shutil.copy(folder / "model.onnx", tmp_path / "model.onnx"))
    code, out, _ = run("calibrate", model, folder / "labels.csv", "--json")
    again = json.loads(out)
    assert code == 0
    # The same images say the same.
    assert again["before"] == printed["after"]
    assert again["after"] == pytest.approx(printed["after"])
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]
