"""Work in several threads gives its results in order, with few items in progress."""

import threading
import time
from itertools import count

import pytest

from onebox import streaming
from onebox.errors import ImageError
from onebox.structures import Prediction

SEEN = Prediction("disc", 0.5, (1.0, 2.0, 3.0, 4.0), (1.0,))


def logged(source, log):
    for item in source:
        log.append(item)
        yield item


def workers():
    return [thread for thread in threading.enumerate() if thread.name.startswith("onebox")]


@pytest.mark.parametrize("threads", [1, 3])
def test_results_are_in_order_whichever_is_done_first(threads):
    def slow_where_even(number):
        time.sleep(0.01 if number % 2 == 0 else 0)
        return -number

    results = list(streaming.map_in_order(range(9), slow_where_even, threads=threads))
    assert results == [(number, -number) for number in range(9)]


def test_several_items_are_worked_on_at_once():
    both = threading.Barrier(2, timeout=30)  # breaks unless two threads wait at once
    results = streaming.map_in_order(range(2), lambda _: both.wait() >= 0, threads=2)
    assert list(results) == [(0, True), (1, True)]


def test_an_endless_source_is_read_ahead_only_up_to_the_limit():
    log = []
    results = streaming.map_in_order(logged(count(), log), abs, threads=2, prefetch=5)
    taken = [next(results) for _ in range(100)]
    assert taken == [(number, number) for number in range(100)]
    assert len(log) <= 105
    results.close()


def test_a_finished_result_does_not_wait_for_the_next_item():
    # As from names that a person types: the third may never come.
    more = threading.Event()

    def names():
        yield "a"
        yield "b"
        more.wait(30)

    results = streaming.map_in_order(names(), str.upper, threads=2)
    assert [next(results), next(results)] == [("a", "A"), ("b", "B")]
    assert not more.is_set()
    results.close()
    more.set()


def test_closing_stops_the_threads_and_starts_no_more_work():
    started = []
    results = streaming.map_in_order(count(), started.append, threads=3)
    next(results)
    assert workers()
    results.close()
    assert not workers()
    assert len(started) <= 1 + 3 * streaming.PREFETCH_PER_THREAD


def test_nothing_starts_before_the_first_result_is_requested():
    log = []
    streaming.map_in_order(logged(range(3), log), abs, threads=2)
    assert (log, workers()) == ([], [])


@pytest.mark.parametrize("threads", [1, 2])
def test_an_error_of_the_work_is_raised_in_order_and_ends_the_iteration(threads):
    results = streaming.map_in_order([4, 2, 0, 1], lambda number: 8 // number, threads=threads)
    assert [next(results), next(results)] == [(4, 2), (2, 4)]
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert list(results) == []
    assert not workers()


@pytest.mark.parametrize("threads", [1, 2])
def test_an_error_of_the_source_is_raised_after_all_earlier_results(threads):
    def broken():
        yield from range(3)
        raise OSError("the list ends here")

    results = streaming.map_in_order(broken(), abs, threads=threads)
    assert [next(results) for _ in range(3)] == [(0, 0), (1, 1), (2, 2)]
    with pytest.raises(OSError, match="the list ends here"):
        next(results)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_system_exit_of_the_source_is_raised(threads):
    def leaving():
        yield 1
        raise SystemExit(3)

    results = streaming.map_in_order(leaving(), abs, threads=threads)
    assert next(results) == (1, 1)
    with pytest.raises(SystemExit, match="3"):
        next(results)


def test_an_interrupt_while_waiting_stops_the_threads():
    def interrupted(number):
        if number == 2:
            raise KeyboardInterrupt
        return number

    results = streaming.map_in_order(count(), interrupted, threads=2)
    with pytest.raises(KeyboardInterrupt):
        list(results)
    assert not workers()


# --- answers


def predict(source):
    if source == b"":
        raise ImageError("image of 0 bytes: is empty")
    return SEEN


def predict_batch(images):
    log.append(len(images))
    return [SEEN for _ in images]


log: list[int] = []


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_an_unreadable_source_has_an_answer_and_does_not_stop_the_others(batch):
    sources = [b"a", b"", b"c", b"d"]
    if batch == 1:
        answers = list(streaming.predict_each(predict, sources, threads=2))
    else:
        answers = list(
            streaming.predict_batches(
                lambda source: predict(source) and source,
                predict_batch,
                sources,
                threads=2,
                batch=batch,
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
def test_an_error_of_the_source_is_raised_after_the_answers_of_a_partial_batch(batch):
    def broken():
        yield from [b"a", b"b", b"c"]
        raise OSError("the list ends here")

    answers = streaming.predict_batches(bytes, predict_batch, broken(), threads=2, batch=batch)
    assert [next(answers).source for _ in range(3)] == [b"a", b"b", b"c"]
    with pytest.raises(OSError, match="the list ends here"):
        next(answers)


@pytest.mark.parametrize(("batch", "sizes"), [(2, [1, 2, 1]), (4, [3, 1]), (9, [4])])
def test_batches_are_of_consecutive_sources_without_the_unreadable_ones(batch, sizes):
    log.clear()
    sources = [b"a", b"", b"c", b"d", b"e"]
    work = streaming.predict_batches(
        lambda source: predict(source) and source, predict_batch, sources, threads=1, batch=batch
    )
    assert len(list(work)) == 5
    assert log == sizes


def test_a_type_error_is_not_taken_as_an_unreadable_image():
    def wrong(source):
        raise TypeError("must be uint8")

    with pytest.raises(TypeError, match="uint8"):
        list(streaming.predict_each(wrong, [b"a"], threads=2))
