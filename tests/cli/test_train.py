"""`onebox train` and `onebox demo`."""

import json
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from PIL import Image

import onebox
from onebox import synthetic
from onebox.recipes.loading import read_recipe
from onebox.runs.results import Run

TINY = [
    "--no-pretrained",
    *("--set", "model.backbone=test_byobnet", "--set", "model.size=32", "--set", "model.width=8"),
    *("--set", "train.epochs=1", "--set", "train.batch_size=8"),
]


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def finished():
    """A finished run, without any training."""
    metrics = {"images": 5, "mean_iou": 0.75, "iou_at": {"0.5": 1.0}, "is_collapsed": False}
    return Run(Path("runs/discs-1"), {"val": metrics, "test": {**metrics, "mean_iou": 0.625}}, 7)


@pytest.fixture
def calls(monkeypatch, finished):
    """The arguments of each call of training, which is replaced and returns a finished run.

    Generated data sets have few samples.
    """
    calls = []

    def run(data, recipe, options, listener):
        calls.append((data, recipe, options))
        return finished

    monkeypatch.setattr("onebox.runs.train.run", run)
    few = partial(synthetic.dataset, counts={"train": 4, "val": 2, "test": 2})
    monkeypatch.setattr(synthetic, "dataset", few)
    return calls


# --- a whole run


@pytest.mark.train
def test_a_run_leaves_a_model_that_predicts_and_prints_where_it_is(run):
    run("synth", "blobs", "discs", "--count", 20, "--size", 32)
    code, out, err = run(
        "train", "discs/labels.csv", *TINY, "--seed", 3, "--out", "a/run", "--json"
    )
    result = json.loads(out)
    assert code == 0
    assert (result["model"], result["report"]) == ("a/run/model.onnx", "a/run/report.html")
    assert (result["folder"], result["epochs"], list(result["metrics"])) == (
        "a/run",
        1,
        ["val", "test"],
    )
    assert "epoch   1/1" in err
    assert Path("a/run/report.html").is_file()
    assert onebox.load("a/run/model.onnx").card.recipe["train"]["seed"] == 3
    code, out, _ = run("predict", "a/run/model.onnx", "discs", "--json")
    assert (code, len(out.splitlines())) == (0, 20)
    before = Path("a/run/model.onnx").read_bytes()
    code, out, err = run("train", "discs/labels.csv", *TINY, "--out", "a/run")
    assert (code, out) == (2, "")
    assert "resume the run in it with --resume a/run" in err
    assert Path("a/run/model.onnx").read_bytes() == before


@pytest.mark.train
def test_a_hog_recipe_leaves_a_model_that_predicts_and_is_evaluated(run):
    pytest.importorskip("skimage")
    run("synth", "blobs", "discs", "--count", 20, "--size", 32)
    windows = ["--recipe", "hog-svm", "--set", "hog.window=4", "--set", "hog.scales=1"]
    code, out, err = run("train", "discs", *windows, "--seed", 3, "--out", "run", "--json")
    result = json.loads(out)
    assert (code, result["model"], result["epochs"]) == (0, "run/model.npz", 0)
    assert "note: discs has 2 calibration images with a box. " in err
    assert "Training" in err.splitlines()
    assert json.loads(Path("run/metrics.json").read_text()) == result["metrics"]
    code, out, _ = run("info", "run/model.npz", "--json")
    assert (code, json.loads(out)["recipe"]["hog"]["seed"]) == (0, 3)
    code, out, _ = run("predict", "run/model.npz", "discs", "--json")
    assert (code, len(out.splitlines())) == (0, 20)
    code, out, _ = run("evaluate", "run/model.npz", "discs", "--split", "val", "--json")
    metrics = json.loads(out)
    assert (code, metrics["mean_iou"]) == (0, result["metrics"]["val"]["mean_iou"])
    assert metrics["mean_iou"] > metrics["mean_box_iou"]


# --- options


def test_options_become_the_recipe_and_the_arguments(run, calls):
    run("synth", "blobs", "discs", "--count", 4, "--size", 32)
    words = ["--set", "train.epochs=20", "--set", "data.classes=['disc','ball']", "--seed", 9]
    paths = ["--weights", "w.safetensors", "--out", "here"]
    assert run("train", "discs", "--recipe", "demo", *words, *paths)[0] == 0
    [(data, recipe, options)] = calls
    assert (recipe.train.epochs, recipe.train.seed, recipe.model.size) == (20, 9, 96)
    assert data.classes == ("disc", "ball")
    assert (options.weights, options.out) == (Path("w.safetensors"), Path("here"))
    assert options.resume is None


def test_an_unknown_logger_is_refused_with_a_suggestion_before_anything_is_read(run, calls):
    code, out, err = run("train", "nowhere", "--log", "csv", "--log", "wandv")
    assert (code, out, calls) == (2, "", [])
    assert "--log 'wandv' is not one of csv, tensorboard, mlflow, wandb. Did you mean wandb?" in err


