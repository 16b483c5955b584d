"""Each logger keeps what it is told: its own reader finds the values of a run."""

import csv
import json
import os
import socket
import struct
import time
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest
import tomli_w
import yaml
from PIL import Image

from onebox.errors import OneboxError, SettingError
from onebox.learning.experiment_logging.loggers import LOGGERS, ExperimentLogger, open_logger
from onebox.learning.fitting.history import History
from onebox.progress import EpochMetrics, Listeners

pytestmark = pytest.mark.train

RECIPE = {"name": "tiny", "train": {"epochs": 3, "learning_rate": 0.5}}
METRICS = {
    "val": {"schema_version": 2, "mean_iou": 0.75, "iou_at": {"0.5": 1.0}, "class_accuracy": None},
    "test": {"mean_iou": 0.625, "images": 4, "is_collapsed": False, "per_class": {"cat": {}}},
}
FINAL = {
    "final/val/mean_iou": 0.75,
    "final/val/iou_at/0.5": 1.0,
    "final/test/mean_iou": 0.625,
    "final/test/images": 4.0,
}
# Floats of 32 bits, which TensorBoard keeps.
EPOCHS = [
    EpochMetrics(1, 3, 2.5, 0.25, 0.5, 1.0, {"box/l1": 2.0, "box/giou": 0.5}),
    EpochMetrics(2, 3, 1.5, 0.5, 0.25, 2.0, {"box/l1": 1.25, "box/giou": 0.25}),
    EpochMetrics(3, 3, 0.75, 0.625, 0.125, 3.0, {"box/l1": 0.5, "box/giou": 0.25}),
]
NAMES = {
    "loss/total": "loss",
    "loss/box/l1": "loss/box/l1",
    "loss/box/giou": "loss/box/giou",
    "val/mean_iou": "val_mean_iou",
    "learning_rate": "learning_rate",
    "seconds": "seconds",
}


@pytest.fixture(autouse=True)
def no_address(monkeypatch):
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "WANDB_MODE", "WANDB_PROJECT"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Fail on a connection to anything but a socket of this machine's own file system."""
    real = socket.socket.connect

    def connect(self, address):
        assert self.family == socket.AF_UNIX, f"connects to {address}"
        return real(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect)


@pytest.fixture
def folder(tmp_path):
    """A run's folder before the run."""
    path = tmp_path / "my run"
    path.mkdir()
    (path / "recipe.toml").write_text(tomli_w.dumps(RECIPE))
    return path


def write_results(folder):
    (folder / "metrics.json").write_text(json.dumps(METRICS))
    (folder / "report.html").write_text("<p>report</p>")
    (folder / "model.onnx").write_bytes(b"model")
    Image.new("RGB", (6, 4), (200, 100, 50)).save(folder / "samples.png")


