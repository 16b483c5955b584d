"""Files on the disk and in object stores, by one kind of name.

A name is a path, or a URI such as ``s3://bucket/folder/file``. Arrow's file systems open ``s3``,
``gs``, ``hdfs`` and ``file``; fsspec opens every other scheme that it knows. Paths need neither.
Credentials, regions and endpoints come from where the store's own tools find them, such as the
environment, or from the URI's query, as ``s3://bucket/a?endpoint_override=localhost:9000``. The
rest of a URI is taken as it is written: no letter of it is an escape.
"""

import functools
import io
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from onebox.errors import DataError, first_line
from onebox.optional import require

_WEB = ("http", "https")
_READ_AHEAD = 1 << 18  # bytes that one request asks for at least; not tuned
_BLOCK = 1 << 20  # bytes that an upload reads at once; not tuned
# What Arrow reads when it connects, so that a change of it is not missed.
_ENVIRONMENT = (
    *("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ACCESS_KEY_ID", "AWS_PROFILE"),
    *("AWS_DEFAULT_REGION", "AWS_REGION", "GOOGLE_APPLICATION_CREDENTIALS"),
)


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that a folder or a prefix holds.

    Attributes:
        name: Its path or URI.
        size: In bytes.
    """

    name: str
    size: int


def is_uri(name: str) -> bool:
    """Whether a name is the URI of an object store, and not a path or a web address."""
    scheme, separator, _ = name.partition("://")
    return bool(separator) and scheme.replace("+", "").isalnum() and scheme not in _WEB


def join(folder: str, name: str) -> str:
    """The name of a file in a folder; the query of a URI stays at its end."""
    if not is_uri(folder):
        return os.path.join(folder, name)  # noqa: PTH118 - names are text, as URIs are
    path, question, query = folder.partition("?")
    return f"{path.rstrip('/')}/{name}{question}{query}"


def last_part(name: str) -> str:
    """The name of a file or a folder without the folders that it is in, and without a query.

    Examples:
        >>> last_part("s3://bucket/shards/a.tar?region=eu"), last_part("shards/")
        ('a.tar', 'shards')
    """
    path = name.partition("?")[0] if is_uri(name) else name.replace(os.sep, "/")
    return path.rstrip("/").rpartition("/")[2]


def suffix_of(name: str) -> str:
    """The suffix of a file, with the dot and in lower case; empty if it has none.

    Examples:
        >>> suffix_of("s3://bucket/a.TAR?region=eu")
        '.tar'
    """
    return os.path.splitext(last_part(name))[1].lower()  # noqa: PTH122 - names are text


def relative(name: str, folder: str) -> str:
    """The path of a file relative to a folder that it is in, with slashes.

    Examples:
        >>> relative("s3://bucket/shards/train/a.tar?region=eu", "s3://bucket/shards/?region=eu")
        'train/a.tar'
    """
    if not is_uri(name):
        return Path(name).relative_to(folder).as_posix()
    path, root = (each.partition("?")[0] for each in (name, folder))
    return path.removeprefix(root.rstrip("/")).lstrip("/")


def is_folder(name: str) -> bool:
    """Whether a name is that of a folder, or of a prefix that files in a store have.

    Raises:
        DataError: If the store cannot be reached.
    """
    if not is_uri(name):
        return Path(name).is_dir()
    filesystem, path = _open_store(name)
    kind: str = _asking(name, lambda: filesystem.get_file_info(path).type.name)
    return kind == "Directory"


def stamp(name: str) -> str:
    """A word that changes when a file does: its size and the time of its last change.

    Raises:
        DataError: If it cannot be looked up.
    """
    if not is_uri(name):
        status = _asking(name, lambda: Path(name).stat())
        return f"{status.st_size}-{status.st_mtime_ns}"
    filesystem, path = _open_store(name)
    info = _asking(name, lambda: filesystem.get_file_info(path))
    return f"{info.size}-{info.mtime_ns}"


def exists(name: str) -> bool:
    """Whether there is a file or a folder of that name.

    Raises:
        DataError: If the store cannot be reached.
    """
    if not is_uri(name):
        return Path(name).exists()
    filesystem, path = _open_store(name)
    kind: str = _asking(name, lambda: filesystem.get_file_info(path).type.name)
    return kind != "NotFound"


def find(folder: str, suffixes: Collection[str]) -> Iterator[StoredFile]:
    """The files below a folder whose names end in one of some suffixes, sorted by name.

    Raises:
        DataError: If the folder cannot be listed.
    """
    if not is_uri(folder):
        yield from _find_local(folder, suffixes)
        return
    filesystem, path = _open_store(folder)
    selector = _arrow("pyarrow.fs").FileSelector(path, recursive=True)
    entries = _asking(folder, lambda: filesystem.get_file_info(selector))
    for entry in sorted(entries, key=lambda entry: entry.path):
        if entry.is_file and suffix_of(entry.path) in suffixes:
            below = entry.path.strip("/").removeprefix(path.strip("/")).lstrip("/")
            yield StoredFile(join(folder, below), entry.size)


def read(name: str, offset: int = 0, length: int | None = None) -> bytes:
    """The bytes of a file, or ``length`` of them from ``offset`` on.

    Raises:
        DataError: If it cannot be read.
    """
    with open_input(name) as file:
        file.seek(offset)
        return cast("bytes", _asking(name, lambda: file.read(-1 if length is None else length)))


def open_input(name: str) -> io.BufferedReader:
    """Open a file for reading; it can seek.

    Raises:
        DataError: If it cannot be opened.
    """
    if not is_uri(name):
        return cast("io.BufferedReader", _asking(name, lambda: Path(name).open("rb")))
    filesystem, path = _open_store(name)
    opened = _asking(name, lambda: filesystem.open_input_file(path))
    return io.BufferedReader(opened, _READ_AHEAD)  # Arrow's file lacks some of what files can do


def put(source: Path, name: str) -> None:
    """Move a finished file to its name: whole or not at all, in place of an earlier one.

    A path takes a rename within its file system; an object store shows an upload once it is whole.

    Raises:
        DataError: If it cannot be written; ``source`` then remains.
    """
    if is_uri(name):
        _upload(source, name)
        source.unlink()
    else:
        _asking(name, lambda: source.replace(name))


def remove(name: str) -> None:
    """Delete a file, if there is one.

    Raises:
        DataError: If it cannot be deleted.
    """
    if not is_uri(name):
        _asking(name, lambda: Path(name).unlink(missing_ok=True))
        return
    filesystem, path = _open_store(name)
    if exists(name):
        _asking(name, lambda: filesystem.delete_file(path))


def _upload(source: Path, name: str) -> None:
    filesystem, path = _open_store(name)

    def copy() -> None:
        with source.open("rb") as file, filesystem.open_output_stream(path) as target:
            while block := file.read(_BLOCK):
                target.write(block)

    _asking(name, copy)


def _find_local(folder: str, suffixes: Collection[str]) -> Iterator[StoredFile]:
    if not Path(folder).is_dir():
        raise DataError(f"{folder}: is no folder. Name a folder that exists.")
    names = [
        os.path.join(parent, file)  # noqa: PTH118 - names are text, as URIs are
        for parent, _, files in os.walk(folder)
        for file in files
        if suffix_of(file) in suffixes
    ]
    for name in sorted(names):
        yield StoredFile(name, Path(name).stat().st_size)


def _open_store(uri: str) -> tuple[Any, str]:
    """The file system of a URI, and the path within it.

    Raises:
        DataError: If there is no such scheme, or the store cannot be reached.
    """
    path, question, query = uri.partition("?")
    scheme, _, rest = path.partition("://")
    place, slash, below = rest.partition("/")
    environment = tuple(os.environ.get(name, "") for name in _ENVIRONMENT)
    root = f"{scheme}://{place}{'' if place else slash}{question}{query}"
    try:
        filesystem, start = _connect(root, environment)
    except OSError as error:
        raise DataError(_explain(uri, error)) from error
    if not below or not place:
        return filesystem, f"{start}{below}"
    return filesystem, f"{start.rstrip('/')}/{below}"


@functools.lru_cache(maxsize=16)
def _connect(root: str, environment: tuple[str, ...]) -> tuple[Any, str]:  # noqa: ARG001 - a key
    """The file system of a bucket or a host, kept: to make one may ask the store for its region.

    Raises:
        DataError: If there is no such scheme.
    """
    fs, arrow = _arrow("pyarrow.fs"), _arrow("pyarrow")
    try:
        opened: tuple[Any, str] = fs.FileSystem.from_uri(root)
    except arrow.ArrowInvalid:  # a scheme that Arrow does not know
        fsspec = require("fsspec.core", extra="ray", purpose="object stores")
        try:
            filesystem, path = fsspec.url_to_fs(root)
        except (ValueError, ImportError) as error:
            raise DataError(f"{root}: cannot be opened ({error}). Correct its scheme.") from error
        return fs.PyFileSystem(fs.FSSpecHandler(filesystem)), path
    return opened


def _asking(name: str, ask: Any) -> Any:  # noqa: ANN401 - Arrow is imported by name
    """Ask the disk or the store; its errors become ours.

    Raises:
        DataError: If it cannot be asked.
    """
    try:
        return ask()
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        raise DataError(_explain(name, error)) from error


def _explain(name: str, error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError):
        return f"{name}: does not exist. Correct the name."
    reason = getattr(error, "strerror", None) or first_line(error)
    return f"{name}: cannot be reached ({reason}). Check the name and its permissions."


def _arrow(module: str) -> Any:  # noqa: ANN401 - imported by name
    return require(module, extra="ray", purpose="object stores")
