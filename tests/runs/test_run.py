"""A run: data and recipe in, a folder that a person can read out."""

import csv
import dataclasses
import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file

import onebox
from onebox.errors import DataError, OneboxError, SettingError, StoppedError
from onebox.learning.fitting.checkpoint_io import load_checkpoint
from onebox.learning.network_runs import run as run_module
from onebox.recipes.loading import read_recipe

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def few_discs(discs, shortened):
    return shortened(discs, train=20, val=4, test=4)


@pytest.fixture(scope="module")
def short_recipe(tiny_recipe):
    return tiny_recipe.changed({"train.epochs": 3})


@pytest.fixture
def without_finish(monkeypatch):
    """A run ends after training, with nothing exported or measured."""

    def end(plan, data, decoded, fitted, listener):
        return onebox.Run(plan.folder, {}, fitted.epochs, fitted.is_interrupted)

    monkeypatch.setattr(run_module, "finish", end)


def listed(folder):
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


def history(folder):
    with (folder / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [{name: row[name] for name in row if name != "seconds"} for row in rows]


def assert_same_weights(folder, other):
    ours, theirs = (
        load_checkpoint(each / "checkpoints" / "last.safetensors") for each in (folder, other)
    )
    assert ours["global_step"] == theirs["global_step"]
    for name, tensor in ours["state_dict"].items():
        assert torch.equal(tensor, theirs["state_dict"][name]), name


# --- the folder --------------------------------------------------------------------------------


def test_a_run_leaves_these_files_and_no_others(trained_run):
    assert listed(trained_run.folder) == [
        "checkpoints/best.safetensors",
        "checkpoints/data.json",
        "checkpoints/last.safetensors",
        "history.csv",
        "metrics.json",
        "model.onnx",
        "recipe.toml",
        "report.html",
        "samples.png",
        "weights.safetensors",
    ]
    assert trained_run.model == trained_run.folder / "model.onnx"
    assert trained_run.report == trained_run.folder / "report.html"
    assert not trained_run.is_interrupted


def test_the_recipe_of_a_run_reads_back_equal(trained_run, tiny_recipe):
    assert read_recipe(trained_run.folder / "recipe.toml") == tiny_recipe


def test_the_history_has_a_row_for_each_epoch(trained_run, tiny_recipe):
    rows = history(trained_run.folder)
    count = tiny_recipe.train.epochs
    assert [int(row["epoch"]) for row in rows] == list(range(1, count + 1))
    assert {int(row["epochs"]) for row in rows} == {count}
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"])
    assert 0 < float(rows[-1]["val_mean_iou"]) <= 1


def test_the_metrics_are_those_of_the_exported_file_on_images_it_has_not_seen(trained_run, discs):
    written = json.loads((trained_run.folder / "metrics.json").read_text())
    assert written == trained_run.metrics
    assert list(written) == ["val", "test"]
    report = onebox.evaluate(onebox.load(trained_run.model), discs.part("test"))
    assert written["test"] == json.loads(json.dumps(report.as_json()))
    assert written["test"]["mean_iou"] > written["test"]["mean_box_iou"] + 0.3


def test_calibration_images_train_nothing_and_choose_nothing(
    discs, short_recipe, tmp_path, shortened
):
    recipe = short_recipe.changed({"model.refinement": "auto"})
    data = shortened(discs, train=20, val=4, cal=12)
    wrong = [
        dataclasses.replace(sample, box=(0.0, 0.0, 2.0, 2.0)) if sample.split == "cal" else sample
        for sample in data
    ]
    right = onebox.train(data, recipe, out=tmp_path / "right")
    misled = onebox.train(
        dataclasses.replace(data, samples=tuple(wrong)), recipe, out=tmp_path / "b"
    )
    assert history(right.folder) == history(misled.folder)
    ours, theirs = (load_file(run.folder / "weights.safetensors") for run in (right, misled))
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    cards = [onebox.load(run.model).card for run in (right, misled)]
    assert cards[0].refine_margin == cards[1].refine_margin
    assert cards[0].mean_box == cards[1].mean_box


def test_the_best_epochs_averaged_weights_are_the_ones_kept(trained_run):
    folder = trained_run.folder
    best = load_checkpoint(folder / "checkpoints" / "best.safetensors")
    kept = load_file(folder / "weights.safetensors")
    assert {f"network.{name}" for name in kept} == set(best["state_dict"])
    for name, tensor in kept.items():
        assert torch.equal(tensor, best["state_dict"][f"network.{name}"]), name
    metrics = [float(row["val_mean_iou"]) for row in history(folder)]
    assert best["epoch"] == int(np.argmax(metrics))


def test_the_pages_are_a_report_and_an_image(trained_run):
    page = trained_run.report.read_text("utf-8")
    assert "synth:blobs" in page
    assert "test_byobnet" in page
    with Image.open(trained_run.folder / "samples.png") as image:
        assert min(image.size) > 64


# --- before it starts --------------------------------------------------------------------------


def test_a_folder_that_is_taken_is_refused_and_left_alone(few_discs, short_recipe, trained_run):
    before = listed(trained_run.folder)
    with pytest.raises(SettingError, match=r"--out .* exists and is not an empty folder"):
        onebox.train(few_discs, short_recipe, out=trained_run.folder)
    assert listed(trained_run.folder) == before


def test_a_data_set_that_cannot_be_trained_on_leaves_no_folder(
    discs, short_recipe, tmp_path, shortened
):
    with pytest.raises(DataError, match="has one image with a box"):
        onebox.train(shortened(discs, train=1, test=3), short_recipe, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_class_that_the_recipe_does_not_declare_is_refused(few_discs, short_recipe, tmp_path):
    recipe = short_recipe.changed({"data.classes": ("disk", "square")})
    with pytest.raises(SettingError) as caught:
        onebox.train(few_discs, recipe, out=tmp_path / "run")
    assert str(caught.value) == (
        "[data] classes has no 'disc', and synth:blobs does. Did you mean disk?"
    )


def test_a_recipe_can_be_named(few_discs, tmp_path):
    with pytest.raises(SettingError, match="Did you mean demo"):
        onebox.train(few_discs, "dmeo", out=tmp_path / "run")


def test_a_disk_too_full_for_the_checkpoints_is_found_before_training(
    few_discs, short_recipe, tmp_path, monkeypatch, new_diary
):
    usage = shutil.disk_usage(tmp_path)._replace(free=2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    diary = new_diary()
    with pytest.raises(OneboxError, match=r"checkpoints and model need .* --out"):
        onebox.train(few_discs, short_recipe, out=tmp_path / "run", listeners=[diary])
    assert "Training" not in diary.stages


def test_a_folder_that_cannot_be_made_is_named(few_discs, short_recipe, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OneboxError, match="file/run: cannot be written"):
        onebox.train(few_discs, short_recipe, out=tmp_path / "file" / "run")


def test_images_that_cannot_be_decoded_are_all_named_before_training(short_recipe, tmp_path):
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
        onebox.train(data, short_recipe, out=tmp_path / "run")
    assert [problem.partition(": ")[0] for problem in caught.value.problems] == [
        "l.csv:1",
        "l.csv:3",
    ]


def test_what_the_reader_put_right_is_told(few_discs, short_recipe, tmp_path, new_diary):
    diary = new_diary(stop_in="Training", stop_at_step=1)
    data = dataclasses.replace(few_discs, notes=("two boxes were cut at the frame.",))
    with pytest.raises(OneboxError):
        onebox.train(data, short_recipe, out=tmp_path / "run", listeners=[diary])
    assert diary.notes[-1] == "two boxes were cut at the frame."


@pytest.mark.parametrize("changes", [{"train.learning_rate": 1e6}, {"train.weight_decay": 1e30}])
def test_a_training_that_diverged_ends_early_and_writes_no_weights(
    few_discs, short_recipe, tmp_path, changes
):
    recipe = short_recipe.changed({**changes, "train.epochs": 9, "train.checkpoint": "last"})
    with pytest.raises(OneboxError, match=r"run: training diverged.*lower train\.learning_rate"):
        onebox.train(few_discs, recipe, out=tmp_path / "run")
    assert len(history(tmp_path / "run")) < 9
    assert not (tmp_path / "run" / "weights.safetensors").exists()


# --- stopped and resumed -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def interrupted(discs, short_recipe, tmp_path_factory, new_diary, shortened):
    """A run that was stopped in its third epoch, on a data set without test images."""
    folder = tmp_path_factory.mktemp("interrupted")
    data = dataclasses.replace(
        shortened(discs, train=20, val=4), name=str(folder / "labels.csv"), classes=("disc", "owl")
    )
    diary = new_diary(stop_at_epoch=3)
    return onebox.train(data, short_recipe, out=folder / "run", listeners=[diary]), diary


def test_ctrl_c_exports_the_best_epoch_so_far(interrupted):
    run, diary = interrupted
    assert run.is_interrupted
    assert run.epochs == 2
    assert [one.epoch for one in diary.epochs] == [1, 2, 3]
    answer = onebox.load(run.model).predict(np.zeros((50, 70, 3), np.uint8))
    assert 0 <= answer.box[0] <= answer.box[2] <= 70
    assert len(answer.probabilities) == 2


def test_a_data_set_without_test_images_is_measured_and_shown_on_its_validation_ones(interrupted):
    run, diary = interrupted
    assert list(run.metrics) == ["val"]
    assert run.metrics["val"]["images"] == 4
    assert "val" in run.report.read_text("utf-8")
    assert (run.folder / "samples.png").is_file()
    assert "Evaluating on val images" in diary.stages
    assert "Evaluating on test images" not in diary.stages


def test_the_model_does_not_tell_where_its_data_lay(interrupted):
    run, _ = interrupted
    assert onebox.load(run.model).card.provenance["data"] == "labels.csv"
    assert str(run.folder.parent).encode() not in run.model.read_bytes()


def test_a_run_stopped_before_its_first_epoch_has_nothing_to_export(
    few_discs, short_recipe, tmp_path, new_diary
):
    with pytest.raises(StoppedError, match="stopped before its first epoch ended") as caught:
        onebox.train(
            few_discs,
            short_recipe,
            out=tmp_path / "run",
            listeners=[new_diary(stop_in="Training", stop_at_step=1)],
        )
    assert caught.value.exit_code == 130
    assert not (tmp_path / "run" / "model.onnx").exists()


@pytest.mark.usefixtures("without_finish")
def test_a_resumed_run_ends_with_the_weights_and_history_of_an_unbroken_one(
    few_discs, short_recipe, tmp_path, new_diary
):
    onebox.train(few_discs, short_recipe, out=tmp_path / "whole")
    folder = tmp_path / "broken"
    onebox.train(few_discs, short_recipe, out=folder, listeners=[new_diary(stop_at_epoch=2)])
    assert [row["epoch"] for row in history(folder)] == ["1", "2"]
    diary = new_diary()
    onebox.train(few_discs, resume=folder, listeners=[diary])
    assert [one.epoch for one in diary.epochs] == [2, 3]
    assert history(folder) == history(tmp_path / "whole")
    assert_same_weights(folder, tmp_path / "whole")


@pytest.mark.usefixtures("without_finish")
def test_the_same_seed_gives_the_same_run_and_another_seed_another(
    few_discs, short_recipe, tmp_path
):
    recipe = short_recipe.changed({"train.epochs": 1})
    other = recipe.with_seed(7)
    for name, each in (("first", recipe), ("again", recipe), ("other", other)):
        onebox.train(few_discs, each, out=tmp_path / name)
    assert history(tmp_path / "first") == history(tmp_path / "again")
    assert_same_weights(tmp_path / "first", tmp_path / "again")
    assert history(tmp_path / "first") != history(tmp_path / "other")


def moved_box(data):
    first = dataclasses.replace(data.samples[0], box=(0.0, 0.0, 9.0, 9.0))
    return dataclasses.replace(data, samples=(first, *data.samples[1:]))


CHANGES = {
    "a box": (moved_box, "its images or labels have changed since. Start a new run"),
    "an image less": (
        lambda data: dataclasses.replace(data, samples=data.samples[1:]),
        "its images or labels have changed since. Start a new run",
    ),
    "the classes": (
        lambda data: dataclasses.replace(data, classes=("disc", "square")),
        "was trained on the classes disc, and the data has disc, square. Start a new run",
    ),
}


@pytest.mark.parametrize(("change", "words"), CHANGES.values(), ids=CHANGES.keys())
def test_a_run_whose_data_changed_is_not_resumed_and_left_alone(trained_run, discs, change, words):
    before = {
        name: (trained_run.folder / name).stat().st_mtime_ns for name in listed(trained_run.folder)
    }
    with pytest.raises(SettingError) as caught:
        onebox.train(change(discs), resume=trained_run.folder)
    assert f"--resume {trained_run.folder}: {words}" in str(caught.value)
    after = {
        name: (trained_run.folder / name).stat().st_mtime_ns for name in listed(trained_run.folder)
    }
    assert after == before


@pytest.mark.parametrize("kind", ["missing", "empty"])
def test_a_folder_that_holds_no_run_is_not_resumed(few_discs, tmp_path, kind):
    folder = tmp_path / "run"
    if kind == "empty":
        folder.mkdir()
    with pytest.raises(
        SettingError, match=r"holds no checkpoints/last\.safetensors to resume from"
    ):
        onebox.train(few_discs, resume=folder)


# --- weights to start from ---------------------------------------------------------------------


@pytest.fixture
def started(monkeypatch):
    """The networks that runs start with; nothing is trained."""
    networks = []

    def keep(network, recipe, decoded, folder, listener, bounds):
        networks.append((network, recipe))
        raise OneboxError("enough seen")

    monkeypatch.setattr(run_module, "fit", keep)
    return networks


def test_the_weights_of_an_earlier_run_are_taken_over_to_the_last_tensor(
    few_discs, tiny_recipe, trained_run, tmp_path, started
):
    weights = trained_run.folder / "weights.safetensors"
    with pytest.raises(OneboxError, match="enough seen"):
        onebox.train(few_discs, "default", weights=weights, out=tmp_path / "run")
    [(network, recipe)] = started
    expected = load_file(weights)
    state = network.state_dict()
    assert state.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.equal(state[name], tensor), name
    assert recipe.model.backbone == "test_byobnet"
    assert recipe.model.width == tiny_recipe.model.width
    assert recipe.train.freeze_backbone_fraction == 0.3  # twenty images are few
    assert recipe.model.size == read_recipe("default").model.size


def test_an_earlier_run_of_other_classes_lends_all_but_its_class_head(
    few_discs, trained_run, tmp_path, started
):
    weights = trained_run.folder / "weights.safetensors"
    data = dataclasses.replace(few_discs, classes=("disc", "owl"))
    with pytest.raises(OneboxError, match="enough seen"):
        onebox.train(data, "default", weights=weights, out=tmp_path / "run")
    [(network, _)] = started
    state = network.state_dict()
    different = [
        name for name, tensor in load_file(weights).items() if not torch.equal(state[name], tensor)
    ]
    assert sorted(different) == ["class_head.logits.bias", "class_head.logits.weight"]
    assert state["class_head.logits.weight"].shape[0] == 2


def test_the_weights_file_of_a_run_names_its_recipe(trained_run, tiny_recipe):
    with safe_open(trained_run.folder / "weights.safetensors", "pt") as file:
        facts = json.loads(file.metadata()["onebox_recipe"])
    assert facts == tiny_recipe.model_dump(mode="json", exclude_none=True)


def test_weights_that_do_not_fit_are_refused_before_anything_is_written(
    few_discs, short_recipe, tmp_path
):
    file = tmp_path / "weights.safetensors"
    file.write_text("no weights")
    with pytest.raises(SettingError, match="cannot be read as safetensors"):
        onebox.train(few_discs, short_recipe, weights=file, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("text", ["{", "[]", None])
def test_a_run_whose_note_of_its_data_is_damaged_is_not_resumed(trained_run, discs, tmp_path, text):
    folder = tmp_path / "run"
    shutil.copytree(trained_run.folder, folder)
    note = folder / "checkpoints" / "data.json"
    note.unlink() if text is None else note.write_text(text)
    with pytest.raises(SettingError, match=r"data\.json: cannot be read .* Start a new run\."):
        onebox.train(discs, resume=folder)
