"""Answers of a model in a process of its own, one image at a time.

A crash of the process costs the one image that it was at: this is how a shard is worked whose
worker died several times.
"""

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial

from onebox.distributed.prediction.model import SentModel
from onebox.distributed.prediction.parts import ErrorRow
from onebox.distributed.prediction.work import Answers, Items
from onebox.errors import ImageError
from onebox.images import Source
from onebox.localizer import Localizer
from onebox.prediction.items import SourceItem
from onebox.prediction.writers import Row
from onebox.structures import Prediction

_opened: list[Localizer] = []  # in the process: the model


def answer_apart(model: SentModel) -> Answers:
    """Answers of a model; an image that ends the process gets an error."""
    return partial(_answers, model)


def _answers(model: SentModel, items: Items) -> Iterator[Row | ErrorRow]:
    pool = _start(model)
    try:
        for item in items:
            if isinstance(item, ErrorRow):
                yield item
                continue
            try:
                answer = pool.submit(_predict, item.source).result()
            except BrokenProcessPool:
                pool.shutdown()
                pool = _start(model)
                yield ErrorRow(item.name, _name_crash(item))
            else:
                yield _as_row(item, answer)
    finally:
        pool.shutdown()


def _start(model: SentModel) -> ProcessPoolExecutor:
    # A fresh process: a forked one would share the threads and locks of Ray.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(1, context, initializer=_open, initargs=(model,))


def _open(model: SentModel) -> None:
    _opened.append(model.open())


def _predict(source: Source) -> Prediction | ImageError:
    try:
        return _opened[0].predict(source)
    except ImageError as error:
        return error


def _as_row(item: SourceItem, answer: Prediction | ImageError) -> Row | ErrorRow:
    if isinstance(answer, ImageError):
        return ErrorRow(item.name, item.explain(answer))
    return Row(item.name, answer)


def _name_crash(item: SourceItem) -> str:
    return (
        f"{item.name}: ends the process that reads it, by a crash or for want of memory. Replace "
        "or remove it."
    )
