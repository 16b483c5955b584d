"""`onebox train --seeds` and `--folds`: options, refusals, and what is printed."""

import json
from pathlib import Path

import pytest

from onebox.errors import OneboxError
from onebox.runs.repeats.intervals import Estimate
from onebox.runs.repeats.summary import Ended, Repeats


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def ended(name, mean_iou):
    return Ended(name, {"mean_iou": mean_iou}, 5, 12.0, 7, "model.onnx")


@pytest.fixture
def calls(monkeypatch):
    """The arguments of each call of repeated training, which is replaced."""
    calls = []

    def train(data, recipe, options, runner, listener):
        calls.append((data, recipe, options, runner))
        runs = [ended("fold-0", 0.5), ended("fold-1", 0.75)]
        if options.count == 3:
            runs.append(Ended("fold-2", error="the disk is full."))
        pooled = {"mean_iou": Estimate(0.625, 0.5, 0.75, 10)} if options.kind == "folds" else {}
        means = {"mean_iou": Estimate(0.625, 0.0, 1.0, 2)}
        return Repeats(Path("runs/x"), options.kind, "test", runs, means, pooled)

    monkeypatch.setattr("onebox.runs.repeats.job.train_repeatedly", train)
    return calls


def test_folds_print_runs_means_and_intervals(run, calls):
    code, out, err = run("train", "synth:blobs", "--folds", 2, "--seed", 4, "--minutes", 9)
    lines = [line.split() for line in out.splitlines()]
    assert code == 0
    assert ["mean_iou", "0.625", "0.0000", "to", "1.0000", "0.5", "0.75"] in lines
    assert ["mean_iou", "0.625", "0.5000", "to", "0.7500", "10"] in lines
    assert ["report", "runs/x/report.html"] in lines
    assert "Bengio and Grandvalet" in err
    [(_, recipe, options, runner)] = calls
    assert (recipe.train.seed, recipe.train.minutes) == (4, 9)
    assert (options.kind, options.count, runner.at_once) == ("folds", 2, 1)


def test_json_has_the_same_figures(run, calls):
    code, out, _ = run("train", "synth:blobs", "--seeds", 2, "--json")
    printed = json.loads(out)
    assert code == 0
    assert printed["over_runs"] == {
        "mean_iou": {"value": 0.625, "low": 0.0, "high": 1.0, "count": 2}
    }
    assert (printed["kind"], printed["report"]) == ("seeds", "runs/x/report.html")
    assert [one["metrics"]["mean_iou"] for one in printed["runs"]] == [0.5, 0.75]
    assert printed["over_images"] == {}


def test_a_failed_run_ends_with_1_after_the_others_are_printed(run, calls):
    code, out, err = run("train", "synth:blobs", "--folds", 3, "--json")
    assert code == OneboxError.exit_code
    assert json.loads(out)["runs"][2]["error"] == "the disk is full."
    assert "note: 1 of 3 runs failed; the numbers are those of the others." in err
    assert "--resume runs/x" in err


def test_a_resume_goes_on_with_the_plan_of_its_folder(run, calls):
    Path("all").mkdir()
    plan = {
        "kind": "folds",
        "count": 2,
        "seed": 3,
        "weights": None,
        "digest": "",
        "folds": [0, 1],
    }
    Path("all/plan.json").write_text(json.dumps(plan))
    Path("all/recipe.toml").write_text("[train]\nseed = 3\n")
    assert run("train", "synth:blobs", "--resume", "all")[0] == 0
    [(_, recipe, options, _)] = calls
    assert (recipe.train.seed, options.kind, options.count) == (3, "folds", 2)
    assert options.run.resume == Path("all")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--seeds", "2", "--folds", "2"], "--seeds and --folds exclude each other"),
        (["--folds", "1"], "--folds must be at least 2, got 1. Leave it out to train once."),
        (["--seeds", "0"], "--seeds must be at least 2, got 0."),
        (["--resume", "r", "--folds", "3"], "leave out --folds."),
        (["--resume", "r", "--seeds", "3"], "leave out --seeds."),
        (["--seeds", "2", "--workers", "2"], "--workers 2: is for clusters. Add --on ray"),
        (["--seeds", "2", "--on", "dask"], "--on dask: must be ray"),
        (["--seeds", "2", "--devices", "2"], "--devices: is for one run, and --seeds and --folds"),
        (["--folds", "2", "--log", "csv"], "--log: is for one run, and --seeds and --folds"),
        (["--folds", "3", "--out", "full"], "--out full: exists and is not an empty folder."),
    ],
)
def test_wrong_options_end_with_2_before_anything_is_made(words, message, run, calls):
    Path("full").mkdir()
    Path("full/a.txt").touch()
    code, out, err = run("train", "synth:blobs", *words)
    assert (code, out, calls) == (2, "", [])
    assert message in err
    assert [path.name for path in Path().iterdir()] == ["full"]


@pytest.mark.train
def test_folds_of_hog_windows_measure_each_image_by_a_model_without_it(run):
    pytest.importorskip("skimage")
    import onebox

    run("synth", "blobs", "discs", "--count", 24, "--size", 32)
    windows = ["--recipe", "hog-svm", "--set", "hog.window=4", "--set", "hog.scales=1"]
    code, out, _ = run("train", "discs", *windows, "--folds", 2, "--out", "all", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["over_images"]["mean_iou"]["count"] == 24
    folds = json.loads(Path("all/plan.json").read_text())["folds"]
    data, ious = onebox.read("discs"), []
    for fold in (0, 1):
        held = (one for one, own in zip(data, folds, strict=True) if own == fold)
        part = onebox.Dataset(tuple(held), data.classes)
        report = onebox.evaluate(onebox.load(f"all/fold-{fold}/model.npz"), part)
        assert found["runs"][fold]["metrics"]["mean_iou"] == report.overall.mean_iou
        ious += [outcome.iou for outcome in report.outcomes]
    assert found["over_images"]["mean_iou"]["value"] == pytest.approx(sum(ious) / 24)
    before = Path("all/repeats.json").read_bytes()
    assert run("train", "discs", "--resume", "all")[0] == 0
    assert Path("all/repeats.json").read_bytes() == before
