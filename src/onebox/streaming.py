"""Many images, one after another: work spread over threads, answers in the order of the sources.

Decoding an image and running a network both let other threads run meanwhile, so that threads of
one process keep all cores busy. No more images are under way than a few for each thread, however
many there are: the sources may be endless.
"""

import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import count, islice
from queue import SimpleQueue
from typing import Generic, TypeVar

from onebox.errors import ImageError
from onebox.images import Source
from onebox.structures import Prediction

AHEAD = 4
"""Sources under way for each thread: enough that none waits while one image takes long."""

_PARTING_S = 0.1

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What came of one source of many: a prediction, or the reason why there is none.

    Attributes:
        index: The place of the source among all, from 0.
        source: The source itself.
        prediction: None where the image cannot be read.
        error: Why it cannot be read; None where there is a prediction.
    """

    index: int
    source: Source
    prediction: Prediction | None
    error: ImageError | None = None

    def unwrap(self) -> Prediction:
        """The prediction.

        Raises:
            ImageError: If there is none.
        """
        if self.prediction is None:
            raise self.error or ImageError("there is no prediction.")
        return self.prediction


def predict_each(
    predict: Callable[[Source], Prediction], sources: Iterable[Source], *, threads: int
) -> Generator[Answer, None, None]:
    """Answer every source by a function that answers one.

    Args:
        predict: Called in several threads at once.
        sources: Drawn from as answers are taken, in a thread of their own.
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
    """Answer every source by a function that answers several images at once.

    Args:
        load: Reads an image; called in several threads at once.
        predict: Answers images, in the caller's thread; the next are read meanwhile.
        sources: Drawn from as answers are taken, in a thread of their own.
        threads: At least 1.
        batch: Sources in a row that are answered together.

    Yields:
        What `predict_each` does.
    """
    ahead = max(batch, AHEAD * threads)
    work = partial(_attempt, load)
    with closing(in_order(sources, work, threads=threads, ahead=ahead)) as loaded:
        places = count()
        for group in _groups(loaded, batch):
            read = [one for _, one in group if not isinstance(one, ImageError)]
            predictions = iter(predict(read))
            for source, one in group:
                result = one if isinstance(one, ImageError) else next(predictions)
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
        items: Drawn from as results are taken, in a thread of their own; in the caller's where
            ``threads`` is 1.
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
    drawing = _Drawing(iter(items), lambda item: pool.submit(work, item), most)
    drawing.start()
    try:
        yield from drawing.results()
    finally:
        drawing.stop()
        pool.shutdown(cancel_futures=True)


class _Drawing(threading.Thread, Generic[Item, Result]):
    """Draws items and starts their work while results are waited for: a source may be slow.

    A thread of its own, and none that is waited for: what it draws from may never give another.
    """

    def __init__(
        self, items: Iterator[Item], begin: Callable[[Item], Future[Result]], most: int
    ) -> None:
        super().__init__(name="onebox-sources", daemon=True)
        self._items, self._begin = items, begin
        self._room = threading.Semaphore(most)
        self._begun: SimpleQueue[tuple[Item, Future[Result]] | BaseException | None] = SimpleQueue()
        self._is_stopped = False
        self._changing = threading.Lock()

    def run(self) -> None:
        """Draw until there are no more items, an error comes, or nobody wants results."""
        try:
            while self._room.acquire() and not self._is_stopped:
                item = next(self._items)
                with self._changing:
                    if self._is_stopped:
                        return
                    self._begun.put((item, self._begin(item)))
        except StopIteration:
            self._begun.put(None)
        except BaseException as error:  # noqa: BLE001 - raised again once its turn has come
            self._begun.put(error)

    def results(self) -> Iterator[tuple[Item, Result]]:
        """Each item with its result, as soon as it is done and those before it are."""
        while (one := self._begun.get()) is not None:
            if isinstance(one, BaseException):
                raise one
            item, future = one
            result = future.result()
            self._room.release()
            yield item, result

    def stop(self) -> None:
        """Begin nothing more; it is not waited for long, since a source may never give another."""
        with self._changing:
            self._is_stopped = True
        self._room.release()
        self.join(_PARTING_S)


def _groups(items: Iterator[Item], size: int) -> Iterator[list[Item]]:
    """Items by so many in a row; an error comes behind those that were before it.

    Raises:
        Exception: What ``items`` raises.
    """
    is_more = True
    while is_more:
        group: list[Item] = []
        problem = None
        try:
            group.extend(islice(items, size))  # keeps those before an error
        except Exception as error:  # noqa: BLE001 - raised again below
            problem = error
        if group:
            yield group
        if problem is not None:
            raise problem
        is_more = len(group) == size


def _attempt(work: Callable[[Source], Result], source: Source) -> Result | ImageError:
    try:
        return work(source)
    except ImageError as error:
        return error


def _answer(index: int, source: Source, result: Prediction | ImageError) -> Answer:
    if isinstance(result, ImageError):
        return Answer(index, source, None, result)
    return Answer(index, source, result)
