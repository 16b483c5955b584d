"""Training on a Ray cluster: a worker is killed, and files are not reachable."""

import csv
import os
import signal

import psutil
import pytest

from onebox.distributed.cluster import Cluster
from onebox.distributed.training import (
    count_cluster_workers,
    missing_path,
)
from onebox.errors import SettingError
from onebox.progress import Silent
from onebox.runs.options import WorkerOptions

pytestmark = pytest.mark.train


@pytest.fixture
def prepared(tiny_recipe, tmp_path):
    from onebox.learning.network_runs.finish import PreparedRun
    from onebox.learning.networks.network import Network

    recipe = tiny_recipe.changed({"train.epochs": 3, "train.batch_size": 8})
    return PreparedRun(tmp_path / "run", recipe, Network(recipe, classes=1), "none")


class Killer(Silent):
    """Kills a worker after the first epoch."""

    def __init__(self):
        self.killed, self.notes = [], []

    def epoch(self, metrics):
        if not self.killed:
            self.killed = [pid_of_a_worker()]
            os.kill(self.killed[0], signal.SIGKILL)

    def note(self, sentence):
        self.notes.append(sentence)


def pid_of_a_worker():
    """The process of a worker of Ray Train on this machine, below this process's own raylet."""
    own = psutil.Process().children(recursive=True)
    workers = [each.pid for each in own if "RayTrainWorker" in " ".join(each.cmdline())]
    return max(workers)


@pytest.mark.filterwarnings(r"ignore:`[\w.]+` is deprecated:DeprecationWarning")
def test_a_worker_that_is_killed_on_a_cluster_is_replaced_and_training_ends(
    discs, shortened, prepared, local_cluster
):
    from onebox.learning.network_runs.parallel_run import fit_on_workers

    killer = Killer()
    few = shortened(discs, train=12, val=4)
    fitted = fit_on_workers(prepared, few, WorkerOptions(2, "ray"), None, killer)
    assert len(killer.killed) == 1
    assert (fitted.epochs, fitted.steps, fitted.devices) == (3, 6, ("cpu", "cpu"))
    assert killer.notes == ["a worker was lost; all go on from the last checkpoint."]
    with (prepared.folder / "history.csv").open(newline="") as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["1", "2", "3"]
    left = {path.name for path in prepared.checkpoints.iterdir()}
    assert left == {"best.safetensors", "data.json", "last.safetensors"}


@pytest.mark.parametrize(
    ("asked", "cluster", "workers"),
    [
        (None, Cluster(cpus=16, gpus=0, nodes=2, is_local=False), 2),
        (None, Cluster(cpus=16, gpus=4, nodes=2, is_local=False), 4),
        (8, Cluster(cpus=16, gpus=0, nodes=2, is_local=False), 8),
    ],
)
def test_by_default_there_is_a_worker_for_each_gpu_or_machine(asked, cluster, workers):
    assert count_cluster_workers(asked, cluster) == workers


@pytest.mark.parametrize(
    ("gpus", "words"),
    [(4, "--workers 17: the cluster has 4 GPUs"), (0, "the cluster has 16 cores")],
)
def test_more_workers_than_devices_are_refused(gpus, words):
    with pytest.raises(SettingError, match=words):
        count_cluster_workers(17, Cluster(cpus=16, gpus=gpus, nodes=2, is_local=False))


def test_a_machine_names_itself_and_the_path_that_it_does_not_see(tmp_path):
    (tmp_path / "a").touch()
    assert missing_path([tmp_path / "a"]) is None
    machine, path = missing_path([tmp_path / "a", tmp_path / "b", tmp_path / "c"])
    assert machine == os.uname().nodename
    assert path == tmp_path / "b"
