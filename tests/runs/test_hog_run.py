"""A run of HOG windows: the folder it leaves, what it refuses, and how it ends early."""

import dataclasses
import json
import shutil
import sys
import tomllib

import numpy as np
import pytest
from PIL import Image

import onebox
from onebox.errors import DataError, OneboxError, SettingError, StoppedError
from onebox.recipes.loading import read_recipe
from onebox.structures import KeypointSet

pytest.importorskip("skimage")
pytest.importorskip("sklearn")

from onebox.classic import model_file

pytestmark = pytest.mark.train


def listed(folder):
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*"))


@pytest.fixture(scope="module")
def few(discs, shortened):
    return shortened(discs, train=16, val=4, test=4)


@pytest.fixture(scope="module")
def recipe():
    return read_recipe("hog-svm", ["hog.window=5", "hog.scales=1"])


@pytest.fixture(scope="module")
def trained(few, recipe, tmp_path_factory, new_diary):
    """A run, and what was heard of it."""
    diary = new_diary()
    folder = tmp_path_factory.mktemp("runs") / "windows"
    return onebox.train(few, recipe, out=folder, listeners=[diary]), diary


# --- the folder


def test_a_run_leaves_these_files_and_no_others(trained):
    run, _ = trained
    assert listed(run.folder) == [
        "metrics.json",
        "model.npz",
        "recipe.toml",
        "report.html",
        "samples.png",
    ]
    assert (run.model, run.report) == (run.folder / "model.npz", run.folder / "report.html")
    assert (run.epochs, run.is_interrupted) == (0, False)


def test_the_recipe_of_a_run_reads_back_equal_and_names_no_network(trained, recipe):
    run, _ = trained
    assert read_recipe(run.folder / "recipe.toml") == recipe
    written = tomllib.loads((run.folder / "recipe.toml").read_text("utf-8"))
    assert list(written) == ["source", "data", "hog"]


def test_the_metrics_are_those_of_the_stored_file_on_images_it_has_not_seen(trained, few):
    run, _ = trained
    written = json.loads((run.folder / "metrics.json").read_text())
    assert written == run.metrics
    assert list(written) == ["val", "test"]
    report = onebox.evaluate(onebox.load(run.model), few.part("test"))
    assert written["test"] == json.loads(json.dumps(report.as_json()))
    assert written["test"]["mean_iou"] > written["test"]["mean_box_iou"] + 0.2


def test_the_model_says_what_made_it_and_what_it_scored(trained, recipe):
    run, _ = trained
    facts = onebox.load(run.model).card
    assert facts.recipe == recipe.model_dump(mode="json", exclude_none=True)
    assert facts.provenance["data"] == "synth:blobs"
    assert facts.provenance["images"] == {"train": 16, "val": 4, "cal": 0, "test": 4}
    assert {"scikit-learn", "scikit-image"} <= facts.provenance["versions"].keys()
    assert facts.metrics["test"]["mean_iou"] == run.metrics["test"]["mean_iou"]


def test_the_pages_are_a_report_and_an_image(trained):
    run, _ = trained
    page = run.report.read_text("utf-8")
    assert "5 x 5 cells of 8 px" in page
    assert "synth:blobs" in page
    with Image.open(run.folder / "samples.png") as image:
        assert min(image.size) > 64


def test_every_stage_and_image_is_told(trained):
    _, diary = trained
    counts = {"Training": 16, "Evaluating on val images": 4, "Evaluating on test images": 4}
    assert diary.stages == list(counts)
    for stage, total in counts.items():
        assert diary.steps_of[stage] == [(done, total) for done in range(1, total + 1)]


def test_the_model_does_not_tell_where_its_data_lay(few, recipe, tmp_path, shortened):
    data = dataclasses.replace(few, name=str(tmp_path / "labels.csv"))
    run = onebox.train(shortened(data, train=8, val=2), recipe, out=tmp_path / "run")
    assert onebox.load(run.model).card.provenance["data"] == "labels.csv"
    assert str(tmp_path).encode() not in run.model.read_bytes()


def test_the_seed_of_the_recipe_reaches_the_windows(few, recipe, tmp_path, shortened):
    data = shortened(few, train=8, val=2)
    weights = []
    for name, seed in (("first", 1), ("again", 1), ("other", 2)):
        run = onebox.train(data, recipe.with_seed(seed), out=tmp_path / name)
        weights.append(onebox.load(run.model).model.banks[0].weights)
    assert np.array_equal(weights[0], weights[1])
    assert not np.array_equal(weights[0], weights[2])


def test_calibration_images_do_not_reach_the_windows(few, discs, recipe, tmp_path, shortened):
    cal = shortened(discs, cal=12).samples
    wrong = tuple(dataclasses.replace(sample, box=(0.0, 0.0, 2.0, 2.0)) for sample in cal)
    models = []
    for name, held_out in (("none", ()), ("right", cal), ("wrong", wrong)):
        data = dataclasses.replace(few, samples=few.samples + held_out)
        models.append(onebox.load(onebox.train(data, recipe, out=tmp_path / name).model).model)
    for other in models[1:]:
        assert other.calibration == models[0].calibration
        assert np.array_equal(other.banks[0].weights, models[0].banks[0].weights)


