"""Independent tasks on a cluster of this machine."""

import json
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from onebox.distributed.tasks import cluster_tasks
from onebox.errors import DataError, OneboxError, SettingError
from onebox.progress import EpochMetrics, Silent

pytestmark = pytest.mark.train


class Log(Silent):
    """Keeps stages, notes and epochs."""

    def __init__(self):
        self.heard = []

    def stage(self, name):
        self.heard.append(name)

    def epoch(self, metrics):
        self.heard.append(metrics)

    def note(self, sentence):
        self.heard.append(sentence)


EPOCH = EpochMetrics(1, 2, loss=1.0, val_mean_iou=0.5, learning_rate=1e-3, seconds=4.0)


def test_more_workers_than_cores_are_refused(local_cluster):
    with (
        pytest.raises(SettingError, match=r"--workers 999: the cluster has \d+ CPU cores"),
        cluster_tasks("ray", 999, 1000),
    ):
        pass


def test_a_task_whose_process_is_killed_starts_again_and_the_others_are_not_lost(
    local_cluster, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)

    def work(item, listener):
        listener.stage(f"task {item}")
        listener.epoch(EPOCH)
        if item == "killed":
            mark = Path("was-killed")
            if not mark.exists():
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
        if item == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        if item == "wrong":
            raise DataError("labels.csv:2: is wrong.", "labels.csv:3: too.")
        time.sleep(0.7)  # so that what was reported is taken
        return f"{item} in {Path.cwd()}"

    logs = [Log() for _ in range(4)]
    with cluster_tasks("ray", 2, 4) as runner:
        assert (runner.at_once, runner.cores) == (2, max(1, local_cluster.cpus // 2))
        items = iter(["killed", "wrong", "fine", "dies"])
        found = dict(runner.map(work, items, logs))
    assert found[0] == f"killed in {tmp_path}"
    assert found[2] == f"fine in {tmp_path}"
    assert isinstance(found[1], DataError)
    assert str(found[1]) == "labels.csv:2: is wrong.\nlabels.csv:3: too."
    assert type(found[3]) is OneboxError
    assert "the worker process ended 4 times" in str(found[3])
    assert "task fine" in logs[2].heard
    assert EPOCH in logs[2].heard


def test_an_audit_on_a_cluster_predicts_what_it_predicts_here(
    local_cluster, discs, tiny_recipe, shortened, tmp_path, monkeypatch
):
    from onebox.audit.job import AuditOptions
    from onebox.learning.cross_validation.out_of_fold import predict_out_of_fold

    monkeypatch.chdir(tmp_path)
    few = shortened(discs, train=24)
    recipe = tiny_recipe.changed({"train.epochs": 2})
    options = AuditOptions(time.monotonic(), folds=2)
    here = predict_out_of_fold(few, recipe, options, Silent())
    log = Log()
    with cluster_tasks("ray", 2, 2) as runner:
        there = predict_out_of_fold(few, recipe, options, log, runner)
    for name in ("boxes", "sigmas", "probabilities"):
        np.testing.assert_array_equal(getattr(there, name), getattr(here, name))
    assert any(str(each).startswith("fold 2: epoch ") for each in log.heard)


def test_folds_on_a_cluster_have_the_metrics_that_they_have_here(
    local_cluster, discs, shortened, tmp_path, monkeypatch
):
    pytest.importorskip("skimage")
    from onebox.recipes.loading import read_recipe
    from onebox.runs.options import RunOptions
    from onebox.runs.repeats.job import RepeatOptions, train_repeatedly
    from onebox.tasks import IN_ORDER

    monkeypatch.chdir(tmp_path)
    few = shortened(discs, train=24, val=4, test=4)
    recipe = read_recipe("hog-svm", ["hog.window=4", "hog.scales=1"])

    def options(out):
        return RepeatOptions("folds", 2, RunOptions(time.monotonic(), out=tmp_path / out))

    train_repeatedly(few, recipe, options("here"), IN_ORDER, Silent())
    with cluster_tasks("ray", 2, 2) as runner:
        train_repeatedly(few, recipe, options("there"), runner, Silent())
    read = [
        json.loads((tmp_path / name / "repeats.json").read_text()) for name in ("here", "there")
    ]
    for key in ("over_runs", "over_images"):
        assert read[0][key] == read[1][key]
    assert read[1]["over_images"]["mean_iou"]["count"] == 32
