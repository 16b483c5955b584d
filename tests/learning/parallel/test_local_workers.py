"""Workers in processes of this machine: one is killed, GPUs are missing."""

import csv
import multiprocessing
import os
import signal

import pytest
import torch

from onebox.errors import OneboxError, SettingError
from onebox.learning.fitting.checkpoint_io import load_checkpoint
from onebox.learning.network_runs.finish import PreparedRun
from onebox.learning.network_runs.local_workers import count_local_workers
from onebox.learning.network_runs.parallel_run import decode_few, fit_on_workers
from onebox.learning.networks.network import Network
from onebox.progress import Silent
from onebox.runs.options import WorkerOptions

pytestmark = pytest.mark.train


@pytest.fixture
def prepared(tiny_recipe, tmp_path):
    recipe = tiny_recipe.changed({"train.epochs": 4, "train.batch_size": 8})
    return PreparedRun(tmp_path / "run", recipe, Network(recipe, classes=1), "none")


@pytest.fixture
def few(discs, shortened):
    return shortened(discs, train=12, val=4)


class Killer(Silent):
    """Kills the second worker after the first epoch."""

    def __init__(self):
        self.epochs, self.notes, self.killed = [], [], 0

    def epoch(self, metrics):
        self.epochs.append(metrics.epoch)
        if not self.killed:
            second = max(multiprocessing.active_children(), key=lambda child: child.pid)
            self.killed = second.pid
            os.kill(second.pid, signal.SIGKILL)

    def note(self, sentence):
        self.notes.append(sentence)


def test_a_worker_that_is_killed_is_started_again_and_training_ends(few, prepared):
    killer = Killer()
    fitted = fit_on_workers(prepared, few, WorkerOptions(2), None, killer)
    assert (fitted.epochs, fitted.steps, fitted.is_interrupted) == (4, 8, False)
    assert fitted.devices == ("cpu", "cpu")
    assert killer.notes == ["a worker was lost; all go on from the last checkpoint."]
    assert load_checkpoint(fitted.checkpoint)["global_step"] in {2, 4, 6, 8}
    with (prepared.folder / "history.csv").open(newline="") as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["1", "2", "3", "4"]
    left = {path.name for path in prepared.checkpoints.iterdir()}
    assert left == {"best.safetensors", "data.json", "last.safetensors"}


def test_a_cluster_of_no_machine_cannot_be_named(few, prepared):
    with pytest.raises((SettingError, OneboxError), match="--on spark: must be ray"):
        fit_on_workers(prepared, few, WorkerOptions(2, "spark"), None, Silent())


@pytest.mark.parametrize(
    ("gpus", "asked", "workers"), [(0, None, 1), (0, 3, 3), (3, None, 2), (4, None, 4), (4, 2, 2)]
)
def test_devices_are_gpus_or_processes(monkeypatch, gpus, asked, workers):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    assert count_local_workers(asked, 32) == workers


def test_more_devices_than_gpus_are_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(SettingError, match="--devices 4: this machine has 2 GPUs"):
        count_local_workers(4, 32)


def test_the_images_that_a_run_ends_with_are_few(discs):
    few = decode_few(discs, 32)
    # 128 training images, all with a box; of 12 validation images all
    assert {split: len(decoded) for split, decoded in few.items()} == {"train": 128, "val": 12}
