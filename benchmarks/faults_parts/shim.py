"""The shim that makes one file-system call fail: built, loaded into this program, and told when."""

import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).with_name("shim.c")
ERRORS = {
    "open to read": ("EACCES", "EIO"),
    "open to write": ("ENOSPC", "EACCES", "EIO"),
    "read": ("EIO", "EINTR"),
    "write": ("ENOSPC", "EIO", "EINTR"),
    "copy": ("ENOSPC", "EIO", "EINTR"),
    "fsync": ("ENOSPC", "EIO", "EINTR"),
    "rename": ("ENOSPC", "EACCES", "EIO"),
    "mkdir": ("ENOSPC", "EACCES", "EIO"),
    "unlink": ("EACCES", "EIO"),
    "truncate": ("ENOSPC", "EIO", "EINTR"),
    "mmap": ("ENOMEM", "EACCES"),
}
"""The errors of each kind of call, in the order of their turns; as ``KINDS`` in ``shim.c``."""

_LOADED = "ONEBOX_FAULTS_SHIM"


@dataclass(frozen=True, slots=True)
class Call:
    """One call that the shim saw; ``error`` is the number of the error that it got, or 0."""

    kind: str
    path: str
    error: int


def is_possible() -> bool:
    """Whether this system has a C compiler and loads a library before others."""
    return sys.platform == "linux" and shutil.which("gcc") is not None


def start_again_with_shim() -> None:
    """Replace this process by one that has the shim; return if it has it already."""
    if _LOADED in os.environ:
        # Children of the forks must not have it.
        os.environ.pop("LD_PRELOAD", None)
        return
    library = Path(tempfile.mkdtemp()) / "shim.so"
    words = ["gcc", "-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE), "-ldl"]
    subprocess.run(words, check=True)
    environment = {**os.environ, "LD_PRELOAD": str(library), _LOADED: str(library)}
    os.execve(sys.executable, [sys.executable, *sys.argv], environment)  # noqa: S606


def arm(folder: Path, number: int = 0, turn: int = 0) -> None:
    """Count the calls below a folder; the ``number``-th fails, or none if that is 0."""
    ctypes.CDLL(None).faults_arm(str(folder).encode(), number, turn)


def disarm() -> list[Call]:
    """Stop counting, and return the calls."""
    library = ctypes.CDLL(None)
    library.faults_disarm.restype = ctypes.c_char_p
    lines = library.faults_disarm().decode("utf-8", "replace").splitlines()
    calls = (line.split("\t") for line in lines)
    return [Call(kind, path, int(error)) for kind, path, error in calls]
