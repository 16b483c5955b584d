"""The first worker's reports, read by the process that started the workers."""

import pytest

from onebox.errors import DataError, OneboxError, SettingError, StoppedError
from onebox.learning.fitting.fit import Fitted
from onebox.learning.network_runs.events import Follower, Reporter, fitted_as, problem_of
from onebox.progress import EpochMetrics, StopTraining

pytestmark = pytest.mark.train

EPOCH = EpochMetrics(2, 7, 0.5, 0.25, 1e-3, 0.0, {"box/l1": 0.125})


@pytest.fixture
def diary(new_diary):
    return new_diary()


def test_what_the_first_worker_hears_is_told_once_and_in_order(tmp_path, diary):
    follower, reporter = Follower(tmp_path, diary), Reporter(tmp_path)
    reporter.stage("Training")
    reporter.advance(7, 7)
    reporter.epoch(EPOCH)
    reporter.note("a sentence.")
    follower.follow()
    follower.follow()
    assert (diary.stages, diary.steps, diary.epochs, diary.notes) == (
        ["Training"], [(7, 7)], [EPOCH], ["a sentence."],
    )  # fmt: skip


def test_a_worker_that_is_started_again_is_noted_and_its_half_line_is_skipped(tmp_path, diary):
    follower = Follower(tmp_path, diary)
    Reporter(tmp_path).stage("Training")
    with (tmp_path / "events.jsonl").open("a") as file:
        file.write('{"event": "epo')
    follower.follow()
    Reporter(tmp_path).stage("Training again")
    follower.follow()
    assert diary.stages == ["Training", "Training again"]
    assert diary.notes == ["a worker was lost; all go on from the last checkpoint."]


def test_a_listener_that_asks_to_stop_stops_the_first_worker(tmp_path, new_diary):
    def stop():
        raise StopTraining

    follower = Follower(tmp_path, new_diary(stop_at_epoch=2, stop=stop))
    reporter = Reporter(tmp_path)
    reporter.epoch(EPOCH)
    reporter.advance(6, 7)
    follower.follow()
    with pytest.raises(StopTraining):
        reporter.advance(7, 7)
    assert not follower.is_interrupted


def test_ctrl_c_asks_the_workers_to_stop_and_a_second_one_does_not_wait(tmp_path, new_diary):
    follower = Follower(tmp_path, new_diary(stop_at_epoch=2))
    reporter = Reporter(tmp_path)
    reporter.epoch(EPOCH)
    turns = iter([True, True, False])
    follower.follow_while(lambda: next(turns))
    assert follower.is_interrupted
    assert (tmp_path / "stop").exists()
    reporter.epoch(EPOCH)
    with pytest.raises(KeyboardInterrupt):
        follower.follow_while(lambda: True)
    follower.clear()
    assert list(tmp_path.iterdir()) == []


def test_how_the_fit_ended_is_read_back(tmp_path, diary):
    fitted = Fitted(tmp_path / "last.safetensors", 3, 12, False, True, ("cpu", "cpu"))
    follower = Follower(tmp_path, diary)
    Reporter(tmp_path).write("fitted", **fitted_as(fitted))
    follower.follow()
    assert follower.fitted == fitted


@pytest.mark.parametrize(
    "error",
    [
        DataError("a.jpg: broken.", "b.jpg: missing."),
        SettingError("no."),
        OneboxError("x"),
        StoppedError("y"),
    ],
)
def test_an_error_is_told_with_its_kind_and_every_problem(tmp_path, diary, error):
    follower = Follower(tmp_path, diary)
    Reporter(tmp_path).write("error", **problem_of(error))
    follower.follow()
    assert (type(follower.error), str(follower.error)) == (type(error), str(error))
