"""The work of one shard: its images → its part file, unless that is there already.

Everything that makes a rerun safe is here. A part appears whole or not at all, a part that is
there is left alone, and which rows it has depends on its shard alone.
"""

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from onebox import stores
from onebox.distributed.prediction.folder import PLAN, part_name, publishing
from onebox.distributed.prediction.parts import ErrorRow, read_summary, write_part
from onebox.distributed.prediction.records import PartSummary, PlannedShard
from onebox.errors import DataError, OneboxError
from onebox.images import Source
from onebox.localizer import Localizer
from onebox.prediction import shards
from onebox.prediction.items import SourceItem
from onebox.prediction.targets import Shard
from onebox.prediction.writers import Layout, Row
from onebox.streaming import map_in_order

_READERS = 8  # requests to a store at once; not tuned: they wait most of the time

Items = Iterator[SourceItem | ErrorRow]
Answers = Callable[[Items], Iterator[Row | ErrorRow]]
"""Images → answers, in their order; errors pass."""


@dataclass(frozen=True, slots=True)
class Task:
    """What all shards of a job have in common.

    Attributes:
        folder: Where the parts go: a path that is absolute, or a URI.
        parts: Number of shards.
        job: The digest of the request.
        layout: What all rows have in common.
    """

    folder: str
    parts: int
    job: str
    layout: Layout


def read_shard(task: Task, offset: int, length: int) -> PlannedShard:
    """Read a line of the plan.

    Raises:
        OneboxError: If the plan is not there, as on a machine that does not share the folder.
    """
    try:
        line = stores.read(stores.join(task.folder, PLAN), offset, length)
    except DataError as error:
        raise OneboxError(
            f"--parquet {task.folder}: a worker does not see this folder ({error}). Name a folder "
            "that all machines share, or the URI of an object store."
        ) from error
    return PlannedShard.from_line(line)


def find_part(task: Task, number: int) -> PartSummary | None:
    """What a part holds; None if it is not there.

    Raises:
        DataError: If the store cannot be reached.
    """
    return read_summary(_address(task, number), number, task.job)


def work(task: Task, shard: PlannedShard, answer: Answers) -> PartSummary:
    """Predict a shard into its part file.

    Raises:
        OneboxError: If the part cannot be written.
        DataError: If the store of the part cannot be reached.
    """
    name = part_name(shard.number, task.parts)
    with publishing(task.folder, name) as file:
        write_part(_rows(shard, answer), task.layout, file, task.job)
    if (summary := find_part(task, shard.number)) is None:
        raise OneboxError(f"{_address(task, shard.number)}: was removed as soon as it was written.")
    return summary


def answer_with(localizer: Localizer, threads: int) -> Answers:
    """Answers of a model, several images at once."""

    def answers(items: Items) -> Iterator[Row | ErrorRow]:
        pending: dict[int, SourceItem] = {}  # by the index of their answer
        failed: list[ErrorRow] = []
        sources = _sources(items, pending, failed)
        with closing(localizer.predict_many(sources, threads=threads)) as found:
            for one in found:
                item = pending.pop(one.index)
                if one.prediction is not None:
                    yield Row(item.name, one.prediction)
                elif one.error is not None:
                    yield ErrorRow(item.name, item.explain(one.error))
        yield from failed

    return answers


def _sources(
    items: Items, pending: dict[int, SourceItem], failed: list[ErrorRow]
) -> Iterator[Source]:
    index = 0
    for item in items:
        if isinstance(item, ErrorRow):
            failed.append(item)
        else:
            pending[index] = item
            index += 1
            yield item.source


def _rows(shard: PlannedShard, answer: Answers) -> Iterator[Row | ErrorRow]:
    items = _loose(shard.images) if shard.packed is None else _packed(*shard.packed)
    yield from answer(items)


def _loose(images: Iterable[tuple[str, str]]) -> Items:
    """Loose images; those in a store are read some at a time."""
    if any(stores.is_uri(address) for _, address in images):
        with closing(map_in_order(images, _read, threads=_READERS)) as found:
            yield from (item for _, item in found)
    else:
        yield from map(_read, images)


def _read(image: tuple[str, str]) -> SourceItem | ErrorRow:
    name, address = image
    if not stores.is_uri(address):
        return SourceItem(name, Path(address))
    try:
        return SourceItem(name, stores.read(address))
    except DataError as error:
        return ErrorRow(name, str(error).replace(address, name, 1))


def _packed(name: str, address: str) -> Items:
    """The images of a packed shard; one that is damaged ends with an error of its own."""
    found = shards.read_items(Shard(address))
    if stores.is_uri(address):  # read ahead, while images are predicted
        found = _ahead(found)
    try:
        for item in found:
            yield dataclasses.replace(item, name=f"{name}:{item.member}")
    except DataError as error:
        yield ErrorRow(name, str(error).replace(address, name, 1))


def _ahead(items: Iterator[SourceItem]) -> Iterator[SourceItem]:
    with closing(map_in_order(items, lambda item: item, threads=2)) as found:
        yield from (item for item, _ in found)


def _address(task: Task, number: int) -> str:
    return stores.join(task.folder, part_name(number, task.parts))
