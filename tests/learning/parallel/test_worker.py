"""What a worker does about images that cannot be read, and about a request to stop."""

import re
from dataclasses import replace

import pytest

from onebox.errors import DataError, StoppedError
from onebox.learning.network_runs import worker
from onebox.learning.network_runs.events import Follower
from onebox.learning.network_runs.job import Job
from onebox.learning.parallel.placement import ALONE
from onebox.progress import Silent

pytestmark = pytest.mark.train


@pytest.fixture
def job(tiny_recipe, tmp_path):
    job = Job(tmp_path, tiny_recipe, "none", False, None, False)
    job.checkpoints.mkdir()
    return job


@pytest.fixture
def broken(discs, shortened, tmp_path):
    few = shortened(discs, train=4, val=2)
    samples = [
        replace(sample, image=tmp_path / f"{row}.jpg") if row in {1, 2} else sample
        for row, sample in enumerate(few.samples)
    ]
    return replace(few, samples=tuple(samples))


def error_of(job, data):
    follower = Follower(job.checkpoints, Silent())
    worker.work(job, data, ALONE)
    follower.follow()
    assert follower.fitted is None
    return follower.error


def test_all_unreadable_images_are_reported_and_no_worker_fails(job, broken):
    error = error_of(job, broken)
    assert type(error) is DataError
    assert [re.search(r"(\d)\.jpg", problem)[1] for problem in error.problems] == ["1", "2"]


def test_the_problems_of_all_workers_are_reported_once(job, broken, monkeypatch):
    monkeypatch.setattr(worker, "from_all", lambda item: [item, item, []])
    assert len(error_of(job, broken).problems) == 2


def test_a_request_to_stop_while_images_are_decoded_ends_the_run(
    job, discs, shortened, monkeypatch
):
    follower = Follower(job.checkpoints, Silent())
    follower.stop()
    worker.work(job, shortened(discs, train=4, val=2), ALONE)
    follower.follow()
    assert type(follower.error) is StoppedError
    assert "stopped before its first epoch ended" in str(follower.error)
