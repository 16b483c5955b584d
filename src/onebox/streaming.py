"""Predictions for a stream of images: work in several threads, answers in the order of the sources.

Decoding an image and running a network both release the GIL, so threads of one process keep all
cores busy. Only a few images for each thread are in progress at a time: the stream may be endless.
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

PREFETCH_PER_THREAD = 4
"""Items in progress for each thread, so that a slow one does not block the others; not tuned."""

_JOIN_TIMEOUT_S = 0.1  # not tuned: long enough for a thread that is not blocked by its source

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """The result for one of many sources: a prediction, or the error of an unreadable image.

    Attributes:
        index: The index of the source, from 0.
        source: The source itself.
        prediction: The prediction; None if the image cannot be read.
        error: The reason why it cannot be read; None if there is a prediction.
    """

    index: int
    source: Source
    prediction: Prediction | None
    error: ImageError | None = None

    def unwrap(self) -> Prediction:
        """Return the prediction.

        Raises:
            ImageError: If the image could not be read.
        """
        if self.prediction is None:
            raise self.error or ImageError("there is no prediction.")
        return self.prediction


def predict_each(
    predict: Callable[[Source], Prediction], sources: Iterable[Source], *, threads: int
) -> Generator[Answer, None, None]:
    """Predict a stream of sources, one image at a time in each thread.

    Args:
        predict: Predicts one image; called from several threads at once.
        sources: Consumed as answers are taken, in a thread of their own.
        threads: At least 1.

    Yields:
        The answers, in the order of the sources. A source that cannot be read has one too; any
        other error ends the iteration.
    """
    work = partial(_catch_image_error, predict)
    with closing(map_in_order(sources, work, threads=threads)) as results:
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
    """Predict a stream of sources in batches.

    Args:
        load: Reads one image; called from several threads at once.
        predict: Predicts a batch, in the caller's thread, while the next images are read.
        sources: Consumed as answers are taken, in a thread of their own.
        threads: At least 1.
        batch: Number of consecutive sources in a batch; those that cannot be read are left out.

    Yields:
        The answers, as `predict_each` does.
    """
    prefetch = max(batch, PREFETCH_PER_THREAD * threads)
    work = partial(_catch_image_error, load)
    with closing(map_in_order(sources, work, threads=threads, prefetch=prefetch)) as loaded:
        indices = count()
        for group in _batches(loaded, batch):
            readable = [item for _, item in group if not isinstance(item, ImageError)]
            predictions = iter(predict(readable))
            for source, item in group:
                result = item if isinstance(item, ImageError) else next(predictions)
                yield _answer(next(indices), source, result)


def map_in_order(
    items: Iterable[Item],
    work: Callable[[Item], Result],
    *,
    threads: int,
    prefetch: int | None = None,
) -> Generator[tuple[Item, Result], None, None]:
    """Apply a function to each item in several threads, and yield the results in order.

    Args:
        items: Consumed as results are taken, in a thread of their own; if ``threads`` is 1, in the
            caller's thread.
        work: Called from a pool of threads; if ``threads`` is 1, in the caller's thread.
        threads: At least 1.
        prefetch: Maximum number of items in progress; `PREFETCH_PER_THREAD` for each thread if
            None.

    Yields:
        Each item and its result. An error of ``items`` or ``work`` is raised after all earlier
        results, and ends the iteration. When the iteration ends or is closed, no more work starts,
        and work that has started is waited for.
    """
    if threads == 1:
        for item in items:
            yield item, work(item)
        return
    limit = PREFETCH_PER_THREAD * threads if prefetch is None else prefetch
    pool = ThreadPoolExecutor(threads, thread_name_prefix="onebox")
    reader = _SourceReader(iter(items), lambda item: pool.submit(work, item), limit)
    reader.start()
    try:
        yield from reader.results()
    finally:
        reader.stop()
        pool.shutdown(cancel_futures=True)


class _SourceReader(threading.Thread, Generic[Item, Result]):
    """Reads items and submits their work, while the caller waits for results.

    It has a thread of its own, since a source may be slow. The thread is a daemon and is not waited
    for, since the next item may never come.
    """

    def __init__(
        self, items: Iterator[Item], submit: Callable[[Item], Future[Result]], limit: int
    ) -> None:
        super().__init__(name="onebox-sources", daemon=True)
        self._items, self._submit = items, submit
        self._free = threading.Semaphore(limit)
        self._queue: SimpleQueue[tuple[Item, Future[Result]] | BaseException | None] = SimpleQueue()
        self._is_stopped = False
        self._lock = threading.Lock()

    def run(self) -> None:
        """Submit items until there are no more, an error is raised, or `stop` is called."""
        try:
            while self._free.acquire() and not self._is_stopped:
                item = next(self._items)
                with self._lock:
                    if self._is_stopped:
                        return
                    self._queue.put((item, self._submit(item)))
        except StopIteration:
            self._queue.put(None)
        except BaseException as error:  # noqa: BLE001 - raised again by results()
            self._queue.put(error)

    def results(self) -> Iterator[tuple[Item, Result]]:
        """Yield each item with its result, in order, as soon as it is done."""
        while (entry := self._queue.get()) is not None:
            if isinstance(entry, BaseException):
                raise entry
            item, future = entry
            result = future.result()
            self._free.release()
            yield item, result

    def stop(self) -> None:
        """Submit nothing more; the thread is waited for only briefly, as its source may block."""
        with self._lock:
            self._is_stopped = True
        self._free.release()
        self.join(_JOIN_TIMEOUT_S)


def _batches(items: Iterator[Item], size: int) -> Iterator[list[Item]]:
    """Split items into batches; an error is raised after the batch of the items before it.

    Raises:
        Exception: Any error that ``items`` raises.
    """
    is_full = True
    while is_full:
        batch: list[Item] = []
        problem = None
        try:
            batch.extend(islice(items, size))  # keeps the items before an error
        except Exception as error:  # noqa: BLE001 - raised again below
            problem = error
        if batch:
            yield batch
        if problem is not None:
            raise problem
        is_full = len(batch) == size


def _catch_image_error(work: Callable[[Source], Result], source: Source) -> Result | ImageError:
    try:
        return work(source)
    except ImageError as error:
        return error


def _answer(index: int, source: Source, result: Prediction | ImageError) -> Answer:
    if isinstance(result, ImageError):
        return Answer(index, source, None, result)
    return Answer(index, source, result)
