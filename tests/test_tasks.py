"""Tasks one after the other, and what their listeners hear."""

import dataclasses

import pytest

from onebox.errors import DataError, OneboxError
from onebox.progress import EpochMetrics, Silent
from onebox.tasks import IN_ORDER, listeners_of, rounds_left

EPOCH = EpochMetrics(3, 20, loss=1.0, val_mean_iou=0.6125, learning_rate=1e-3, seconds=4.0)


class Log(Silent):
    """Keeps all that it hears."""

    def __init__(self):
        self.heard = []

    def stage(self, name):
        self.heard.append(("stage", name))

    def advance(self, done, total):
        self.heard.append(("advance", done, total))

    def epoch(self, metrics):
        self.heard.append(("epoch", metrics))

    def note(self, sentence):
        self.heard.append(("note", sentence))


def tell_all(item, listener):
    listener.stage("Training")
    listener.advance(1, 2)
    listener.epoch(EPOCH)
    listener.note("slow.")
    return item


def test_results_come_in_order_and_an_error_of_ours_is_one():
    def halve(number, listener):
        if number % 2:
            raise DataError(f"{number} is odd.")
        return number // 2

    found = list(IN_ORDER.map(halve, [4, 3, 8], [Silent()] * 3))
    assert [(index, str(result)) for index, result in found] == [
        (0, "2"),
        (1, "3 is odd."),
        (2, "4"),
    ]
    assert isinstance(found[1][1], OneboxError)


def test_a_fault_of_the_program_is_raised():
    with pytest.raises(ZeroDivisionError):
        list(IN_ORDER.map(lambda item, listener: item / 0, [1], [Silent()]))


def test_an_item_is_drawn_when_its_task_begins():
    events = []

    def draw():
        for number in (1, 2):
            events.append(f"draw {number}")
            yield number

    def work(item, listener):
        events.append(f"work {item}")

    list(IN_ORDER.map(work, draw(), [Silent()] * 2))
    assert events == ["draw 1", "work 1", "draw 2", "work 2"]


def test_a_task_alone_tells_everything_with_its_name():
    log = Log()
    [listener] = listeners_of(log, ["fold-1"], IN_ORDER)
    tell_all(0, listener)
    assert log.heard == [
        ("stage", "fold-1: Training"),
        ("advance", 1, 2),
        ("epoch", EPOCH),
        ("note", "fold-1: slow."),
    ]


def test_a_task_among_others_tells_an_epoch_as_a_stage_and_no_advance():
    @dataclasses.dataclass
    class Two:
        at_once: int = 2
        start_s: float = 0.0

        def map(self, function, items, listeners):
            return iter(())

    log = Log()
    [listener] = listeners_of(log, ["fold-1"], Two())
    tell_all(0, listener)
    assert log.heard == [
        ("stage", "fold-1: Training"),
        ("stage", "fold-1: epoch 3 of 20, val mean IoU 0.6125"),
        ("note", "fold-1: slow."),
    ]


def test_five_tasks_two_at_once_follow_each_other_three_times():
    assert [rounds_left(5, 2), rounds_left(4, 2), rounds_left(3, 1), rounds_left(1, 8)] == [
        3,
        2,
        3,
        1,
    ]
