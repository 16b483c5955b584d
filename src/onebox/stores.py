"""Files on the disk and in object stores, by one kind of name.

A name is a path, or a URI such as ``s3://bucket/folder/file``. Arrow's file systems open ``s3``,
``gs``, ``hdfs`` and ``file``; fsspec opens every other scheme that it knows. Paths need neither.
Credentials, regions and endpoints come from where the store's own tools find them, such as the
environment, or from the URI's query, as ``s3://bucket/a?endpoint_override=localhost:9000``.
"""

import io
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from onebox.errors import DataError
from onebox.optional import require

_WEB = ("http", "https")
_READ_AHEAD = 1 << 18  # bytes that one request asks for at least; not tuned
_BLOCK = 1 << 20  # bytes that an upload reads at once; not tuned


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
    root, _, query = folder.partition("?")
    for entry in sorted(entries, key=lambda entry: entry.path):
        if entry.is_file and _suffix(entry.path) in suffixes:
            relative = entry.path[len(path.rstrip("/")) + 1 :]
            yield StoredFile(join(f"{root}?{query}" if query else root, relative), entry.size)


def read(name: str, offset: int = 0, length: int | None = None) -> bytes:
    """The bytes of a file, or ``length`` of them from ``offset`` on.

    Raises:
        DataError: If it cannot be read.
    """
    with open_input(name) as file:
        file.seek(offset)
        return cast("bytes", _asking(name, lambda: file.read(-1 if length is None else length)))


def open_input(name: str) -> BinaryIO:
    """Open a file for reading; it can seek.

    Raises:
        DataError: If it cannot be opened.
    """
    if not is_uri(name):
        return cast("BinaryIO", _asking(name, lambda: Path(name).open("rb")))
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
        if _suffix(file) in suffixes
    ]
    for name in sorted(names):
        yield StoredFile(name, Path(name).stat().st_size)


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()  # noqa: PTH122 - names are text, as URIs are


def _open_store(uri: str) -> tuple[Any, str]:
    """The file system of a URI, and the path within it.

    Raises:
        DataError: If there is no such scheme, or the store cannot be reached.
    """
    fs, arrow = _arrow("pyarrow.fs"), _arrow("pyarrow")
    try:
        opened: tuple[Any, str] = fs.FileSystem.from_uri(uri)
    except arrow.ArrowInvalid:  # a scheme that Arrow does not know
        fsspec = require("fsspec.core", extra="ray", purpose="object stores")
        try:
            filesystem, path = fsspec.url_to_fs(uri)
        except (ValueError, ImportError) as error:
            raise DataError(f"{uri}: cannot be opened ({error}). Correct its scheme.") from error
        return fs.PyFileSystem(fs.FSSpecHandler(filesystem)), path
    except OSError as error:
        raise DataError(_explain(uri, error)) from error
    return opened


def _asking(name: str, ask: Any) -> Any:  # noqa: ANN401 - Arrow is imported by name
    """Ask the disk or the store; its errors become ours.

    Raises:
        DataError: If it cannot be asked.
    """
    try:
        return ask()
    except OSError as error:
        raise DataError(_explain(name, error)) from error


def _explain(name: str, error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return f"{name}: does not exist. Correct the name."
    reason = error.strerror or str(error).splitlines()[0]
    return f"{name}: cannot be reached ({reason}). Check the name and its permissions."


def _arrow(module: str) -> Any:  # noqa: ANN401 - imported by name
    return require(module, extra="ray", purpose="object stores")