def test_without_validation_images_a_tenth_of_the_training_ones_serve(
    few, recipe, tmp_path, new_diary, shortened
):
    diary = new_diary()
    data = shortened(few, train=10)
    run = onebox.train(data, recipe, out=tmp_path / "run", listeners=[diary])
    assert run.metrics["val"]["images"] == 1
    assert "has no validation images" in diary.notes[0]


def test_keypoints_are_passed_over_as_by_every_recipe_of_boxes(few, recipe, tmp_path):
    data = dataclasses.replace(few, keypoints=KeypointSet(("middle",)))
    run = onebox.train(data, recipe, out=tmp_path / "run")
    assert onebox.load(run.model).card.keypoints is None
    assert run.metrics["test"]["mean_iou"] > 0.5


# --- before it starts


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("weights", "have no weights to start from. Leave --weights out."),
        ("resume", "have no checkpoints to resume from. Leave --resume out."),
    ],
)
def test_windows_have_nothing_to_start_from(option, said, few, tmp_path):
    with pytest.raises(SettingError) as caught:
        onebox.train(few, "hog-svm", out=tmp_path / "run", **{option: tmp_path / "earlier"})
    assert str(caught.value).startswith(f"--{option} {tmp_path / 'earlier'}: HOG windows")
    assert str(caught.value).endswith(said)
    assert listed(tmp_path) == []


def test_the_folder_of_windows_is_not_resumed_and_left_alone(trained, few):
    run, _ = trained
    before = run.model.read_bytes()
    with pytest.raises(SettingError, match="no checkpoints to resume from"):
        onebox.train(few, resume=run.folder)
    assert run.model.read_bytes() == before


def test_a_folder_that_is_taken_is_refused(trained, few, recipe):
    run, _ = trained
    with pytest.raises(SettingError, match=r"--out .* exists and is not an empty folder"):
        onebox.train(few, recipe, out=run.folder)


def test_a_class_that_the_recipe_does_not_declare_is_refused(few, recipe, tmp_path):
    declared = recipe.data.model_copy(update={"classes": ("disk",)})
    with pytest.raises(SettingError, match="Did you mean disk"):
        onebox.train(few, recipe.model_copy(update={"data": declared}), out=tmp_path / "run")
    assert listed(tmp_path) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (({"train": 1, "test": 3}, ("disc",)), "has one image with a box"),
        (({"test": 4}, ("disc",)), "no image has the split 'train'"),
        (
            ({"train": 16, "val": 4, "test": 4}, ("disc", "owl")),
            "has no training image of owl with a box",
        ),
    ],
)
def test_data_that_cannot_be_learned_from_leaves_no_folder(
    change, said, few, recipe, tmp_path, shortened
):
    counts, classes = change
    data = dataclasses.replace(shortened(few, **counts), classes=classes)
    with pytest.raises(DataError, match=said):
        onebox.train(data, recipe, out=tmp_path / "run")
    assert listed(tmp_path) == []


def test_a_package_that_is_missing_is_named_before_a_folder_is_made(
    few, recipe, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "skimage", None)
    with pytest.raises(OneboxError, match=r"need scikit-image.*pip install 'onebox\[classic\]'"):
        onebox.train(few, recipe, out=tmp_path / "run")
    assert listed(tmp_path) == []


def test_a_disk_too_full_is_found_before_training(few, recipe, tmp_path, monkeypatch, new_diary):
    usage = shutil.disk_usage(tmp_path)._replace(free=2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    diary = new_diary()
    with pytest.raises(OneboxError, match=r"model and report need .* --out"):
        onebox.train(few, recipe, out=tmp_path / "run", listeners=[diary])
    assert diary.stages == []


# --- stopped


def test_ctrl_c_while_learning_leaves_nothing(few, recipe, tmp_path, new_diary):
    with pytest.raises(StoppedError, match=r"training was stopped; .* nothing to export") as caught:
        onebox.train(
            few,
            recipe,
            out=tmp_path / "run",
            listeners=[new_diary(stop_in="Training", stop_at_step=3)],
        )
    assert caught.value.exit_code == 130
    assert listed(tmp_path / "run") == []


def test_ctrl_c_while_measuring_leaves_a_whole_model(few, recipe, tmp_path, new_diary):
    diary = new_diary(stop_in="Evaluating on val images", stop_at_step=3)
    with pytest.raises(KeyboardInterrupt):
        onebox.train(few, recipe, out=tmp_path / "run", listeners=[diary])
    assert listed(tmp_path / "run") == ["model.npz", "recipe.toml"]
    assert model_file.load(tmp_path / "run" / "model.npz").card.classes == ("disc",)


def test_images_that_cannot_be_read_are_all_named(recipe, tmp_path):
    samples = []
    for number in range(6):
        file = tmp_path / f"{number}.png"
        Image.new("RGB", (40, 40), (40 * number, 0, 0)).save(file)
        split = "val" if number == 5 else "train"
        box = (5.0, 5.0, 20.0, 20.0)
        samples.append(onebox.Sample(file, "cat", box, split, None, (40, 40), f"l.csv:{number}"))
    for number in (1, 3):
        samples[number].image.write_bytes(b"broken")
    data = onebox.Dataset(tuple(samples), ("cat",), name="l.csv")
    with pytest.raises(DataError) as caught:
        onebox.train(data, recipe, out=tmp_path / "run")
    assert [problem.partition(": ")[0] for problem in caught.value.problems] == [
        "l.csv:1",
        "l.csv:3",
    ]
