"""What must hold after a fault: a message, whole files, and a next run that succeeds."""

import hashlib
import json
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from faults_parts.forks import CRASHED, Ended
from faults_parts.operations import Operation

Files = Mapping[str, str]
"""Name of each file in a folder → a digest of its bytes."""

_SCRATCH = ("cache", "tmp")  # folders of a system: caches, temporary files
_SENTENCE = re.compile(r"[.)?] [A-Z]|, or |, and ")


def files_of(folder: Path) -> Files:
    """All files of a folder, without those in its cache."""
    found = {}
    for parent, folders, names in os.walk(folder):
        if Path(parent) == folder:
            folders[:] = [name for name in folders if name not in _SCRATCH]
        for name in names:
            path = Path(parent, name)
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            found[path.relative_to(folder).as_posix()] = digest
    return found


def unfinished_in(folder: Path) -> list[str]:
    """Unfinished files anywhere in a folder, and whatever lies among its temporary files."""
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.suffix == ".part" or path.parent == folder / "tmp"
    )


def broken_by_message(ended: Ended, folder: Path, reason: str) -> list[str]:
    """What is wrong with the end of an operation that met an error."""
    if ended.is_late:
        return ["it hung"]
    if ended.code == CRASHED or "Traceback" in ended.error:
        return ["traceback"]
    if ended.code < 0:
        return [f"signal {-ended.code}"]
    lines = [line for line in ended.error.splitlines() if line.startswith("error:")]
    if not lines:
        return ["no message"]
    text = " ".join(lines)
    return [
        name
        for name, is_there in {
            "message without a file": str(folder) in text,
            "message without the reason": reason.casefold() in text.casefold(),
            "message without a repair": bool(_SENTENCE.search(text)),
        }.items()
        if not is_there
    ]


@dataclass(frozen=True, slots=True)
class State:
    """The files of a folder, and the rows of those results that have rows."""

    files: Files
    rows: Mapping[str, list[str]]


def state_of(operation: Operation, folder: Path) -> State:
    """What is in a folder; a result that cannot be read has one row, which says so."""
    files, rows = files_of(folder), {}
    if operation.rows is not None:
        for name in operation.results:
            if name in files:
                rows[name] = _rows(operation.rows, folder / name)
    return State(files, rows)


def _rows(read: Callable[[Path], list[str]], file: Path) -> list[str]:
    try:
        return read(file)
    except Exception as error:  # noqa: BLE001 - whatever a damaged file causes
        return [f"unreadable: {error}"]


def broken_by_files(operation: Operation, before: State, after: State, whole: State) -> list[str]:
    """Which files a failed operation damaged or left.

    Args:
        operation: The operation.
        before: The files before it.
        after: Those after it failed.
        whole: Those after an undisturbed one.
    """
    broken = []
    for name, digest in before.files.items():
        if after.files.get(name) not in {digest, whole.files.get(name)}:
            # Images that could not be read have no rows.
            known = {*before.rows.get(name, ()), *whole.rows.get(name, ())}
            if name in after.rows and known.issuperset(after.rows[name]):
                continue
            broken.append(f"lost or changed: {name}")
    for name in after.files.keys() - before.files.keys():
        is_whole = after.files[name] == whole.files.get(name)
        if ".part" not in name and not is_whole and not name.endswith(operation.unfinished):
            broken.append(f"not whole: {name}")
    return broken


def differing(operation: Operation, after: State, whole: State) -> list[str]:
    """Results that differ from those of an undisturbed operation."""
    return [
        name
        for name, digest in whole.files.items()
        if name.startswith(operation.results)
        and after.files.get(name) != digest
        and (name not in whole.rows or after.rows.get(name) != whole.rows[name])
    ]


def damaged_in(folder: Path) -> list[str]:
    """Files under their final names that their readers refuse."""
    damaged = []
    for path in sorted(folder.rglob("*")):
        read = _READERS.get(path.suffix)
        if read is None or not path.is_file() or ".part" in str(path.relative_to(folder)):
            continue
        try:
            read(path)
        except Exception as error:  # noqa: BLE001 - whatever a damaged file causes
            damaged.append(f"damaged: {path.relative_to(folder)} ({error})")
    return damaged


def _read_onnx(file: Path) -> object:
    import onnx  # noqa: PLC0415 - not every program that has these laws has it

    return onnx.load(file)


def _read_tensors(file: Path) -> object:
    from safetensors import safe_open  # noqa: PLC0415

    with safe_open(file, "np") as opened:
        return [opened.get_tensor(name) for name in opened.keys()]  # noqa: SIM118 - no mapping


def _read_array(file: Path) -> object:
    return np.load(file, mmap_mode="r", allow_pickle=False)


_READERS: Mapping[str, Callable[[Path], object]] = {
    ".json": lambda file: json.loads(file.read_bytes()),
    ".toml": lambda file: tomllib.loads(file.read_text("utf-8")),
    ".npz": lambda file: list(np.load(file, allow_pickle=False).values()),
    ".npy": _read_array,
    ".onnx": _read_onnx,
    ".safetensors": _read_tensors,
}
