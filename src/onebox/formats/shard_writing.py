"""Writes a data set as shards of limited size, on a disk or in an object store.

A shard has images of one split, in the order of the data set, and is named after the split:
``train-00000.parquet``. On a disk, all shards of a data set appear at once. In a store, each
appears when it is whole, and those that were written are removed if a later one fails.
"""

import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from onebox import stores
from onebox.errors import OneboxError, SettingError
from onebox.formats.encoded_images import content_of, file_names
from onebox.formats.writing import creating
from onebox.image_sizes import size_of
from onebox.structures import SPLITS, Dataset, Sample


@dataclass(frozen=True, slots=True)
class Limits:
    """When a shard is full.

    Attributes:
        images: Number of images.
        content_bytes: Bytes of images; the last image of a shard may pass them.
    """

    images: int = 1000
    content_bytes: int = 1 << 28


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """An image that is written to a shard.

    Attributes:
        sample: Its labels.
        name: A file name that no other image of the data set has.
        size_wh: Width and height of the upright image.
        content: The encoded image.
    """

    sample: Sample
    name: str
    size_wh: tuple[int, int]
    content: bytes


@runtime_checkable
class ShardFile(Protocol):
    """A shard that is being written."""

    def add(self, entry: Entry) -> None:
        """Add an image with its labels."""
        ...


Create = Callable[[Path], AbstractContextManager[ShardFile]]
"""Opens a new shard, and finishes it at the end."""

Place = Callable[[str], AbstractContextManager[ShardFile]]
"""Opens the shard of a name."""

Named = deque[tuple[Sample, str]]
"""Samples that are still to be written, each with the file name of its image."""

_ALL = Limits(images=1 << 62, content_bytes=1 << 62)


def write_shards(
    dataset: Dataset,
    path: Path | str,
    suffix: str,
    create: Create,
    limits: Limits | None = None,
    clean: Callable[[str], str] = str,
) -> None:
    """Write a data set: one file if the path has the suffix of a shard, else a folder of shards.

    ``clean`` makes of the name of an image, without its suffix, one that the shards can hold.

    Raises:
        SettingError: If an image is generated, or the path exists and is not empty.
        DataError: If an image cannot be read, or a store cannot be reached.
        OneboxError: If the disk refuses.
    """
    names = file_names(dataset, clean)
    named = list(zip(dataset, names, strict=True))
    if stores.is_uri(str(path)):
        _write_to_store(named, str(path), suffix, create, limits or Limits())
        return
    with creating(Path(path)) as unfinished:
        if stores.suffix_of(str(path)) == suffix:
            with create(unfinished) as file:
                _fill(file, deque(named), _ALL)
            return
        unfinished.mkdir()
        _write_splits(named, suffix, lambda name: create(unfinished / name), limits or Limits())


def _write_to_store(
    named: list[tuple[Sample, str]], uri: str, suffix: str, create: Create, limits: Limits
) -> None:
    _check_free(uri, suffix)
    written: list[str] = []

    @contextmanager
    def upload(target: str) -> Iterator[ShardFile]:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            local = Path(folder) / stores.last_part(target)
            with create(local) as file:
                yield file
            stores.put(local, target)
        written.append(target)

    try:
        if stores.suffix_of(uri) == suffix:
            with upload(uri) as file:
                _fill(file, deque(named), _ALL)
        else:
            _write_splits(named, suffix, lambda name: upload(stores.join(uri, name)), limits)
    except (OneboxError, KeyboardInterrupt):
        for target in written:
            stores.remove(target)
        raise


def _check_free(uri: str, suffix: str) -> None:
    is_file = stores.suffix_of(uri) == suffix
    if stores.exists(uri) and (is_file or next(iter(stores.find(uri, {suffix})), None) is not None):
        raise SettingError(f"{uri}: exists already. Remove it, or choose another place.")


def _write_splits(
    named: list[tuple[Sample, str]], suffix: str, place: Place, limits: Limits
) -> None:
    for split in SPLITS:
        queue = deque(pair for pair in named if pair[0].split == split)
        number = 0
        while queue:
            with place(f"{split}-{number:05d}{suffix}") as file:
                _fill(file, queue, limits)
            number += 1


def _fill(file: ShardFile, queue: Named, limits: Limits) -> None:
    images = content_bytes = 0
    while queue and images < limits.images and content_bytes < limits.content_bytes:
        sample, name = queue.popleft()
        content = content_of(sample)
        file.add(Entry(sample, name, size_of(sample), content))
        images += 1
        content_bytes += len(content)
