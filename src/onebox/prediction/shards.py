"""Images in shards and object stores → items to predict, read as they are asked for.

An image in a tar is named ``SHARD:PATH``, one in a Parquet file ``SHARD:ROW:NAME``, or
``SHARD:ROW`` if the file has no names; rows count from 0. A URI is named without its query, which
says how to reach the store.
"""

from collections.abc import Iterator
from pathlib import Path

from onebox import stores
from onebox.errors import DataError
from onebox.packed import parquet_shards, tar_images, tar_shards
from onebox.prediction.items import SourceItem
from onebox.prediction.targets import Shard, StoredImage


def read_items(target: Shard | StoredImage) -> Iterator[SourceItem]:
    """The images of a shard, or the one image in a store.

    Raises:
        DataError: If it cannot be read, or holds no image.
    """
    if isinstance(target, StoredImage):
        yield SourceItem(shown_name(target.name), stores.read(target.name))
        return
    is_empty = True
    for member, content in _read_members(target.name):
        is_empty = False
        yield _as_item(target.name, member, content)
    if is_empty:
        raise DataError(f"{shown_name(target.name)}: holds no image. Leave the shard out.")


def shown_name(name: str) -> str:
    """A path as it is; a URI without its query."""
    return name.partition("?")[0] if stores.is_uri(name) else name


def _as_item(shard: str, member: str, content: bytes) -> SourceItem:
    path = None if stores.is_uri(shard) else Path(shard)
    return SourceItem(f"{shown_name(shard)}:{member}", content, path=path, member=member)


def _read_members(shard: str) -> Iterator[tuple[str, bytes]]:
    is_tar = shown_name(shard).lower().endswith(tar_shards.SUFFIX)
    return _read_tar(shard) if is_tar else _read_parquet(shard)


def _read_tar(shard: str) -> Iterator[tuple[str, bytes]]:
    seen: set[int] = set()  # hashes only, to save memory; a path that comes again is left out
    for member, content in tar_images.read_images(shard):
        if hash(member.name) not in seen:
            seen.add(hash(member.name))
            yield member.name, content


def _read_parquet(shard: str) -> Iterator[tuple[str, bytes]]:
    for row in parquet_shards.rows(shard):
        is_named = row.name != f"row {row.row}"
        yield f"{row.row}:{row.name}" if is_named else str(row.row), row.content or b""