def log_run(name, folder, *, epochs=EPOCHS, is_resumed=False, finishes=True):
    """Tell a logger and ``history.csv`` of a run; return the rows of the latter."""
    history = History(folder / "history.csv", is_resumed=is_resumed)
    with open_logger(name, pytest.fail) as logger:
        told = Listeners([history, logger])
        told.begin(folder)
        for metrics in epochs:
            told.epoch(metrics)
        if finishes:
            write_results(folder)
            told.finish(folder)
    with (folder / "history.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def expected(history):
    """Name → value by epoch, as ``history.csv`` has them."""
    return {
        name: {int(row["epoch"]): float(row[column]) for row in history}
        for name, column in NAMES.items()
    }


# --- CSV


def read_csv(folder):
    with (folder / "logs/csv/metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = [name for name in rows[0] if name != "step"]
    return {name: {int(r["step"]): float(r[name]) for r in rows if r[name]} for name in names}


def test_csv_has_every_epoch_the_final_metrics_and_the_recipe(folder):
    history = log_run("csv", folder)
    final = {name: {3: value} for name, value in FINAL.items()}
    assert read_csv(folder) == {**expected(history), **final}
    assert yaml.safe_load((folder / "logs/csv/hparams.yaml").read_text()) == RECIPE


def test_csv_of_a_resumed_run_replaces_the_epochs_that_are_trained_again(folder):
    log_run("csv", folder, epochs=EPOCHS[:2], finishes=False)
    again = replace(EPOCHS[1], loss=9.0)
    history = log_run("csv", folder, epochs=[again, EPOCHS[2]], is_resumed=True)
    found = read_csv(folder)
    assert {name: found[name] for name in NAMES} == expected(history)
    assert found["loss/total"] == {1: 2.5, 2: 9.0, 3: 0.75}


# --- TensorBoard


def events_in(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    return EventAccumulator(str(folder / "logs/tensorboard")).Reload()


def scalars(events):
    tags = events.Tags()["scalars"]
    return {tag: {one.step: one.value for one in events.Scalars(tag)} for tag in tags}


def test_tensorboard_has_every_epoch_the_final_metrics_and_the_samples(folder):
    history = log_run("tensorboard", folder)
    events = events_in(folder)
    final = {name: {3: value} for name, value in FINAL.items()}
    assert scalars(events) == {**expected(history), **final}
    (samples,) = events.Images("samples")
    assert (samples.width, samples.height, samples.step) == (6, 4, 3)
    texts = [events.Tensors(tag)[0].tensor_proto.string_val[0] for tag in events.Tags()["tensors"]]
    assert any(b"learning_rate = 0.5" in text for text in texts)
    assert any(b"report.html" in text for text in texts)
    plugin = events.PluginTagToContent("hparams")
    assert {"_hparams_/experiment", "_hparams_/session_start_info"} <= set(plugin)


def test_tensorboard_of_a_resumed_run_replaces_the_epochs_that_are_trained_again(folder):
    log_run("tensorboard", folder, epochs=EPOCHS[:2], finishes=False)
    again = replace(EPOCHS[1], loss=9.0)
    history = log_run("tensorboard", folder, epochs=[again, EPOCHS[2]], is_resumed=True)
    found = scalars(events_in(folder))
    assert {name: found[name] for name in NAMES} == expected(history)


# --- MLflow


def mlflow_run(folder, monkeypatch):
    from mlflow import MlflowClient

    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    client = MlflowClient((folder / "logs/mlruns").resolve().as_uri())
    experiment = client.get_experiment_by_name("onebox")
    (run,) = client.search_runs([experiment.experiment_id])
    return client, run


def test_mlflow_has_every_epoch_the_final_metrics_the_recipe_and_the_files(folder, monkeypatch):
    history = log_run("mlflow", folder)
    client, run = mlflow_run(folder, monkeypatch)
    final = {name: {3: value} for name, value in FINAL.items()}
    found = {
        name: {one.step: one.value for one in client.get_metric_history(run.info.run_id, name)}
        for name in run.data.metrics
    }
    assert found == {**expected(history), **final}
    assert run.data.params == {"name": "tiny", "train/epochs": "3", "train/learning_rate": "0.5"}
    assert (run.info.status, run.info.run_name) == ("FINISHED", "my run")
    names = {one.path for one in client.list_artifacts(run.info.run_id)}
    assert names == {"recipe.toml", "samples.png", "report.html", "model.onnx"}
    stored = Path(url2pathname(urlsplit(run.info.artifact_uri).path))
    assert (stored / "model.onnx").read_bytes() == b"model"


def test_mlflow_continues_the_run_of_a_resumed_run_and_leaves_the_environment(folder, monkeypatch):
    log_run("mlflow", folder, epochs=EPOCHS[:1], finishes=False)
    _, run = mlflow_run(folder, monkeypatch)
    assert run.info.status == "FAILED"
    log_run("mlflow", folder, epochs=EPOCHS[1:], is_resumed=True)
    client, run = mlflow_run(folder, monkeypatch)
    points = client.get_metric_history(run.info.run_id, "loss/total")
    assert [(one.step, one.value) for one in points] == [(1, 2.5), (2, 1.5), (3, 0.75)]
    assert run.info.status == "FINISHED"
    assert "MLFLOW_TRACKING_URI" not in os.environ


def test_mlflow_logs_to_the_users_store(folder, tmp_path, monkeypatch):
    address = (tmp_path / "elsewhere").as_uri()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    log_run("mlflow", folder, epochs=EPOCHS[:1])
    assert (tmp_path / "elsewhere").is_dir()
    assert not (folder / "logs/mlruns").exists()
    assert os.environ["MLFLOW_TRACKING_URI"] == address


# --- Weights & Biases

BLOCK = 32768
HEADER = 7  # bytes: of the file, and of every chunk in it
LAST = (1, 4)  # a whole record, or the last chunk of one


def wandb_records(path):
    """The records of a ``.wandb`` file: LevelDB's log format around the package's own messages."""
    from wandb.proto.wandb_internal_pb2 import Record

    data = path.read_bytes()
    assert data[:4] in (b":W&B", b"")
    position, whole = HEADER, b""
    while position + HEADER <= len(data):
        if BLOCK - position % BLOCK < HEADER:
            position += BLOCK - position % BLOCK
            continue
        _, length, kind = struct.unpack_from("<IHB", data, position)
        if position + HEADER + length > len(data):
            return
        whole += data[position + HEADER : position + HEADER + length]
        position += HEADER + length
        if kind in LAST:
            yield Record.FromString(whole)
            whole = b""


def whole_wandb_records(path, seconds=60.0):
    """Wait for a run's last record, which the package's own process writes after ``finish``."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        records = list(wandb_records(path))
        if records and records[-1].WhichOneof("record_type") == "exit":
            return records
        time.sleep(0.01)
    return pytest.fail(f"no exit record in {path}")


def wandb_run(folder):
    """Values of each epoch, files, recipe and exit codes in all parts of a run."""
    found = {"values": {}, "files": set(), "config": {}, "ids": set(), "exits": []}
    for path in sorted((folder / "logs/wandb").glob("offline-run-*/*.wandb")):
        for record in whole_wandb_records(path):
            kind = record.WhichOneof("record_type")
            if kind == "history":
                items = {
                    "/".join(one.nested_key) or one.key: json.loads(one.value_json)
                    for one in record.history.item
                }
                step = items.pop("trainer/global_step")
                for name, value in items.items():
                    found["values"].setdefault(name, {})[step] = value
            elif kind == "run":
                found["ids"].add(record.run.run_id)
                for one in record.run.config.update:
                    found["config"][one.key] = json.loads(one.value_json)
            elif kind == "files":
                found["files"] |= {one.path for one in record.files.files}
            elif kind == "exit":
                found["exits"].append(record.exit.exit_code)
    return found


def test_wandb_has_every_epoch_the_final_metrics_the_recipe_and_the_files(folder):
    history = log_run("wandb", folder)
    found = wandb_run(folder)
    values = {name: steps for name, steps in found["values"].items() if name[0] != "_"}
    samples = {name: values.pop(name)[3] for name in list(values) if name.startswith("samples/")}
    final = {name: {3: value} for name, value in FINAL.items()}
    assert values == {**expected(history), **final}
    assert (samples["samples/_type"], samples["samples/count"]) == ("images/separated", 1)
    assert {"report.html", "model.onnx"} <= found["files"]
    assert {name: found["config"][name] for name in RECIPE} == RECIPE
    assert found["exits"] == [0]


def test_wandb_gives_the_parts_of_a_resumed_run_one_id(folder):
    log_run("wandb", folder, epochs=EPOCHS[:1], finishes=False)
    log_run("wandb", folder, epochs=EPOCHS[1:], is_resumed=True)
    found = wandb_run(folder)
    assert found["ids"] == {(folder / "logs/wandb-run-id.txt").read_text()}
    assert found["values"]["loss/total"] == {1: 2.5, 2: 1.5, 3: 0.75}
    assert sorted(found["exits"]) == [0, 1]


# --- all of them


def test_a_logger_that_fails_says_so_once_and_is_told_nothing_more(folder):
    told = []

    class Full:
        def __init__(self, start):
            """Begin."""

        def epoch(self, epoch, values):
            told.append(epoch)
            raise OSError(28, "No space left on device")

        def close(self, *, is_finished):
            told.append("closed")

    notes = []
    kind = replace(LOGGERS["csv"], open=Full)
    with ExperimentLogger("csv", kind, notes.append) as logger:
        logger.begin(folder)
        for metrics in EPOCHS:
            logger.epoch(metrics)
        write_results(folder)
        logger.finish(folder)
    assert told == [1]
    assert notes == [
        "--log csv ended: [Errno 28] No space left on device. Training goes on; history.csv has "
        "every epoch."
    ]


def test_a_folder_that_takes_no_logs_is_noted(folder):
    (folder / "logs").write_text("a file")
    for name in ("csv", "tensorboard", "mlflow"):
        notes = []
        with open_logger(name, notes.append) as logger:
            logger.begin(folder)
            logger.epoch(EPOCHS[0])
        assert len(notes) == 1
        assert notes[0].startswith(f"--log {name} ended: ")


def test_an_unknown_logger_is_a_setting_error_with_a_suggestion():
    with pytest.raises(SettingError, match=r"csv, tensorboard, mlflow, wandb.*mean mlflow\?"):
        open_logger("mlfow")


@pytest.mark.parametrize("name", ["tensorboard", "mlflow", "wandb"])
def test_a_missing_package_names_the_extra_to_install(name, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, name, None)
    with pytest.raises(OneboxError, match=rf"pip install 'onebox\[{name}\]'"):
        open_logger(name)


def test_the_names_of_the_command_line_are_those_of_the_table():
    from onebox.cli.experiment_loggers import LOGGER_NAMES

    assert tuple(LOGGERS) == LOGGER_NAMES
