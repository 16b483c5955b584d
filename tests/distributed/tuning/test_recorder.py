"""What happens to the reports of trials, and when a search must stop."""

import time

import pytest

from onebox.distributed.tuning.budget import Budget, whole_s
from onebox.distributed.tuning.journal import Journal
from onebox.distributed.tuning.recorder import Recorder
from onebox.distributed.tuning.records import Outcome, Point, Question
from onebox.progress import StopTraining

TRIALS = ({}, {"model.size": 96}, {"model.size": 64})
QUESTION = Question({}, {}, None, 0, TRIALS, {})
UNLIMITED = Budget(None, 0.0, is_trained=True)


@pytest.fixture
def journal(tmp_path):
    with Journal(tmp_path / "trials.jsonl", QUESTION) as opened:
        yield opened


def report(recorder, number, progress, value, seconds=1.0):
    recorder.report(number, {"progress": progress, "value": value, "seconds": seconds})


def test_trials_end_are_stopped_or_fail(journal, new_diary):
    diary = new_diary()
    recorder = Recorder(journal, UNLIMITED, diary)
    report(recorder, 0, 50, 0.4)
    report(recorder, 0, 100, 0.5)
    report(recorder, 1, 50, 0.1)
    recorder.report(2, {"error": "no memory"})
    for number in range(3):
        recorder.finish(number)
    assert [(one.status, one.progress, one.value) for one in journal.outcomes] == [
        ("ended", 100, 0.5), ("stopped", 50, 0.1), ("failed", 0, None),
    ]  # fmt: skip
    assert diary.notes == [
        "trial 0: val mean IoU 0.5000 (the recipe unchanged)",
        "trial 1: val mean IoU 0.1000, stopped at 50 % (model.size=96)",
        "trial 2 failed: no memory (model.size=64)",
    ]
    assert diary.steps == [(1, 3), (2, 3), (3, 3)]


def test_a_trial_whose_process_died_has_failed(journal, new_diary):
    recorder = Recorder(journal, UNLIMITED, new_diary())
    recorder.fail(1, "its process died")
    assert journal.outcomes == [Outcome(1, "failed", (), "its process died")]


def test_a_trial_that_an_interrupt_cuts_is_not_finished(journal, new_diary):
    recorder = Recorder(journal, UNLIMITED, new_diary())
    report(recorder, 0, 50, 0.4)
    report(recorder, 1, 100, 0.4)
    recorder.is_interrupted = True
    recorder.finish(0)
    recorder.finish(1)
    recorder.fail(2, "killed")
    assert journal.pending() == [0, 2]


def test_a_listener_that_asks_to_stop_interrupts_the_search(journal, new_diary):
    def stop():
        raise StopTraining

    recorder = Recorder(journal, UNLIMITED, new_diary(stop_at_step=1, stop=stop))
    report(recorder, 0, 100, 0.4)
    recorder.finish(0)
    assert recorder.is_stopping()
    assert journal.pending() == [1, 2]


def test_the_time_of_a_whole_trial_is_estimated_at_its_latest_validation():
    # 25 % took 15 s, and the first 25 % with the decoding before 40 s: 55 + 2 * 15
    assert whole_s([Point(25, 0.1, 40.0), Point(50, 0.1, 55.0)]) == 85.0
    assert whole_s([Point(50, 0.1, 55.0), Point(100, 0.1, 90.0)]) == 90.0
    assert whole_s([Point(100, 0.1, 90.0)]) == 90.0
    assert whole_s([Point(25, 0.1, 40.0)]) is None
    assert whole_s([]) is None


def test_the_trials_end_before_the_full_training_must_begin():
    budget = Budget(1000.0, 10.0, is_trained=True)
    assert budget.trials_end_s(None) == 1000 - 0.3 * 600
    assert budget.trials_end_s(100.0) == 1000 - 1.2 * 100 - 30
    assert Budget(1000.0, 10.0, is_trained=False).trials_end_s(100.0) == 1000
    assert UNLIMITED.trials_end_s(100.0) is None


def test_a_search_whose_time_is_over_stops(journal, new_diary):
    over = Budget(time.monotonic() - 1, 10.0, is_trained=False)
    recorder = Recorder(journal, over, new_diary())
    assert recorder.is_stopping()
    assert recorder.is_out_of_time


def test_a_budget_too_small_for_the_first_trial_is_refused_early(journal, new_diary):
    ends_s = time.monotonic() + 120
    recorder = Recorder(journal, Budget(ends_s, 2.0, is_trained=True), new_diary())
    # 10 % take 20 s, so a trial takes 200 s, and the full training 1.2 times that
    report(recorder, 0, 10, 0.1, seconds=20.0)
    assert not recorder.is_stopping()
    report(recorder, 0, 20, 0.1, seconds=40.0)
    assert recorder.is_stopping()
    # 200 s for the trial, 240 s for the training and 60 s for the rest are 8.3 minutes
    assert "Give at least 8.3 minutes, or a shorter schedule" in str(recorder.refusal)


def test_the_second_trial_alone_refuses_nothing(journal, new_diary):
    ends_s = time.monotonic() + 120
    recorder = Recorder(journal, Budget(ends_s, 2.0, is_trained=False), new_diary())
    report(recorder, 1, 10, 0.1, seconds=20.0)
    report(recorder, 1, 20, 0.1, seconds=40.0)
    assert recorder.refusal is None
