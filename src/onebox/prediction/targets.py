"""The names on a command line → what they stand for: files, shards, URLs and cameras, unread.

A name is a path, a glob, a URL, a camera, or the URI of an object store. Folders and prefixes are
searched for images; where there are none, for shards.
"""

import glob
import os
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from onebox import images
from onebox.errors import DataError, shorten
from onebox.files import leads_nowhere
from onebox.prediction.items import UnreadableSource

SHARD_SUFFIXES = frozenset({".parquet", ".tar"})
"""The suffixes of files that hold many images."""

_CAMERA = re.compile(r"camera:(\d+)")
_NUL = "\0"


@dataclass(frozen=True, slots=True)
class Shard:
    """A WebDataset tar or a Parquet file with encoded images, by its path or URI."""

    name: str


@dataclass(frozen=True, slots=True)
class StoredImage:
    """An image in an object store, by its URI."""

    name: str


Target = Path | str | Shard | StoredImage | UnreadableSource
"""A path; the text of a camera or a URL; a shard; an image in a store; what cannot be opened."""


def expand_glob(source: str) -> list[str]:
    """The names that a glob matches; any other source as it is."""
    # With os.path: pathlib raises if a name is too long, or a folder may not be entered.
    if not glob.has_magic(source) or _is_remote(source) or os.path.exists(source):  # noqa: PTH110
        return [source]
    return sorted(glob.glob(source, recursive=True))  # noqa: PTH207


def find_targets(name: str) -> Iterator[Target]:
    """What is in a folder or a prefix, or the one thing that is named."""
    if _NUL in name:
        yield UnreadableSource(
            f"{shorten(name.split(_NUL))}: names are separated by NUL characters. Put each on a "
            "line of its own, as find does without -print0."
        )
    elif is_url(name) or camera_number(name) is not None:
        yield name
    elif is_stored(name):
        yield from _find_stored(name)
    elif os.path.isdir(name):  # noqa: PTH112
        yield from _find_in_folder(Path(name))
    else:
        yield Shard(name) if Path(name).suffix.lower() in SHARD_SUFFIXES else Path(name)


def name_nothing_found(source: str) -> UnreadableSource:
    """Say that a source holds no image."""
    suffixes = ", ".join(sorted(images.SUFFIXES))
    return UnreadableSource(f"{source}: holds no image (files that end in {suffixes}).")


def camera_number(name: str) -> int | None:
    """The number of a camera; None for any other name, and for a file of that name."""
    match = _CAMERA.fullmatch(name)
    return int(match[1]) if match is not None and not Path(name).exists() else None


def is_url(name: str) -> bool:
    """Whether a name is an http or https address."""
    if "://" not in name:
        return False
    from onebox.prediction import downloads  # noqa: PLC0415 - needed for URLs alone

    return downloads.is_url(name)


def is_stored(name: str) -> bool:
    """Whether a name is the URI of an object store."""
    if "://" not in name:
        return False
    from onebox import stores  # noqa: PLC0415 - needed for URIs alone

    return stores.is_uri(name)


def _is_remote(name: str) -> bool:
    return is_url(name) or is_stored(name)


def _find_stored(uri: str) -> Iterator[Target]:
    """The image or shard at a URI, or those below a prefix."""
    from onebox import stores  # noqa: PLC0415 - needed for URIs alone

    if (target := _as_stored(uri)) is not None:
        yield target
        return
    try:
        for suffixes in (images.SUFFIXES, SHARD_SUFFIXES):
            found = [_as_stored(file.name) for file in stores.find(uri, suffixes)]
            yield from (target for target in found if target is not None)
            if found:
                return
    except DataError as error:
        yield UnreadableSource(str(error))


def _as_stored(uri: str) -> Target | None:
    """The image or shard at a URI; None if its suffix is of neither."""
    suffix = Path(uri.partition("?")[0]).suffix.lower()
    if suffix in SHARD_SUFFIXES:
        return Shard(uri)
    return StoredImage(uri) if suffix in images.SUFFIXES else None


def _find_in_folder(folder: Path) -> Iterator[Target]:
    has_images = False
    for target in _walk(folder, images.SUFFIXES):
        has_images = has_images or isinstance(target, Path)
        yield target
    if not has_images:
        shards = _walk(folder, SHARD_SUFFIXES)
        yield from (Shard(str(path)) for path in shards if isinstance(path, Path))


def _walk(folder: Path, suffixes: Collection[str]) -> Iterator[Path | UnreadableSource]:
    """The files below a folder that end so, sorted by name; links to folders are not followed."""
    try:
        with os.scandir(folder) as scan:
            entries = sorted(scan, key=lambda entry: entry.name)
    except OSError as error:
        yield UnreadableSource(
            f"{folder}: cannot be listed ({error.strerror}). Change its permissions."
        )
        return
    for entry in entries:
        path = folder / entry.name
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(path, suffixes)
        # Reading a link that leads nowhere says so.
        elif path.suffix.lower() in suffixes and (leads_nowhere(entry) or entry.is_file()):
            yield path
