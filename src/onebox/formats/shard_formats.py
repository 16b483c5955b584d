"""The formats that keep images in shards, which may lie in an object store."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from onebox import stores
from onebox.errors import DataError, SettingError
from onebox.formats import parquet, webdataset
from onebox.formats.rows import ParsedLabels
from onebox.structures import Dataset


@dataclass(frozen=True, slots=True)
class ShardFormat:
    """Reader and writer of shards.

    Attributes:
        suffix: Of a shard.
        parse: Reads the labels at a path or URI.
        write: Writes a data set to a path or URI.
    """

    suffix: str
    parse: Callable[[Path | str], ParsedLabels]
    write: Callable[[Dataset, Path | str], None]


SHARD_FORMATS: dict[str, ShardFormat] = {
    "parquet": ShardFormat(".parquet", parquet.parse, parquet.write),
    "webdataset": ShardFormat(".tar", webdataset.parse, webdataset.write),
}
"""The formats by name, all of which are among `onebox.formats.FORMATS`."""


def parse_uri(uri: str, wanted: str | None = None) -> ParsedLabels:
    """Read the labels in an object store.

    Args:
        uri: A shard, or a prefix that shards have.
        wanted: The format that the user named; None to find it.

    Raises:
        DataError: If there are no shards, or of both formats.
        SettingError: If the format is one of files beside images.
    """
    return SHARD_FORMATS[_format_at(uri, wanted)].parse(uri)


def check_place(format: str, uri: str) -> None:  # noqa: A002
    """Check that a format can be kept in an object store.

    Raises:
        SettingError: If it is one of files beside images.
    """
    if format not in SHARD_FORMATS:
        raise SettingError(
            f"{uri}: {format} labels lie beside images on a disk. In an object store, use "
            f"{' or '.join(SHARD_FORMATS)}."
        )


def _format_at(uri: str, wanted: str | None) -> str:
    if wanted is not None:
        check_place(wanted, uri)
        return wanted
    suffix = stores.suffix_of(uri)
    by_suffix = {one.suffix: name for name, one in SHARD_FORMATS.items()}
    if suffix in by_suffix:
        return by_suffix[suffix]
    if not stores.exists(uri):
        raise DataError(f"{uri}: does not exist. Correct the name.")
    found = sorted({stores.suffix_of(file.name) for file in stores.find(uri, set(by_suffix))})
    if len(found) != 1:
        held = "shards of several formats" if found else "no shards"
        raise DataError(
            f"{uri}: holds {held} ({', '.join(found or by_suffix)}). Name the folder of one data "
            "set, or its format."
        )
    return by_suffix[found[0]]
