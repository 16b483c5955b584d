"""The pace of a schedule, and a clock that stands where the test puts it."""

import pytest

from onebox.learning.fitting import deadline as module
from onebox.learning.fitting.deadline import Deadline, Pace, Timekeeper


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self):
        self.now = 100.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


class Training:
    """Ten rounds of four steps, planned to take a second each."""

    def __init__(self, clock, *, seconds, after_s=5.0, step_s=lambda _: 1.0, validation_s=0.0):
        self.pace, self.clock, self.step = Pace(4, 10), clock, 0
        deadline = Deadline(clock.now + seconds, after_s, step_s, validation_s)
        self.keeper = Timekeeper(self.pace, deadline)

    def go_on(self, seconds_a_step):
        """One round; the rounds that there will be, then."""
        for _ in range(4):
            self.step += 1
            self.clock.now += seconds_a_step
            self.keeper.took(self.step)
        self.keeper.ended(self.step)
        return self.pace.rounds


def test_a_step_is_a_step_of_the_schedule():
    pace = Pace(4, 10)
    assert [pace.at(step) for step in (0, 1, 40)] == [0, 1, 40]
    assert pace.share(10) == 0.25
    assert pace.most_left(20) == 5


def test_a_shortened_schedule_moves_on_faster_and_reaches_its_end():
    pace = Pace(4, 10)
    pace.end_after(20, 2)
    # 20 planned steps in 8.
    assert [pace.at(step) for step in (20, 21, 24, 28)] == [20, 22.5, 30, 40]
    assert (pace.rounds, pace.share(28)) == (7, 1.0)
    assert pace.most_left(24) == 2  # 10 of the 40 are left


def test_what_is_in_time_stays_as_it_is(clock):
    training = Training(clock, seconds=45.0)  # 40 for the steps and 5 for what comes after
    assert [training.go_on(1.0) for _ in range(10)] == [10] * 10
    assert training.pace.stride == 1.0


def test_what_is_early_gets_no_more(clock):
    training = Training(clock, seconds=450.0)
    assert [training.go_on(0.1) for _ in range(10)] == [10] * 10


def test_half_as_fast_a_machine_gets_fewer_rounds_and_a_faster_one_some_back(clock):
    training = Training(clock, seconds=50.0)
    # 8 s for 4 planned: of 42 s, what comes after takes 10, and a round 8: four more.
    assert training.go_on(2.0) == 1 + 4
    assert training.pace.stride == 36 / 16
    # 12 s for 8: of 38 s, what comes after takes 7.5, and a round 6: five more. The schedule stands
    # at 4 + 9, and has room for six.
    assert training.go_on(1.0) == 2 + 5
    assert training.pace.at(8) == 13
    assert training.pace.stride == 27 / 20


def test_no_more_rounds_come_back_than_steps_that_are_left(clock):
    training = Training(clock, seconds=50.0)
    training.go_on(2.0)
    clock.now -= 1000.0  # all the time in the world
    assert training.go_on(1.0) == 2 + 6
    assert training.pace.stride == 27 / 24


def test_one_round_follows_however_late_it_is_and_none_after_the_last(clock):
    training = Training(clock, seconds=1.0)
    assert training.go_on(100.0) == 2
    assert training.pace.stride == 9.0
    assert training.go_on(100.0) == 2
    assert training.pace.share(8) == 1.0


def test_the_rest_costs_what_its_steps_and_validations_cost(clock):
    # Steps grow from one second to three: the first round is planned at four steps of a mean share
    # of 1.5 / 40, and half a second; the rest at a mean share of 22 / 40.
    training = Training(
        clock, seconds=60.0, after_s=0.0, step_s=lambda done: 1 + 2 * done, validation_s=0.5
    )
    planned = 4 * (1 + 2 * 1.5 / 40) + 0.5
    assert training.go_on(planned / 4) == 1 + int((60 - planned) / (4 * (1 + 2 * 22 / 40) + 0.5))
