"""A trial in its process: its reports, its errors, and how it ends when it is stopped."""

import queue
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from onebox.distributed.tuning import trial_worker
from onebox.progress import StopTraining
from onebox.structures import Dataset

INPUTS = trial_worker.TrialInputs(Dataset((), ()), {}, ({},), None, 1)


class Stopped(BaseException):
    """What Ray Tune raises in a report: SystemExit."""


class Tune:
    def __init__(self, stop_after=None):
        self.reports, self._stop_after = [], stop_after

    def report(self, report):
        self.reports.append(report)
        if len(self.reports) == self._stop_after:
            raise Stopped


@pytest.fixture
def run(monkeypatch):
    """Run a trial whose training is a function; what it reported, and how each report ended."""

    def run_training(train, tune):
        ended = queue.Queue()

        def whole(number, inputs, place, relay):
            try:
                train(relay.send)
            finally:
                ended.put("ended")

        monkeypatch.setattr(trial_worker, "_run_trial", whole)
        monkeypatch.setattr(trial_worker, "require", lambda *_, **__: tune)
        with suppress(Stopped):
            trial_worker.run({"number": 0}, inputs=INPUTS)
        assert ended.get(timeout=10) == "ended"
        return tune.reports

    return run_training


def test_every_report_reaches_ray_tune_in_order(run):
    def train(send):
        for progress in (25, 50, 100):
            send({"progress": progress})

    assert run(train, Tune()) == [{"progress": 25}, {"progress": 50}, {"progress": 100}]


def test_a_stopped_training_ends_and_a_later_report_does_not_wait_for_an_answer(run):
    heard = []

    def train(send):
        for progress in (25, 50, 100):
            try:
                send({"progress": progress})
            except StopTraining:
                heard.append(progress)

    assert run(train, Tune(stop_after=2)) == [{"progress": 25}, {"progress": 50}]
    assert heard == [50, 100]


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (ValueError("two\nlines"), "ValueError: two (and 1 more lines)"),
        (SystemExit(), "SystemExit: "),
    ],
)
def test_an_error_is_a_report_of_its_own(run, error, sentence):
    def train(send):
        send({"progress": 25})
        raise error

    assert run(train, Tune()) == [{"progress": 25}, {"error": sentence}]


def test_a_trial_waits_for_the_one_before_it_in_its_process(run):
    assert trial_worker._ONE_AT_A_TIME.acquire(timeout=10)
    timer = threading.Timer(0.2, trial_worker._ONE_AT_A_TIME.release)
    timer.start()
    seen = []

    def train(send):
        seen.append(trial_worker._ONE_AT_A_TIME.locked())
        send({"progress": 100})

    run(train, Tune())
    assert seen == [True]


def test_a_settings_error_needs_no_training(monkeypatch):
    tune = Tune()
    monkeypatch.setattr(trial_worker, "require", lambda *_, **__: tune)
    wrong = trial_worker.TrialInputs(Dataset((), ()), {}, ({"model.vectorizer": "gap"},), None, 1)
    trial_worker.run({"number": 0}, inputs=wrong)
    [report] = tune.reports
    assert report["error"].startswith("recipe: box_head 'marginal' reads a map")
    assert not list(Path.cwd().glob("tmp*"))