@pytest.mark.parametrize("name", ["tensorboard", "mlflow", "wandb"])
def test_a_missing_logger_names_its_extra_before_training_starts(run, calls, monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)
    code, out, err = run("train", "synth:blobs", "--log", name)
    assert (code, out, calls) == (1, "", [])
    assert f"pip install 'onebox[{name}]'" in err


def test_the_minutes_are_a_setting_and_count_from_the_start_of_the_command(run, calls):
    before_s = time.monotonic()
    assert run("train", "synth:blobs", "--minutes", 2.5)[0] == 0
    [(_, recipe, options)] = calls
    assert recipe.train.minutes == 2.5
    assert before_s <= options.started_s <= time.monotonic()


def test_a_resumed_run_reads_its_labels_by_the_classes_of_its_own_recipe(run, calls):
    run("synth", "blobs", "discs", "--count", 4, "--size", 32)
    Path("r/checkpoints").mkdir(parents=True)
    Path("r/checkpoints/last.safetensors").touch()
    Path("r/recipe.toml").write_text("[data]\nclasses = ['disc', 'ball']\n")
    assert run("train", "discs", "--resume", "r")[0] == 0
    [(data, recipe, options)] = calls
    assert data.classes == recipe.data.classes == ("disc", "ball")
    assert options.resume == Path("r")


def test_without_options_the_recipe_is_the_default(run, calls):
    assert run("train", "synth:blobs")[0] == 0
    assert calls[0][1] == read_recipe("default")


def test_no_pretrained_is_a_setting_of_the_recipe(run, calls):
    assert run("train", "synth:blobs", "--no-pretrained")[0] == 0
    assert calls[0][1].model.pretrained is False


def test_the_demo_trains_its_own_recipe_on_generated_discs(run, calls):
    code, out, _ = run("demo", "--out", "here")
    [(data, recipe, options)] = calls
    assert (code, data.name, recipe, options.out) == (0, "synth:blobs", "demo", Path("here"))
    assert "report.html" in out


def test_a_finished_run_prints_its_metrics_and_files_on_standard_output(run, calls):
    _, out, err = run("demo")
    lines = [line.split() for line in out.splitlines()]
    assert lines[lines.index(["val", "images"]) :][1:3] == [["images", "5"], ["mean_iou", "0.75"]]
    assert lines[lines.index(["test", "images"]) :][2] == ["mean_iou", "0.625"]
    assert ["model", "runs/discs-1/model.onnx"] in lines
    assert ["report", "runs/discs-1/report.html"] in lines
    assert err == "Loading PyTorch\n"


def test_json_has_the_paths_the_epochs_and_all_metrics(run, calls, finished):
    code, out, _ = run("demo", "--json")
    assert (code, json.loads(out)) == (
        0,
        {
            "folder": "runs/discs-1",
            "model": "runs/discs-1/model.onnx",
            "report": "runs/discs-1/report.html",
            "epochs": 7,
            "metrics": finished.metrics,
        },
    )


def test_a_stopped_or_collapsed_run_has_a_note_on_standard_error(run, finished, monkeypatch):
    metrics = {"val": {**finished.metrics["val"], "is_collapsed": True}}
    stopped = replace(finished, metrics=metrics, is_interrupted=True)
    monkeypatch.setattr("onebox.runs.train.run", lambda *_: stopped)
    code, _, err = run("demo")
    assert code == 0
    assert "note: training was stopped; the checkpoint kept so far is exported." in err
    assert "Continue with --resume runs/discs-1." in err
    assert "hardly better than one box" in err


# --- errors


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--recipe", "defualt"], "recipe 'defualt' is not one of"),
        (["--recipe", "defualt"], "Did you mean default?"),
        (["--recipe", ""], "recipe '' is not one of"),
        (["--recipe", "mine.toml"], "mine.toml: cannot be read"),
        (["--set", "train.epoch=3"], "[train] has no setting 'epoch'. Did you mean epochs?"),
        (["--set", "trian.epochs=3"], "the recipe has no setting 'trian'. Did you mean train?"),
        (["--set", "train.epochs=many"], "train.epochs: "),
        (["--set", "train.epochs"], "is not of the form key=value"),
        (["--set", "model.vectorizer=gpa"], "'gap'"),
        (["--on-multiple", "larges"], "Did you mean largest?"),
        (["--format", "vco"], "Did you mean voc?"),
        (["--weights", "w", "--no-pretrained"], "exclude each other"),
        (["--resume", "r", "--seed", "0"], "leave out --seed."),
        (["--resume", "r", "--set", "train.epochs=3", "--out", "o"], "leave out --set, --out."),
        (["--resume", "r", "--no-pretrained"], "leave out --no-pretrained."),
        (["--resume", "r", "--recipe", "demo"], "leave out --recipe."),
        (["--resume", "r", "--weights", "w"], "leave out --weights."),
        (["--recipe", "hog-svm", "--set", "hog.cel=4"], "Did you mean cell?"),
        (
            ["--recipe", "hog-svm", "--no-pretrained"],
            "does not read model.pretrained; leave it out",
        ),
        (["--recipe", "hog-svm", "--set", "train.epochs=3"], "does not read train.epochs"),
    ],
)
def test_wrong_settings_end_with_2_before_anything_is_made(words, message, run, calls):
    code, out, err = run("train", "synth:blobs", *words)
    assert (code, out, calls) == (2, "", [])
    assert message in err
    assert list(Path().iterdir()) == []


