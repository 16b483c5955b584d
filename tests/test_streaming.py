"""Work in several threads whose results come in order, with few items under way."""

import threading
import time
from itertools import count

import pytest

from onebox import streaming
from onebox.errors import ImageError
from onebox.structures import Prediction

SEEN = Prediction("disc", 0.5, (1.0, 2.0, 3.0, 4.0), (1.0,))


def drawn_from(source, log):
    for item in source:
        log.append(item)
        yield item


def workers():
    return [thread for thread in threading.enumerate() if thread.name.startswith("onebox")]


@pytest.mark.parametrize("threads", [1, 3])
def test_results_come_in_order_whichever_is_done_first(threads):
    def slow_where_even(number):
        time.sleep(0.01 if number % 2 == 0 else 0)
        return -number

    results = list(streaming.in_order(range(9), slow_where_even, threads=threads))
    assert results == [(number, -number) for number in range(9)]


def test_several_items_are_worked_on_at_once():
    both = threading.Barrier(2, timeout=30)  # broken, unless two threads wait at once
    results = streaming.in_order(range(2), lambda _: both.wait() >= 0, threads=2)
    assert list(results) == [(0, True), (1, True)]


def test_an_endless_source_is_drawn_from_no_further_than_allowed():
    log = []
    results = streaming.in_order(drawn_from(count(), log), abs, threads=2, ahead=5)
    taken = [next(results) for _ in range(100)]
    assert taken == [(number, number) for number in range(100)]
    assert len(log) <= 105
    results.close()


def test_a_result_that_is_there_does_not_wait_for_more_items():
    # As from a list that somebody types: the third name may never come.
    more = threading.Event()

    def names():
        yield "a"
        yield "b"
        more.wait(30)

    results = streaming.in_order(names(), str.upper, threads=2)
    assert [next(results), next(results)] == [("a", "A"), ("b", "B")]
    assert not more.is_set()
    results.close()
    more.set()


def test_closing_stops_the_threads_and_begins_nothing_more():
    begun = []
    results = streaming.in_order(count(), begun.append, threads=3)
    next(results)
    assert workers()
    results.close()
    assert not workers()
    assert len(begun) <= 1 + 3 * streaming.AHEAD


def test_nothing_starts_before_the_first_result_is_asked_for():
    log = []
    streaming.in_order(drawn_from(range(3), log), abs, threads=2)
    assert (log, workers()) == ([], [])


@pytest.mark.parametrize("threads", [1, 2])
def test_an_error_of_the_work_comes_in_its_place_and_ends_it(threads):
    results = streaming.in_order([4, 2, 0, 1], lambda number: 8 // number, threads=threads)
    assert [next(results), next(results)] == [(4, 2), (2, 4)]
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert list(results) == []
    assert not workers()


@pytest.mark.parametrize("threads", [1, 2])
def test_an_error_of_the_source_comes_behind_all_that_was_before_it(threads):
    def broken():
        yield from range(3)
        raise OSError("the list ends here")

    results = streaming.in_order(broken(), abs, threads=threads)
    assert [next(results) for _ in range(3)] == [(0, 0), (1, 1), (2, 2)]
    with pytest.raises(OSError, match="the list ends here"):
        next(results)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_source_that_ends_the_program_is_heard(threads):
    def leaving():
        yield 1
        raise SystemExit(3)

    results = streaming.in_order(leaving(), abs, threads=threads)
    assert next(results) == (1, 1)
    with pytest.raises(SystemExit, match="3"):
        next(results)


def test_an_interrupt_while_waiting_stops_the_threads():
    def interrupted(number):
        if number == 2:
            raise KeyboardInterrupt
        return number

    results = streaming.in_order(count(), interrupted, threads=2)
    with pytest.raises(KeyboardInterrupt):
        list(results)
    assert not workers()


# --- answers


def predict(source):
    if source == b"":
        raise ImageError("image of 0 bytes: is empty")
    return SEEN


def together(images):
    log.append(len(images))
    return [SEEN for _ in images]


log: list[int] = []


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_a_source_that_cannot_be_read_has_an_answer_and_stops_no_other(batch):
    sources = [b"a", b"", b"c", b"d"]
    if batch == 1:
        answers = list(streaming.predict_each(predict, sources, threads=2))
    else:
        answers = list(
            streaming.predict_batches(
                lambda source: predict(source) and source, together, sources, threads=2, batch=batch
            )
        )
    assert [answer.index for answer in answers] == [0, 1, 2, 3]
    assert [answer.source for answer in answers] == sources
    assert [answer.prediction for answer in answers] == [SEEN, None, SEEN, SEEN]
    assert [str(answer.error) for answer in answers if answer.error is not None] == [
        "image of 0 bytes: is empty"
    ]
    assert answers[0].unwrap() is SEEN
    with pytest.raises(ImageError, match="is empty"):
        answers[1].unwrap()


@pytest.mark.parametrize("batch", [2, 3, 8])
def test_an_error_of_the_source_comes_behind_the_answers_of_a_batch_that_is_not_full(batch):
    def broken():
        yield from [b"a", b"b", b"c"]
        raise OSError("the list ends here")

    answers = streaming.predict_batches(bytes, together, broken(), threads=2, batch=batch)
    assert [next(answers).source for _ in range(3)] == [b"a", b"b", b"c"]
    with pytest.raises(OSError, match="the list ends here"):
        next(answers)


@pytest.mark.parametrize(("batch", "sizes"), [(2, [1, 2, 1]), (4, [3, 1]), (9, [4])])
def test_batches_are_of_sources_in_a_row_less_those_that_cannot_be_read(batch, sizes):
    log.clear()
    sources = [b"a", b"", b"c", b"d", b"e"]
    work = streaming.predict_batches(
        lambda source: predict(source) and source, together, sources, threads=1, batch=batch
    )
    assert len(list(work)) == 5
    assert log == sizes


def test_a_wrong_call_is_no_unreadable_image():
    def wrong(source):
        raise TypeError("must be uint8")

    with pytest.raises(TypeError, match="uint8"):
        list(streaming.predict_each(wrong, [b"a"], threads=2))
