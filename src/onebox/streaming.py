"""Many pictures, one after another: work spread over threads, answers in the order of the sources.

Decoding a picture and running a network both let other threads run meanwhile, so that threads of
one process keep all cores busy. No more pictures are under way than a few for each thread, however
many there are: the sources may be endless.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import count, islice
from typing import TypeVar

from onebox.errors import PictureError
from onebox.images import Source
from onebox.structures import Prediction

AHEAD = 4
"""Sources under way for each thread: enough that none waits while one picture takes long."""

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What came of one source of many: a prediction, or the reason why there is none.

    Attributes:
        index: The place of the source among all, from 0.
        source: The source itself.
        prediction: None where the picture cannot be read.
        error: Why it cannot be read; None where there is a prediction.
    """

    index: int
    source: Source
    prediction: Prediction | None
    error: PictureError | None = None

    def unwrap(self) -> Prediction:
        """The prediction.

        Raises:
            PictureError: If there is none.
        """
        if self.prediction is None:
            raise self.error or PictureError("there is no prediction.")
        return self.prediction


def predict_each(
    predict: Callable[[Source], Prediction], sources: Iterable[Source], *, threads: int
) -> Generator[Answer, None, None]:
    """Answer every source by a function that answers one.

    Args:
        predict: Called in several threads at once.
        sources: Drawn from as answers are taken, in the caller's thread.
        threads: At least 1.

    Yields:
        The answers, in the order of the sources. A source that cannot be read has one too; any
        other error ends the iteration.
    """
    work = partial(_attempt, predict)
    with closing(in_order(sources, work, threads=threads)) as results:
        for index, (source, result) in enumerate(results):
            yield _answer(index, source, result)


def predict_batches(
    load: Callable[[Source], Item],
    predict: Callable[[Sequence[Item]], Sequence[Prediction]],
    sources: Iterable[Source],
    *,
    threads: int,
    batch: int,
) -> Generator[Answer, None, None]:
    """Answer every source by a function that answers several pictures at once.

    Args:
        load: Reads a picture; called in several threads at once.
        predict: Answers pictures, in the caller's thread; the next are read meanwhile.
        sources: Drawn from as answers are taken, in the caller's thread.
        threads: At least 1.
        batch: Sources in a row that are answered together.

    Yields:
        What `predict_each` does.
    """
    ahead = max(batch, AHEAD * threads)
    work = partial(_attempt, load)
    with closing(in_order(sources, work, threads=threads, ahead=ahead)) as loaded:
        places = count()
        while group := list(islice(loaded, batch)):
            read = [one for _, one in group if not isinstance(one, PictureError)]
            predictions = iter(predict(read))
            for source, one in group:
                result = one if isinstance(one, PictureError) else next(predictions)
                yield _answer(next(places), source, result)


def in_order(
    items: Iterable[Item],
    work: Callable[[Item], Result],
    *,
    threads: int,
    ahead: int | None = None,
) -> Generator[tuple[Item, Result], None, None]:
    """Do something with each item in several threads, and give what comes of it in order.

    Args:
        items: Drawn from as results are taken, in the caller's thread.
        work: Called in threads of a pool; in the caller's where ``threads`` is 1.
        threads: At least 1.
        ahead: Items under way at most; `AHEAD` for each thread where absent.

    Yields:
        Each item and its result. An error of ``items`` or of ``work`` comes in its place, behind
        all that was before it, and ends the iteration. Where the iteration ends, or is closed,
        what has not begun is not begun, and what has is waited for.
    """
    if threads == 1:
        for item in items:
            yield item, work(item)
        return
    most = AHEAD * threads if ahead is None else ahead
    pool = ThreadPoolExecutor(threads, thread_name_prefix="onebox")
    try:
        yield from _drawn(iter(items), lambda item: pool.submit(work, item), most)
    finally:
        pool.shutdown(cancel_futures=True)


def _drawn(
    items: Iterator[Item], start: Callable[[Item], Future[Result]], most: int
) -> Iterator[tuple[Item, Result]]:
    """Start as many as may be under way, and give the first as soon as it is done."""
    under_way: deque[tuple[Item, Future[Result]]] = deque()
    failure: Exception | None = None
    is_open = True
    while is_open or under_way:
        if is_open and len(under_way) < most:
            try:
                item = next(items)
            except StopIteration:
                is_open = False
            except Exception as error:  # noqa: BLE001 - raised again once its turn has come
                is_open, failure = False, error
            else:
                under_way.append((item, start(item)))
        # One item drawn for one result taken: from a camera, none waits for those behind it.
        if under_way and (under_way[0][1].done() or len(under_way) >= most or not is_open):
            item, future = under_way.popleft()
            yield item, future.result()
    if failure is not None:
        raise failure


def _attempt(work: Callable[[Source], Result], source: Source) -> Result | PictureError:
    try:
        return work(source)
    except PictureError as error:
        return error


def _answer(index: int, source: Source, result: Prediction | PictureError) -> Answer:
    if isinstance(result, PictureError):
        return Answer(index, source, None, result)
    return Answer(index, source, result)