# Runs command lines in one process that cannot import PyTorch, and tells how each ended.
WITHOUT_TORCH = """
import contextlib, io, json, sys

sys.modules["torch"] = None
from onebox.cli import main

ends = []
for words in json.loads(sys.argv[1]):
    out, err = io.StringIO(), io.StringIO()
    sys.argv = ["onebox", "train", "synth:blobs", *words]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main()
    except SystemExit as ended:
        ends.append([ended.code, out.getvalue(), err.getvalue()])
print(json.dumps(ends))
"""
WRONG_FOLDERS = [
    (["--out", "full"], "--out full: exists and is not an empty folder."),
    (["--resume", "full"], "--resume full: holds no checkpoints/last.safetensors"),
    (["--resume", "half"], "--resume half: holds no recipe.toml"),
    (["--resume", "hog"], "--resume hog: HOG windows are trained in one go"),
    (["--resume", "full", "--out", "new"], "leave out --out."),
    (["--weights", "w", "--no-pretrained"], "exclude each other"),
    (["--recipe", "hog-svm", "--weights", "w"], "--weights w: HOG windows are trained in one"),
]


@pytest.fixture(scope="module")
def ends_without_torch(tmp_path_factory):
    """Exit code, standard output and standard error of each line of `WRONG_FOLDERS`."""
    folder = tmp_path_factory.mktemp("without_torch")
    for file in ("full/a.txt", "half/checkpoints/last.safetensors", "hog/model.npz"):
        (folder / file).parent.mkdir(parents=True)
        (folder / file).touch()
    lines = json.dumps([words for words, _ in WRONG_FOLDERS])
    process = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, lines],
        cwd=folder,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=120,
    )
    return json.loads(process.stdout)


@pytest.mark.train
@pytest.mark.parametrize(
    "number",
    range(len(WRONG_FOLDERS)),
    ids=[" ".join(words) for words, _ in WRONG_FOLDERS],
)
def test_a_wrong_folder_or_option_is_an_error_before_pytorch_is_imported(
    number, ends_without_torch
):
    assert len(ends_without_torch) == len(WRONG_FOLDERS)
    code, out, err = ends_without_torch[number]
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert WRONG_FOLDERS[number][1] in err


def test_a_folder_that_the_demo_cannot_take_is_an_error_before_training(run, calls):
    Path("full").mkdir()
    Path("full/a.txt").touch()
    code, out, err = run("demo", "--out", "full")
    assert (code, out, calls) == (2, "", [])
    assert "--out full: exists and is not an empty folder." in err


def test_every_bad_row_is_listed_at_once_before_anything_is_made(run, calls):
    Image.new("RGB", (100, 80)).save("a.png")
    rows = ["a.png,60,10,20,40,cat", "b.png,1,2,3,4,cat", "c.png,1,2,x,4,cat"]
    Path("labels.csv").write_text("\n".join(rows) + "\n")
    code, out, err = run("train", "labels.csv")
    lines = sorted(line.removeprefix("error: ") for line in err.splitlines())
    assert (code, out, calls) == (3, "", [])
    assert [line.split(": ")[0] for line in lines] == [f"labels.csv:{row}" for row in (1, 2, 3)]
    assert sorted(path.name for path in Path().iterdir()) == ["a.png", "labels.csv"]


def test_a_label_that_the_recipe_does_not_declare_suggests_a_declared_one(run, calls):
    Image.new("RGB", (100, 80)).save("a.png")
    Path("labels.csv").write_text("a.png,10,10,20,20,cta\n")
    code, _, err = run("train", "labels.csv", "--set", "data.classes=['cat', 'dog']")
    assert (code, calls) == (3, [])
    assert "labels.csv:1: label 'cta' is not one of cat, dog. Did you mean cat?" in err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--resume", "nowhere"], 2, "--resume nowhere: holds no checkpoints"),
        ([*TINY, "--out", "labels.csv"], 2, "--out labels.csv: exists"),
        ([*TINY, "--out", "labels.csv/run"], 1, "labels.csv/run: cannot be written"),
        (["--weights", "labels.csv"], 2, "labels.csv: cannot be read as safetensors"),
        (["--weights", "nowhere"], 2, "nowhere: "),
    ],
)
@pytest.mark.train
def test_files_and_folders_that_cannot_be_used_are_found_before_training(words, code, message, run):
    for name in ("a.png", "b.png"):
        Image.new("RGB", (100, 80)).save(name)
    labels = "image,label,x_min,y_min,x_max,y_max,split\n"
    labels += "a.png,cat,10,10,20,20,train\nb.png,cat,10,10,20,20,val\n"
    Path("labels.csv").write_text(labels)
    ended, out, err = run("train", "labels.csv", *words)
    assert (ended, out) == (code, "")
    assert message in err
    assert "epoch" not in err
    assert Path("labels.csv").read_text() == labels
